import { kinds } from '../../services/kubernetes.ts';
import { canonical, type Pod, type Thing } from '../objects.ts';
import type { World } from '../world.ts';
import { addStandardMounts } from './mounts.ts';
import type { BaoCluster, BaoNode } from './state.ts';

/** Without a leader for this long, in milliseconds: shortest and longest. */
const ELECTION = [2_500, 6_000] as const;
/** After a step-down another node takes over sooner. */
const HANDOVER = [300, 1_200] as const;
/** The sidecar's first attempt usually fails; it tries again after 60 s plus 10 s at the most. */
const UNSEAL = [8_000, 70_000] as const;
const CATCH_UP = [1_500, 5_000] as const;
/** Entries per second that the cluster commits by itself. */
const RATE = 0.2;

/** The OpenBao of a namespace, made when first asked for. */
export function clusterOf(world: World, namespace: string): BaoCluster {
  const known = world.openbao.get(namespace);
  if (known !== undefined) return known;
  const created: BaoCluster = {
    namespace,
    nodes: new Map(),
    peers: new Set(),
    leader: undefined,
    steppedDown: undefined,
    electing: false,
    version: '2.5.5',
    lastApplied: new Map(),
    mounts: new Map(),
    policies: new Map(),
    tokens: new Map(),
  };
  addStandardMounts(world, created);
  world.openbao.set(namespace, created);
  return created;
}

/** Index that the cluster has committed by now. */
export function committedIndex(world: World): number {
  return 4_200 + Math.floor(((world.timeline.now - world.epoch) / 1000 + 86_400) * RATE);
}

/** Index that a node has applied by now. */
export function appliedIndex(world: World, node: BaoNode): number {
  const committed = committedIndex(world);
  if (world.timeline.now >= node.caughtUpAt) return committed;
  return Math.min(committed, node.lagsFrom);
}

function delay(world: World, range: readonly [number, number]): number {
  return world.random.integer(range[0], range[1]);
}

function label(world: World, cluster: BaoCluster, node: BaoNode): void {
  const pod = world.store.get<Pod>(kinds.pods, cluster.namespace, node.pod);
  if (pod === undefined || pod.metadata.uid !== node.uid) return;
  const labels = {
    ...pod.metadata.labels,
    'openbao-active': String(cluster.leader === node.pod),
    'openbao-initialized': 'true',
    'openbao-perf-standby': 'false',
    'openbao-sealed': String(node.sealed),
    'openbao-version': cluster.version,
  };
  if (canonical(labels) !== canonical(pod.metadata.labels))
    world.store.put(kinds.pods, { ...pod, metadata: { ...pod.metadata, labels } });
}

function labelAll(world: World, cluster: BaoCluster): void {
  for (const node of cluster.nodes.values()) label(world, cluster, node);
}

function unsealed(cluster: BaoCluster): readonly BaoNode[] {
  return [...cluster.nodes.values()].filter((node) => !node.sealed).sort((a, b) => (a.pod < b.pod ? -1 : 1));
}

/** Most peers have to be unsealed for a leader to be elected. */
function hasQuorum(cluster: BaoCluster): boolean {
  return unsealed(cluster).length > cluster.peers.size / 2;
}

function elect(world: World, cluster: BaoCluster, range: readonly [number, number]): void {
  if (cluster.leader !== undefined || cluster.electing || !hasQuorum(cluster)) return;
  cluster.electing = true;
  world.timeline.schedule(delay(world, range), () => {
    cluster.electing = false;
    if (cluster.leader !== undefined || !hasQuorum(cluster)) return;
    const candidates = unsealed(cluster);
    const current = candidates.filter((node) => world.timeline.now >= node.caughtUpAt);
    const eligible = current.filter((node) => node.pod !== cluster.steppedDown);
    const pool = eligible.length > 0 ? eligible : current.length > 0 ? current : candidates;
    cluster.leader = pool[world.random.integer(0, pool.length - 1)]?.pod;
    cluster.steppedDown = undefined;
    labelAll(world, cluster);
  });
}

/** Secret `openbao-server-unseal`, without which nothing unseals. */
function unsealKey(world: World, namespace: string): string | undefined {
  const secret = world.store.get<Thing & { data?: Record<string, string> }>(
    kinds.secrets,
    namespace,
    'openbao-server-unseal',
  );
  return secret?.data?.unseal_key;
}

/** Unseals a node, as `bao operator unseal` does. */
export function unseal(world: World, namespace: string, pod: string): boolean {
  const cluster = clusterOf(world, namespace);
  const node = cluster.nodes.get(pod);
  if (node === undefined || !node.sealed) return node !== undefined;
  node.sealed = false;
  node.lagsFrom = cluster.lastApplied.get(pod) ?? committedIndex(world) - 20;
  node.caughtUpAt = world.timeline.now + delay(world, CATCH_UP);
  cluster.peers.add(pod);
  label(world, cluster, node);
  elect(world, cluster, HANDOVER);
  return true;
}

/** Seals a node; the leadership goes to another one. */
export function seal(world: World, namespace: string, pod: string): void {
  const cluster = clusterOf(world, namespace);
  const node = cluster.nodes.get(pod);
  if (node === undefined || node.sealed) return;
  cluster.lastApplied.set(pod, appliedIndex(world, node));
  node.sealed = true;
  loseLeader(world, cluster, pod);
  label(world, cluster, node);
}

function loseLeader(world: World, cluster: BaoCluster, pod: string): void {
  const quorum = hasQuorum(cluster);
  if (cluster.leader === pod || (cluster.leader !== undefined && !quorum)) {
    cluster.leader = undefined;
    labelAll(world, cluster);
  }
  elect(world, cluster, ELECTION);
}

/** The sidecar's loop: one attempt per round, as long as the same server runs. */
function sidecar(world: World, given: { cluster: BaoCluster; node: BaoNode; wait: number }): void {
  const { cluster, node, wait } = given;
  world.timeline.schedule(wait, () => {
    if (cluster.nodes.get(node.pod) !== node || !node.sealed) return;
    if (unsealKey(world, cluster.namespace) !== undefined) unseal(world, cluster.namespace, node.pod);
    else sidecar(world, { cluster, node, wait: 70_000 });
  });
}

/** A server process came up: sealed, until its sidecar's next round. */
export function serverStarted(world: World, pod: Pod): void {
  if (pod.metadata.labels?.component !== 'server') return;
  const cluster = clusterOf(world, pod.metadata.namespace ?? '');
  const node: BaoNode = {
    pod: pod.metadata.name,
    uid: pod.metadata.uid,
    startedAt: world.timeline.now,
    sealed: true,
    caughtUpAt: 0,
    lagsFrom: 0,
  };
  cluster.nodes.set(node.pod, node);
  label(world, cluster, node);
  const attended = pod.spec.containers.some(({ name }) => name === 'auto-unseal-sidecar');
  if (attended) sidecar(world, { cluster, node, wait: delay(world, UNSEAL) });
}

/** A server process ended; its peers notice. */
export function serverStopped(world: World, pod: Pod): void {
  const cluster = world.openbao.get(pod.metadata.namespace ?? '');
  const node = cluster?.nodes.get(pod.metadata.name);
  if (cluster === undefined || node === undefined || node.uid !== pod.metadata.uid) return;
  cluster.lastApplied.set(
    node.pod,
    node.sealed ? (cluster.lastApplied.get(node.pod) ?? 0) : appliedIndex(world, node),
  );
  cluster.nodes.delete(node.pod);
  loseLeader(world, cluster, node.pod);
}

/** The active node gives up; another one takes over after a moment. */
export function stepDown(world: World, namespace: string, pod: string): void {
  const cluster = clusterOf(world, namespace);
  if (cluster.leader !== pod) return;
  cluster.leader = undefined;
  cluster.steppedDown = pod;
  labelAll(world, cluster);
  elect(world, cluster, HANDOVER);
}
