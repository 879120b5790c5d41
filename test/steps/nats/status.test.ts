import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import { status } from '../../../src/steps/nats/status.ts';
import { type Answer, names, peer, rigOf, server, silent, target } from './servers-rig.ts';

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
