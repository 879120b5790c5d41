import { derivedInteger } from '../crypto/derive.ts';
import type { Pod } from '../objects.ts';
import type { World } from '../world.ts';
import type { NatsCluster, NatsNode, SimulatedStream } from './state.ts';

export const NATS_NAMESPACE = 'nats-system';
/** The streams that the Spot Instance Service made, with what lies in them: messages, and the last sequence. */
const SEEDED: Readonly<Record<string, readonly [messages: number, lastSequence: number]>> = {
  TerminateNvcaStream: [12, 4_812],
  CreateNvcaFunctionTaskStream: [3, 973],
};
const REPLICAS = 3;

/** Without a leader for this long, in milliseconds: shortest, and how much longer at the most. */
const ELECTION = [1_500, 2_500] as const;
/** From a server's start until the others know it, and until its copies have caught up. */
const JOIN = [400, 800] as const;
const CATCH_UP = [2_000, 4_000] as const;

/** The NATS of a namespace, made when first asked for. */
export function clusterOf(world: World, namespace: string): NatsCluster {
  const known = world.nats.get(namespace);
  if (known !== undefined) return known;
  const created: NatsCluster = {
    namespace,
    nodes: new Map(),
    members: new Set(),
    leader: undefined,
    electing: false,
    streams: new Map(),
  };
  world.nats.set(namespace, created);
  return created;
}

/** Servers that the others know by now, sorted. */
export function joined(world: World, cluster: NatsCluster): readonly NatsNode[] {
  return [...cluster.nodes.values()]
    .filter(({ joinedAt }) => joinedAt <= world.timeline.now)
    .sort((a, b) => (a.pod < b.pod ? -1 : 1));
}

export function hasQuorum(world: World, cluster: NatsCluster): boolean {
  return joined(world, cluster).length > cluster.members.size / 2;
}

export function isCurrent(world: World, stream: SimulatedStream, pod: string): boolean {
  const copy = stream.copies.get(pod);
  return copy !== undefined && copy.currentAt <= world.timeline.now;
}

/** What the leader of a stream says of a copy: one that led before the copy was lost believes that it has everything. */
export function seemsCurrent(world: World, stream: SimulatedStream, pod: string): boolean {
  const copy = stream.copies.get(pod);
  return copy !== undefined && (isCurrent(world, stream, pod) || stream.ledSince <= copy.since);
}

/** Random numbers of its own, so that the rest of a seed's world does not depend on them. */
function delay(world: World, range: readonly [number, number], ...label: readonly (string | number)[]) {
  return range[0] + derivedInteger(world.seed, range[1], 'nats', ...label);
}

function pick<T>(world: World, from: readonly T[], ...label: readonly (string | number)[]): T | undefined {
  return from[derivedInteger(world.seed, Math.max(1, from.length), 'nats', ...label)];
}

function electMeta(world: World, cluster: NatsCluster): void {
  if (cluster.leader !== undefined || cluster.electing) return;
  cluster.electing = true;
  const at = world.timeline.now;
  world.timeline.schedule(delay(world, ELECTION, 'meta', at), () => {
    cluster.electing = false;
    if (cluster.leader !== undefined || !hasQuorum(world, cluster)) return;
    cluster.leader = pick(world, joined(world, cluster), 'meta leader', at)?.pod;
  });
}

function electStream(world: World, cluster: NatsCluster, stream: SimulatedStream): void {
  if (stream.leader !== undefined || stream.electing) return;
  stream.electing = true;
  const at = world.timeline.now;
  world.timeline.schedule(delay(world, ELECTION, stream.name, at), () => {
    stream.electing = false;
    const present = joined(world, cluster).filter(({ pod }) => stream.copies.has(pod));
    if (stream.leader !== undefined || present.length <= REPLICAS / 2) return;
    const able = present.filter(({ pod }) => isCurrent(world, stream, pod));
    const leader = pick(world, able.length > 0 ? able : present, stream.name, at);
    if (leader === undefined) return;
    stream.leader = leader.pod;
    stream.ledSince = world.timeline.now;
    // Nobody has more than the leader: what only servers had that are gone is lost.
    const held = stream.copies.get(leader.pod);
    if (held !== undefined && held.currentAt > world.timeline.now) held.currentAt = world.timeline.now;
    for (const { pod } of present) if (pod !== leader.pod) follow(world, stream, pod);
  });
}

/** A copy gets what the leader has, a while after its server came up. */
function follow(world: World, stream: SimulatedStream, pod: string): void {
  const copy = stream.copies.get(pod);
  if (copy === undefined || isCurrent(world, stream, pod)) return;
  const { now } = world.timeline;
  copy.currentAt = now + delay(world, CATCH_UP, stream.name, pod, now);
  world.timeline.schedule(copy.currentAt - now, () => {
    const source = stream.leader === undefined ? undefined : stream.copies.get(stream.leader);
    if (stream.copies.get(pod) !== copy) return;
    if (source === undefined) {
      // The leader went away meanwhile; the next one sees to it.
      copy.currentAt = Number.POSITIVE_INFINITY;
      return;
    }
    copy.messages = source.messages;
    copy.lastSequence = source.lastSequence;
  });
}

function electAll(world: World, cluster: NatsCluster): void {
  electMeta(world, cluster);
  for (const stream of cluster.streams.values()) electStream(world, cluster, stream);
}

/** A server process came up: known to the others in a moment, its copies empty until they have caught up. */
export function serverStarted(world: World, pod: Pod): void {
  if (pod.metadata.labels?.['app.kubernetes.io/component'] !== 'nats') return;
  const cluster = clusterOf(world, pod.metadata.namespace ?? '');
  const { now } = world.timeline;
  const { name, uid } = pod.metadata;
  const join = delay(world, JOIN, name, now);
  const node: NatsNode = { pod: name, uid, startedAt: now, joinedAt: now + join };
  cluster.nodes.set(name, node);
  cluster.members.add(name);
  for (const stream of cluster.streams.values())
    stream.copies.set(name, {
      since: now,
      messages: 0,
      lastSequence: 0,
      currentAt: Number.POSITIVE_INFINITY,
    });
  world.timeline.schedule(join, () => {
    if (cluster.nodes.get(name) !== node) return;
    electAll(world, cluster);
    for (const stream of cluster.streams.values())
      if (stream.leader !== undefined) follow(world, stream, name);
  });
}

/** A server process ended, and its copies with it. With the last server goes everything. */
export function serverStopped(world: World, pod: Pod): void {
  const cluster = world.nats.get(pod.metadata.namespace ?? '');
  const { name, uid } = pod.metadata;
  if (cluster?.nodes.get(name)?.uid !== uid) return;
  cluster.nodes.delete(name);
  if (cluster.nodes.size === 0) {
    cluster.streams.clear();
    cluster.members.clear();
  }
  if (cluster.leader === name || !hasQuorum(world, cluster)) cluster.leader = undefined;
  for (const stream of cluster.streams.values()) {
    stream.copies.delete(name);
    if (stream.leader === name || stream.copies.size <= REPLICAS / 2) stream.leader = undefined;
  }
  electAll(world, cluster);
}

/** Makes the streams of a control plane that has run for a day. */
export function seedStreams(world: World): void {
  const cluster = clusterOf(world, NATS_NAMESPACE);
  const createdAt = world.epoch - 20 * 3_600_000;
  const pods = joined(world, cluster).map(({ pod }) => pod);
  for (const [name, [messages, lastSequence]] of Object.entries(SEEDED)) {
    const copies = new Map(
      pods.map((pod) => [pod, { since: createdAt, messages, lastSequence, currentAt: createdAt }]),
    );
    const leader = pick(world, pods, name, 'seed');
    cluster.streams.set(name, { name, createdAt, leader, ledSince: createdAt, electing: false, copies });
  }
}

/** Somebody deletes a stream, or it never was there. */
export function dropStream(world: World, name: string): boolean {
  return clusterOf(world, NATS_NAMESPACE).streams.delete(name);
}

/** The meta group loses its leader and elects none for so long: a network that carries clients but not the group. */
export function dropLeader(world: World, duration: number): void {
  const cluster = clusterOf(world, NATS_NAMESPACE);
  cluster.leader = undefined;
  cluster.electing = true;
  world.timeline.schedule(duration, () => {
    cluster.electing = false;
    electMeta(world, cluster);
  });
}
