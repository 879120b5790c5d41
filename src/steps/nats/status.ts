import type { ReadStepType } from '../../engine/step-type.ts';
import type { NatsStatusOutputs, NatsStatusWith } from '../../generated/types.ts';
import type { NatsServer } from '../../services/nats.ts';
import { replacementOrder } from '../kubectl/replacement-order.ts';
import { targetProblems } from '../kubectl/target.ts';
import { type Asked, askEvery, natsAccess, natsResources } from './servers.ts';

type Outputs = NatsStatusOutputs;
type Pod = Outputs['pods'][number];

export const status: ReadStepType<NatsStatusWith, NatsStatusOutputs> = {
  type: 'nats.status',
  effect: 'read',
  timeout: 60_000,
  describe: (input) => `ask every NATS server in ${input.namespace} for its health, routes and meta leader`,
  resources: natsResources,
  access: natsAccess,
  check: targetProblems,

  async run(input, ctx) {
    const asked = await askEvery(ctx, input);
    const servers = asked.flatMap(({ server }) => server ?? []);
    const pods = asked.map((item) => podOf(item, servers));
    const size = Math.max(0, ...servers.map(({ meta }) => meta?.size ?? 0));
    const leader = agreedLeader(servers);
    const agreed = leader !== '' && servers.length === asked.length;
    const peers = peersOf(servers, leader);
    const pending = Math.max(0, ...servers.map(({ meta }) => meta?.pending ?? 0));
    const lag = Math.max(0, ...peers.map((peer) => peer.lag));
    const problems = [
      ...pods.map(trouble).filter((text) => text !== ''),
      ...groupTrouble({ pods: pods.length, silent: asked.length - servers.length, servers, size, leader }),
      ...peers
        .filter(({ current, offline }) => offline || !current)
        .map(({ name, offline }) =>
          offline
            ? `the meta leader says that ${name} is offline`
            : `the meta leader says that ${name} has not caught up`,
        ),
    ];
    const well = pods.filter((pod) => pod.healthy).length;
    return {
      pods,
      order: replacementOrder(pods.map(({ name }) => name)),
      count: pods.length,
      reachable: servers.length,
      size,
      leader,
      agreed,
      peers,
      pending,
      lag,
      healthy: problems.length === 0,
      problems,
      summary: `${well} of ${pods.length} healthy, ${leader === '' ? 'no agreed meta leader' : `${leader} leads`}, cluster of ${size}`,
    };
  },

  findings: ({ problems, pods }) => ({
    details: problems,
    ...(pods.some((pod) => !pod.reachable)
      ? {
          hint: 'What a silent server holds is unknown. Restart no other server meanwhile: streams in memory need most of their copies.',
        }
      : {}),
  }),
};

function podOf({ pod, server, error }: Asked, servers: readonly NatsServer[]): Pod {
  const routes = server?.routes ?? [];
  return {
    name: pod,
    server: server?.name ?? '',
    reachable: server !== undefined,
    error,
    healthy: server !== undefined && server.problem === '',
    problem: server?.problem ?? '',
    version: server?.version ?? '',
    routes: [...routes],
    missing: servers
      .map(({ name }) => name)
      .filter((name) => server !== undefined && name !== server.name && !routes.includes(name))
      .sort(),
    leader: server?.meta?.leader ?? '',
    leads: server?.meta !== undefined && server.meta.leader === server.name,
  };
}

/** The name that every server that answered gives; empty when one gives another, or none. */
function agreedLeader(servers: readonly NatsServer[]): string {
  const named = new Set(servers.map(({ meta }) => meta?.leader ?? ''));
  const [only = ''] = named;
  return named.size === 1 ? only : '';
}

/** What the leader says of the others; nobody else knows. */
function peersOf(servers: readonly NatsServer[], leader: string): Outputs['peers'] {
  const leading = servers.find(({ name }) => name === leader);
  return (leading?.meta?.peers ?? []).map((peer) => ({ ...peer, current: peer.current && !peer.offline }));
}

function trouble(pod: Pod): string {
  if (!pod.reachable) return `${pod.name} could not be asked: ${pod.error}`;
  if (pod.problem !== '') return `${pod.name} is not healthy: ${pod.problem}`;
  return pod.missing.length === 0 ? '' : `${pod.name} has no route to ${pod.missing.join(', ')}`;
}

function groupTrouble(seen: {
  readonly pods: number;
  readonly silent: number;
  readonly servers: readonly NatsServer[];
  readonly size: number;
  readonly leader: string;
}): readonly string[] {
  const { pods, silent, servers, size, leader } = seen;
  if (servers.length === 0) return [];
  if (servers.every(({ meta }) => meta === undefined)) return ['JetStream is off, or not clustered'];
  const views = servers.map(({ name, meta }) => `${name}: ${meta?.leader ?? 'none'}`).join(', ');
  return [
    ...(leader === '' ? [`the servers do not agree on a meta leader (${views})`] : []),
    ...(size === pods || silent > 0 ? [] : [`the cluster has ${size} members, but there are ${pods} pods`]),
  ];
}
