import { kinds } from '../../../src/services/kubernetes.ts';
import {
  NatsError,
  type NatsPeer,
  type NatsPod,
  type NatsReader,
  type NatsServer,
  type NatsStream,
} from '../../../src/services/nats.ts';
import { stepRig } from '../../fakes/step-context.ts';

export const target = { namespace: 'nats-system', selector: 'app=nats' };
export const names = ['nats-0', 'nats-1', 'nats-2'];
export const expected: [string, ...string[]] = ['TerminateNvcaStream'];

export function peer(name: string, change: Partial<NatsPeer> = {}): NatsPeer {
  return { name, current: true, offline: false, lag: 0, ...change };
}

/** One of three that are as they should be: nats-0 leads the meta group, nats-1 the stream. */
export function server(name: string, change: Partial<NatsServer> = {}): NatsServer {
  const others = names.filter((other) => other !== name);
  const stream: NatsStream = {
    account: 'APP',
    name: 'TerminateNvcaStream',
    created: '2027-01-01T00:00:00Z',
    storage: 'memory',
    replicas: 3,
    leader: 'nats-1',
    // A follower knows nothing of other followers.
    peers: others.map((other) => peer(other, { current: name === 'nats-1' || other === 'nats-1' })),
    messages: 12,
    bytes: 480,
    lastSequence: 40,
  };
  return {
    pod: name,
    name,
    version: '2.11.17',
    problem: '',
    routes: others,
    meta: {
      leader: 'nats-0',
      size: 3,
      pending: 0,
      peers: name === 'nats-0' ? others.map((p) => peer(p)) : [],
    },
    streams: [stream],
    ...change,
  };
}

export type Answer = NatsServer | Error | 'hangs';

/** A step's world in which every pod gives its answers one after the other, the last one again and again. */
export function rigOf(answers: Readonly<Record<string, Answer | readonly Answer[]>> = {}) {
  const left = new Map<string, Answer[]>();
  for (const name of names) {
    const given = answers[name] ?? server(name);
    left.set(name, Array.isArray(given) ? [...given] : [given as Answer]);
  }
  const asked: NatsPod[] = [];
  const nats: NatsReader = {
    server: async (at, signal) => {
      asked.push(at);
      const queue = left.get(at.pod) ?? [];
      const answer = queue.length > 1 ? queue.shift() : queue[0];
      if (answer === 'hangs')
        return await new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new NatsError('stopped', { retryable: true })));
        });
      if (answer === undefined || answer instanceof Error) throw answer ?? new Error('nobody');
      return answer;
    },
  };
  const rig = stepRig({ nats });
  for (const name of names)
    rig.cluster.put(kinds.pods, {
      metadata: { name, namespace: 'nats-system', labels: { app: 'nats' } },
      status: { phase: 'Running' },
    });
  return { ...rig, asked };
}

export const silent = new NatsError('No answer to GET http://nats-2:8222/varz: refused', { retryable: true });

export function streamOf(from: NatsServer, change: Partial<NatsStream>): NatsServer {
  return { ...from, streams: from.streams.map((stream) => ({ ...stream, ...change })) };
}
