import { createHash } from 'node:crypto';
import { kinds } from '../../services/kubernetes.ts';
import { isReady } from '../controllers/pods-of.ts';
import type { Pod, StatefulSet } from '../objects.ts';
import type { World } from '../world.ts';

/** A member of the ring: a node is known by its data, and so to its neighbours also while it has no pod. */
export interface RingNode {
  readonly pod: string;
  readonly address: string;
  readonly hostId: string;
  readonly up: boolean;
  readonly schemaVersion: string;
}

const CONTAINER = 'cassandra';
/** Where a node was that has no pod now. */
const GONE = '10.244.255.';

/** A UUID that is the same for the same text in the same world. */
export function fixedUuid(world: World, text: string): string {
  const hex = createHash('sha256').update(`${world.seed} ${text}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Every node of the ring in a namespace, by name. */
export function ringIn(world: World, namespace: string): readonly RingNode[] {
  const sets = world.store
    .all<StatefulSet>(kinds.statefulSets, namespace)
    .filter(({ spec }) => spec.template.spec.containers.some(({ name }) => name === CONTAINER));
  const names = sets.flatMap(({ metadata, spec }) =>
    Array.from({ length: spec.replicas }, (_, at) => `${metadata.name}-${at}`),
  );
  return names.map((name, at) => {
    const pod = world.store.get<Pod>(kinds.pods, namespace, name);
    const { disagreement } = world.cassandra.schema;
    return {
      pod: name,
      address: pod?.status.podIP ?? `${GONE}${at + 1}`,
      hostId: fixedUuid(world, `host ${namespace}/${name}`),
      up: pod !== undefined && isReady(pod),
      schemaVersion: fixedUuid(world, disagreement && at === 0 ? 'an older schema' : 'schema'),
    };
  });
}
