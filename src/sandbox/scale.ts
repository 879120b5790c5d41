import type { Kind } from '../services/kubernetes.ts';
import { badRequest, notFound } from './api-error.ts';
import type { Thing } from './objects.ts';
import { type Fields, isFields } from './patch.ts';

const SCALABLE = new Set(['Deployment', 'ReplicaSet', 'StatefulSet']);

/** The `scale` subresource of a workload. */
export function scaleOf(kind: Kind, object: Thing): Thing {
  if (!SCALABLE.has(kind.kind)) throw notFound(kind, `${object.metadata.name}/scale`);
  const spec = object.spec as { replicas: number; selector?: { matchLabels?: Record<string, string> } };
  const status = object.status as { replicas?: number } | undefined;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid,
      resourceVersion,
      creationTimestamp,
    },
    spec: { replicas: spec.replicas },
    status: {
      replicas: status?.replicas ?? 0,
      selector: Object.entries(spec.selector?.matchLabels ?? {})
        .map(([key, value]) => `${key}=${value}`)
        .join(','),
    },
  };
}

/** PATCH of `scale`: changes `spec.replicas` of the workload and answers with the new Scale. */
export function patchScale(
  kind: Kind,
  object: Thing,
  write: { readonly change: (scale: Thing) => unknown; readonly store: (after: Fields) => Thing },
): Thing {
  const scale = write.change(scaleOf(kind, object));
  const spec = isFields(scale) && isFields(scale.spec) ? scale.spec : {};
  const replicas = spec.replicas ?? 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas))
    throw badRequest(`spec.replicas: ${JSON.stringify(replicas)} is no integer`);
  return scaleOf(kind, write.store({ ...object, spec: { ...(object.spec as Fields), replicas } }));
}
