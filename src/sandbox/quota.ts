import { kinds } from '../services/kubernetes.ts';
import { ApiFailure } from './api-error.ts';
import { otherKinds } from './catalog.ts';
import type { Labels, Pod, Thing } from './objects.ts';
import { quantity } from './quantity.ts';
import type { World } from './world.ts';

type Quota = Thing & { readonly spec?: { readonly hard?: Readonly<Record<string, unknown>> } };

/** What a pod requests of a resource ('cpu', 'memory'), summed over its containers. */
export function requested(pod: Thing, resource: string, side: 'requests' | 'limits' = 'requests'): number {
  return (pod as Pod).spec.containers.reduce((sum, container) => {
    const amounts: Labels | undefined = container.resources?.[side] ?? container.resources?.limits;
    return sum + quantity(amounts?.[resource] ?? 0);
  }, 0);
}

function usage(pod: Thing, resource: string): number {
  if (resource === 'pods' || resource === 'count/pods') return 1;
  const [side = '', name] = resource.split('.');
  if (name === undefined) return requested(pod, side);
  return requested(pod, name, side === 'limits' ? 'limits' : 'requests');
}

/** Refuses a pod that a ResourceQuota of its namespace has no room for. */
export function admitPod(world: World, pod: Thing): void {
  const namespace = pod.metadata.namespace;
  const pods = world.store
    .all<Pod>(kinds.pods, namespace)
    .filter(({ status }) => status.phase !== 'Succeeded' && status.phase !== 'Failed');
  for (const quota of world.store.all<Quota>(otherKinds.resourceQuotas, namespace)) {
    for (const [resource, hard] of Object.entries(quota.spec?.hard ?? {})) {
      const used = pods.reduce((sum, other) => sum + usage(other, resource), 0);
      const wanted = usage(pod, resource);
      if (used + wanted <= quantity(hard)) continue;
      throw new ApiFailure(
        403,
        'Forbidden',
        `pods "${pod.metadata.name}" is forbidden: exceeded quota: ${quota.metadata.name}, requested: ${resource}=${wanted}, used: ${resource}=${used}, limited: ${resource}=${String(hard)}`,
      );
    }
  }
}
