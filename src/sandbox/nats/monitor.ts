import { type Pod, timestamp } from '../objects.ts';
import type { PodAnswer } from '../pod-port.ts';
import { nameHash } from '../random.ts';
import type { World } from '../world.ts';
import { clusterOf, isCurrent, joined, seemsCurrent } from './cluster.ts';
import type { NatsCluster, NatsNode, SimulatedStream } from './state.ts';

const VERSION = '2.11.17';
/** Routes to each other server: three for everybody, and one for the system account. */
const ROUTES_EACH = 4;

interface Asked {
  readonly world: World;
  readonly cluster: NatsCluster;
  readonly node: NatsNode;
}

function json(status: number, value: unknown): PodAnswer {
  return { status, type: 'application/json', body: JSON.stringify(value) };
}

function serverId(world: World, pod: string): string {
  return `N${nameHash(`${world.seed} ${pod}`).toUpperCase()}`;
}

function hasJoined({ world, node }: Asked): boolean {
  return node.joinedAt <= world.timeline.now;
}

function others(asked: Asked): readonly NatsNode[] {
  if (!hasJoined(asked)) return [];
  return joined(asked.world, asked.cluster).filter(({ pod }) => pod !== asked.node.pod);
}

/** A server that has not joined yet knows no leader. */
function leaderFor(asked: Asked, leader: string | undefined): { readonly leader?: string } {
  return leader === undefined || !hasJoined(asked) ? {} : { leader };
}

function metaFor(asked: Asked) {
  const { cluster, node } = asked;
  const { leader } = leaderFor(asked, cluster.leader);
  const present = new Set(others(asked).map(({ pod }) => pod));
  const replicas = [...cluster.members]
    .filter((name) => name !== node.pod)
    .sort()
    .map((name) => ({
      name,
      current: present.has(name),
      ...(present.has(name) ? {} : { offline: true }),
      active: 120_000_000,
    }));
  return {
    name: 'nats',
    ...leaderFor(asked, cluster.leader),
    ...(leader === node.pod ? { replicas } : {}),
    cluster_size: Math.max(3, cluster.members.size),
    pending: 0,
  };
}

/** Only the leader knows who is current; a follower believes it of the leader alone. */
function streamFor(asked: Asked, stream: SimulatedStream) {
  const { world, cluster, node } = asked;
  const { leader } = leaderFor(asked, stream.leader);
  const copy = stream.copies.get(node.pod);
  const leads = leader === node.pod;
  const replicas = [...cluster.members]
    .filter((name) => name !== node.pod)
    .sort()
    .map((name) => {
      const online = cluster.nodes.has(name);
      const current = leads ? seemsCurrent(world, stream, name) : name === leader;
      return {
        name,
        current,
        ...(online ? {} : { offline: true }),
        active: 120_000_000,
        ...(current && leads ? {} : { lag: 4 }),
      };
    });
  return {
    name: stream.name,
    created: timestamp(stream.createdAt),
    cluster: {
      name: 'nats',
      raft_group: `S-R3M-${stream.name}`,
      ...leaderFor(asked, stream.leader),
      replicas,
    },
    config: { name: stream.name, retention: 'workqueue', storage: 'memory', num_replicas: 3 },
    state: {
      messages: copy?.messages ?? 0,
      bytes: (copy?.messages ?? 0) * 310,
      last_seq: copy?.lastSequence ?? 0,
      consumer_count: 2,
    },
  };
}

function streamsOf({ cluster, node }: Asked): readonly SimulatedStream[] {
  return [...cluster.streams.values()].filter(({ copies }) => copies.has(node.pod));
}

function unhealthy(asked: Asked): string | undefined {
  const { world, cluster, node } = asked;
  if (!hasJoined(asked) || cluster.leader === undefined)
    return 'JetStream has not established contact with a meta leader';
  const late = streamsOf(asked).find((stream) => !isCurrent(world, stream, node.pod));
  return late === undefined ? undefined : `JetStream stream 'APP > ${late.name}' is not current`;
}

function health(asked: Asked, query: URLSearchParams): PodAnswer {
  const lenient = query.has('js-server-only') || query.has('js-enabled-only');
  const error = lenient ? undefined : unhealthy(asked);
  return error === undefined
    ? json(200, { status: 'ok' })
    : json(503, { status: 'unavailable', status_code: 503, error });
}

function routes(asked: Asked) {
  const all = others(asked).flatMap(({ pod }) =>
    Array.from({ length: ROUTES_EACH }, (_, index) => ({
      rid: index + 1,
      remote_id: serverId(asked.world, pod),
      remote_name: pod,
    })),
  );
  return { server_name: asked.node.pod, num_routes: all.length, routes: all };
}

/** What a simulated NATS server answers on its monitoring port; undefined for what it does not serve. */
export function answerNats(world: World, pod: Pod, url: string): PodAnswer | undefined {
  const cluster = clusterOf(world, pod.metadata.namespace ?? '');
  const node = cluster.nodes.get(pod.metadata.name);
  if (node === undefined) return undefined;
  const asked = { world, cluster, node };
  const { pathname, searchParams } = new URL(url, 'http://pod');
  switch (pathname) {
    case '/healthz':
      return health(asked, searchParams);
    case '/varz':
      return json(200, {
        server_id: serverId(world, node.pod),
        server_name: node.pod,
        version: VERSION,
        start: timestamp(node.startedAt),
        tags: ['dc:ncp'],
      });
    case '/routez':
      return json(200, routes(asked));
    case '/jsz': {
      const streams = streamsOf(asked).map((stream) => streamFor(asked, stream));
      return json(200, {
        server_id: serverId(world, node.pod),
        streams: streams.length,
        messages: streams.reduce((sum, { state }) => sum + state.messages, 0),
        meta_cluster: metaFor(asked),
        account_details: streams.length === 0 ? [] : [{ name: 'APP', id: 'APP', stream_detail: streams }],
      });
    }
    default:
      return undefined;
  }
}
