import type { JsonObject } from '../../engine/json.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';

function count(object: KubernetesObject, field: string): number {
  const value = object.status?.[field];
  return typeof value === 'number' ? value : 0;
}

function conditions(object: KubernetesObject): readonly JsonObject[] {
  const list = object.status?.conditions;
  return Array.isArray(list) ? list : [];
}

/** Whether Helm's `--wait` is content with an object. */
export function isSettled(object: KubernetesObject): boolean {
  const { generation = 0 } = object.metadata;
  if (!['Deployment', 'StatefulSet', 'DaemonSet'].includes(object.kind)) return true;
  if (count(object, 'observedGeneration') < generation) return false;
  if (object.kind === 'DaemonSet')
    return (
      count(object, 'updatedNumberScheduled') >= count(object, 'desiredNumberScheduled') &&
      count(object, 'numberAvailable') >= count(object, 'desiredNumberScheduled')
    );
  const wanted = Number(object.spec?.replicas ?? 1);
  const strategy = object.spec?.updateStrategy as JsonObject | undefined;
  // Pods of such a set are replaced by hand: Helm does not wait for them.
  if (object.kind === 'StatefulSet' && strategy?.type === 'OnDelete') return true;
  const rolling = strategy?.rollingUpdate as JsonObject | undefined;
  const held = object.kind === 'StatefulSet' ? Number(rolling?.partition ?? 0) : 0;
  return (
    count(object, 'updatedReplicas') >= wanted - held &&
    count(object, 'replicas') === wanted &&
    count(object, object.kind === 'Deployment' ? 'availableReplicas' : 'readyReplicas') === wanted
  );
}

/** How a Job ended, if it has. */
export function jobVerdict(job: KubernetesObject): 'succeeded' | { readonly failed: string } | undefined {
  const holds = (type: string) =>
    conditions(job).find((condition) => condition.type === type && condition.status === 'True');
  if (holds('Complete') !== undefined) return 'succeeded';
  const failed = holds('Failed');
  return failed === undefined ? undefined : { failed: String(failed.reason ?? '') };
}
