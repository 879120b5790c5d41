import { kinds } from '../../services/kubernetes.ts';
import type { NekStoreNode } from '../../services/nek-store.ts';
import { isReady } from '../controllers/pods-of.ts';
import type { Pod } from '../objects.ts';
import { nameHash } from '../random.ts';
import { labelFilter } from '../selector.ts';
import type { World } from '../world.ts';

const NAMESPACE = 'cassandra-system';

/** Servers of the cluster as a client finds them; one whose pod is not ready does not answer. */
export function nodesOf(
  world: World,
  at: { readonly namespace: string; readonly selector: string },
): readonly NekStoreNode[] {
  const fits = labelFilter(at.selector);
  const { disagreement } = world.cassandra.schema;
  return world.store
    .all<Pod>(kinds.pods, at.namespace)
    .filter((pod) => fits(pod) && pod.spec.containers.some(({ name }) => name === 'cassandra'))
    .map((pod, index) => {
      const up = isReady(pod);
      const version = disagreement && index === 0 ? 'an older schema' : 'schema';
      const hash = nameHash(version);
      return {
        pod: pod.metadata.name,
        address: pod.status.podIP ?? '',
        up,
        schemaVersion: up ? hash : '',
      };
    });
}

/** The cluster that the services of the control plane use. */
export function ownNodes(world: World): readonly NekStoreNode[] {
  return nodesOf(world, { namespace: NAMESPACE, selector: 'app.kubernetes.io/name=cassandra' });
}

/** Are enough copies reachable for LOCAL_QUORUM? */
export function hasQuorum(world: World, nodes: readonly NekStoreNode[]): boolean {
  const needed = Math.floor(world.cassandra.schema.replicationFactor / 2) + 1;
  return nodes.filter(({ up }) => up).length >= needed;
}
