import { kinds } from '../../services/kubernetes.ts';
import type { OpenBaoNode, RaftPeer } from '../../services/openbao.ts';
import type { Thing } from '../objects.ts';
import type { World } from '../world.ts';
import { appliedIndex, committedIndex } from './cluster.ts';
import { serverNow } from './server-clock.ts';
import type { BaoCluster } from './state.ts';

function addressOf(namespace: string, pod: string): string {
  return `http://${pod}.openbao-server-internal.${namespace}.svc.cluster.local:8200`;
}

/** What one server says of itself; undefined when none runs in that pod. */
export function nodeView(world: World, namespace: string, pod: string): OpenBaoNode | undefined {
  const cluster = world.openbao.get(namespace);
  const node = cluster?.nodes.get(pod);
  if (cluster === undefined || node === undefined) return undefined;
  const known = !node.sealed && cluster.leader !== undefined;
  return {
    pod,
    initialized: true,
    sealed: node.sealed,
    version: cluster.version,
    active: !node.sealed && cluster.leader === pod,
    leaderAddress: known ? addressOf(namespace, cluster.leader ?? '') : undefined,
    raftCommittedIndex: node.sealed ? undefined : committedIndex(world),
    raftAppliedIndex: node.sealed ? undefined : appliedIndex(world, node),
    serverTime: Math.floor(serverNow(world) / 1000),
  };
}

/** The raft configuration, by node id. */
export function peersView(cluster: BaoCluster): readonly RaftPeer[] {
  return [...cluster.peers].sort().map((id) => ({
    id,
    address: `${id}.openbao-server-internal:8201`,
    leader: cluster.leader === id,
    voter: true,
  }));
}

/** Is this the root token of the namespace's Secret? */
export function isRootToken(world: World, namespace: string, token: string): boolean {
  const secret = world.store.get<Thing & { data?: Record<string, string> }>(
    kinds.secrets,
    namespace,
    'openbao-server-root-token',
  );
  const encoded = secret?.data?.root_token;
  return encoded !== undefined && Buffer.from(encoded, 'base64').toString('utf8') === token;
}
