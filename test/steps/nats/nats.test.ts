import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import {
  NatsError,
  type NatsPeer,
  type NatsPod,
  type NatsReader,
  type NatsServer,
  type NatsStream,
} from '../../../src/services/nats.ts';
import { status } from '../../../src/steps/nats/status.ts';
import { streams } from '../../../src/steps/nats/streams.ts';
import { stepRig } from '../../fakes/step-context.ts';

const target = { namespace: 'nats-system', selector: 'app=nats' };
const names = ['nats-0', 'nats-1', 'nats-2'];
const expected: [string, ...string[]] = ['TerminateNvcaStream'];

function peer(name: string, change: Partial<NatsPeer> = {}): NatsPeer {
  return { name, current: true, offline: false, lag: 0, ...change };
}

/** One of three that are as they should be: nats-0 leads the meta group, nats-1 the stream. */
function server(name: string, change: Partial<NatsServer> = {}): NatsServer {
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

type Answer = NatsServer | Error | 'hangs';

/** A step's world in which every pod gives its answers one after the other, the last one again and again. */
function rigOf(answers: Readonly<Record<string, Answer | readonly Answer[]>> = {}) {
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

const silent = new NatsError('No answer to GET http://nats-2:8222/varz: refused', { retryable: true });

function streamOf(from: NatsServer, change: Partial<NatsStream>): NatsServer {
  return { ...from, streams: from.streams.map((stream) => ({ ...stream, ...change })) };
}

describe('nats.status', () => {
  test('three servers that are connected and agree are healthy', async () => {
    const { ctx, asked } = rigOf();
    const outputs = await status.run({ ...target, port: 8223 }, ctx);
    expect(outputs).toMatchObject({
      count: 3,
      reachable: 3,
      size: 3,
      leader: 'nats-0',
      agreed: true,
      pending: 0,
      lag: 0,
      healthy: true,
      problems: [],
      summary: '3 of 3 healthy, nats-0 leads, cluster of 3',
    });
    expect(outputs.peers.map(({ name, current }) => [name, current])).toEqual([
      ['nats-1', true],
      ['nats-2', true],
    ]);
    expect(outputs.pods.map(({ name, leads }) => [name, leads])).toEqual([
      ['nats-0', true],
      ['nats-1', false],
      ['nats-2', false],
    ]);
    expect(asked.map(({ port }) => port)).toEqual([8223, 8223, 8223]);
  });

  test.each<readonly [string, Readonly<Record<string, Answer>>, readonly string[]]>([
    ['a silent one', { 'nats-2': silent }, [`nats-2 could not be asked: ${silent.message}`]],
    ['one that hangs', { 'nats-2': 'hangs' }, ['nats-2 could not be asked: no answer within 10 s']],
    [
      'one that is not healthy',
      { 'nats-1': server('nats-1', { problem: 'JetStream is not current with the meta leader' }) },
      ['nats-1 is not healthy: JetStream is not current with the meta leader'],
    ],
    [
      'a route that is missing',
      { 'nats-1': server('nats-1', { routes: ['nats-0'] }) },
      ['nats-1 has no route to nats-2'],
    ],
    [
      'another leader',
      { 'nats-2': server('nats-2', { meta: { leader: 'nats-2', size: 3, pending: 0, peers: [] } }) },
      ['the servers do not agree on a meta leader (nats-0: nats-0, nats-1: nats-0, nats-2: nats-2)'],
    ],
    [
      'a member that the leader has lost, although it calls it current',
      {
        'nats-0': server('nats-0', {
          meta: {
            leader: 'nats-0',
            size: 3,
            pending: 0,
            peers: [peer('nats-1'), peer('nats-2', { offline: true })],
          },
        }),
      },
      ['the meta leader says that nats-2 is offline'],
    ],
    [
      'a member that is behind',
      {
        'nats-0': server('nats-0', {
          meta: {
            leader: 'nats-0',
            size: 3,
            pending: 0,
            peers: [peer('nats-1', { current: false, lag: 9 }), peer('nats-2')],
          },
        }),
      },
      ['the meta leader says that nats-1 has not caught up'],
    ],
    [
      'no JetStream',
      Object.fromEntries(names.map((name) => [name, server(name, { meta: undefined, streams: [] })])),
      ['JetStream is off, or not clustered'],
    ],
  ])('%s is not healthy, and said', async (_, answers, problems) => {
    const { ctx, clock } = rigOf(answers);
    const running = status.run(target, ctx);
    await clock.advance(10_000);
    const outputs = await running;
    expect(outputs.healthy).toBe(false);
    expect(outputs.problems).toEqual(problems);
    expect(status.findings?.(outputs).details).toEqual(problems);
  });

  test('what no server says is not known: nobody leads when nobody answers', async () => {
    const outputs = await status.run(target, rigOf(Object.fromEntries(names.map((n) => [n, silent]))).ctx);
    expect(outputs).toMatchObject({ reachable: 0, size: 0, leader: '', agreed: false, healthy: false });
    expect(outputs.summary).toBe('0 of 3 healthy, no agreed meta leader, cluster of 0');
    expect(status.findings?.(outputs).hint).toContain('unknown');
  });

  test('a member without a pod is missed', async () => {
    const five = (name: string) =>
      server(name, { meta: { leader: 'nats-0', size: 5, pending: 0, peers: [] } });
    const { ctx } = rigOf(Object.fromEntries(names.map((name) => [name, five(name)])));
    expect((await status.run(target, ctx)).problems).toEqual([
      'the cluster has 5 members, but there are 3 pods',
    ]);
  });

  test('a pod on its way out is not asked', async () => {
    const { ctx, cluster, asked } = rigOf();
    cluster.put(kinds.pods, {
      metadata: {
        name: 'nats-2',
        namespace: 'nats-system',
        labels: { app: 'nats' },
        deletionTimestamp: '2027-01-01T00:00:00Z',
      },
    });
    const outputs = await status.run(target, ctx);
    expect(outputs.problems).toContain('nats-2 could not be asked: it is being deleted');
    expect(asked.map(({ pod }) => pod)).toEqual(['nats-0', 'nats-1']);
  });

  test('a selector that matches nothing is an error', async () => {
    const { ctx } = rigOf();
    await expect(status.run({ ...target, selector: 'app=other' }, ctx)).rejects.toMatchObject({
      code: 'namespace-not-found',
    });
  });
});

describe('nats.streams', () => {
  const run = async (answers: Readonly<Record<string, Answer | readonly Answer[]>>, expect = expected) => {
    const { ctx, clock, asked } = rigOf(answers);
    const running = streams.run({ ...target, expect }, ctx);
    await clock.advance(500);
    await clock.advance(10_000);
    return { outputs: await running, asked: asked.length };
  };

  test('a stream with all its copies is complete', async () => {
    const { outputs, asked } = await run({});
    expect(outputs).toMatchObject({
      known: true,
      complete: true,
      missing: [],
      unknown: [],
      messages: 12,
      summary: 'TerminateNvcaStream 12 messages on 3 of 3',
    });
    expect(outputs.streams).toEqual([
      {
        account: 'APP',
        name: 'TerminateNvcaStream',
        created: '2027-01-01T00:00:00Z',
        leader: 'nats-1',
        storage: 'memory',
        replicas: 3,
        current: 3,
        messages: 12,
        bytes: 480,
        lastSequence: 40,
        complete: true,
        problem: '',
      },
    ]);
    expect(asked).toBe(3);
  });

  test('a copy that is empty does not count, although its leader believes in it', async () => {
    const empty = streamOf(server('nats-2'), { messages: 0, lastSequence: 0 });
    const { outputs } = await run({ 'nats-2': empty });
    expect(outputs.complete).toBe(false);
    expect(outputs.streams[0]).toMatchObject({
      current: 2,
      complete: false,
      problem: '2 of 3 copies are current; not on nats-2',
    });
  });

  test('a copy that was only asked a moment too early counts', async () => {
    const early = streamOf(server('nats-2'), { messages: 11, lastSequence: 39 });
    const { outputs, asked } = await run({ 'nats-2': [early, server('nats-2')] });
    expect(outputs.complete).toBe(true);
    expect(asked).toBe(4);
  });

  test.each([
    ['is offline', { offline: true }],
    ['is not current', { current: false }],
  ])('a copy of which the leader says that it %s does not count', async (_, change) => {
    const leader = streamOf(server('nats-1'), { peers: [peer('nats-0'), peer('nats-2', change)] });
    const { outputs } = await run({ 'nats-1': leader });
    expect(outputs.streams[0]?.problem).toBe('2 of 3 copies are current; not on nats-2');
  });

  test('a copy of a stream that was made at another time does not count', async () => {
    const other = streamOf(server('nats-2'), { created: '2027-02-02T00:00:00Z' });
    expect((await run({ 'nats-2': other })).outputs.complete).toBe(false);
  });

  test('without a leader nothing is current', async () => {
    const leaderless = names.map((name) => [name, streamOf(server(name), { leader: undefined })]);
    const { outputs } = await run(Object.fromEntries(leaderless));
    expect(outputs.streams[0]).toMatchObject({
      leader: '',
      current: 0,
      complete: false,
      problem: 'no server that answered leads it',
    });
  });

  test('a stream that no server has is missing, and the way out is said', async () => {
    const { outputs } = await run({}, ['CreateNvcaFunctionTaskStream', ...expected]);
    expect(outputs).toMatchObject({
      missing: ['CreateNvcaFunctionTaskStream'],
      unknown: [],
      complete: false,
    });
    const { details, hint } = streams.findings?.(outputs) ?? { details: [] };
    expect(details).toEqual(['stream CreateNvcaFunctionTaskStream does not exist']);
    expect(hint).toContain('NATS_RECONNECT_ALLOWED=true');
  });

  test('while a server is silent it is unknown instead: that one may have it', async () => {
    const { outputs } = await run({ 'nats-2': silent }, ['CreateNvcaFunctionTaskStream', ...expected]);
    expect(outputs).toMatchObject({
      known: false,
      missing: [],
      unknown: ['CreateNvcaFunctionTaskStream'],
      complete: false,
    });
    expect(streams.findings?.(outputs).details).toEqual([
      'whether stream CreateNvcaFunctionTaskStream exists is unknown',
      `not asked: nats-2: ${silent.message}`,
      'stream TerminateNvcaStream: 2 of 3 copies are current',
    ]);
  });

  test('a server that falls silent at the second look is not known any more', async () => {
    const early = streamOf(server('nats-2'), { lastSequence: 1 });
    expect((await run({ 'nats-2': [early, silent] })).outputs.known).toBe(false);
  });
});
