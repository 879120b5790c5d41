import { describe, expect, test } from 'vitest';
import { status } from '../../../src/steps/cassandra/status.ts';
import {
  clusterText,
  hosts,
  nodetoolRig,
  oneUnreachable,
  silent,
  statusText,
  twoSchemas,
} from '../../fakes/nodetool.ts';
import { putPod } from '../../fakes/rollout-objects.ts';

const input = { namespace: 'cassandra-system', selector: 'app=cassandra' };

describe('cassandra.status', () => {
  test('asks every node, and finds one ring in all answers', async () => {
    const { ctx, ran } = nodetoolRig();
    const outputs = await status.run(input, ctx);
    expect(outputs).toMatchObject({
      name: 'cassandra',
      count: 3,
      reachable: 3,
      up: 3,
      agreed: true,
      disagreements: [],
      schemaAgreed: true,
      schemaVersions: ['38b60d78-da2b-3ee7-87a8-99812cebb257'],
      spare: 1,
      quorum: true,
      healthy: true,
      summary: '3 of 3 nodes up, all views agree, one schema, 1 to spare for LOCAL_QUORUM',
    });
    expect(outputs.nodes.map(({ pod, state, hostId, owns }) => [pod, state, hostId, owns])).toEqual(
      [0, 1, 2].map((at) => [`cassandra-${at}`, 'UN', hosts[at], '100.0%']),
    );
    expect(outputs.pods.map(({ name, ordinal }) => [name, ordinal])).toEqual([
      ['cassandra-0', 0],
      ['cassandra-1', 1],
      ['cassandra-2', 2],
    ]);
    expect(outputs.order).toEqual([
      { pod: 'cassandra-2', release: 2, hold: 3 },
      { pod: 'cassandra-1', release: 1, hold: 2 },
      { pod: 'cassandra-0', release: 0, hold: 1 },
    ]);
    expect(ran.sort()).toEqual(
      [0, 1, 2].flatMap((at) => [`cassandra-${at} describecluster`, `cassandra-${at} status`]),
    );
  });

  test('a drained node calls itself up, and its neighbours know better', async () => {
    const { ctx, said } = nodetoolRig();
    for (const pod of ['cassandra-0', 'cassandra-1']) said.set(`${pod} status`, statusText({ 2: 'DN' }));
    const outputs = await status.run(input, ctx);
    expect(outputs).toMatchObject({ healthy: false, agreed: false, up: 2, spare: 0, quorum: true });
    expect(outputs.nodes[2]).toMatchObject({ pod: 'cassandra-2', state: 'DN' });
    const { details } = status.findings?.(outputs) ?? { details: [] };
    expect(details).toContain('cassandra-2 (10.88.1.21) is down (DN)');
    expect(details).toContain('cassandra-2: cassandra-0 says DN, cassandra-1 says DN, cassandra-2 says UN');
  });

  test('a node that cannot be asked is unknown: unhealthy, and not counted on', async () => {
    const { ctx, said } = nodetoolRig();
    said.set('cassandra-1 status', silent);
    const outputs = await status.run(input, ctx);
    expect(outputs).toMatchObject({ healthy: false, agreed: false, reachable: 2, up: 3, spare: 0 });
    expect(outputs.pods[1]).toMatchObject({ reachable: false, error: expect.stringContaining('not found') });
    expect(outputs.summary).toContain('1 of 3 pods did not answer');
  });

  test('one that says nothing for long is not waited for', async () => {
    const { ctx, cluster, clock } = nodetoolRig();
    const { execRead } = cluster;
    cluster.execRead = (request) =>
      request.pod === 'cassandra-2' ? new Promise(() => undefined) : execRead.call(cluster, request);
    const run = status.run(input, ctx);
    await clock.advance(100_001);
    expect((await run).pods.map(({ error }) => error)).toEqual(['', '', 'no answer within 100 s']);
  });

  test.each([
    ['an exit code', { exitCode: 1, stdout: '', stderr: "nodetool: Failed to connect to '127.0.0.1:7199'" }],
    ['nothing', ''],
    ['half a line', statusText().slice(0, 260)],
    ['another language', 'Centre de données: ncp\n'],
  ])('%s from nodetool is no ring', async (_, answer) => {
    const { ctx, said } = nodetoolRig();
    said.set('cassandra-0 status', answer);
    expect(await status.run(input, ctx)).toMatchObject({ healthy: false, reachable: 2 });
  });

  test.each([
    ['a node that is down', statusText({ 2: 'DN' }), clusterText({ versions: oneUnreachable }), 0],
    ['two nodes down', statusText({ 1: 'DN', 2: 'DN' }), clusterText(), -1],
    ['a node that joins', statusText({ 2: 'UJ' }), clusterText(), 0],
    ['two schemas', statusText(), clusterText({ versions: twoSchemas }), 1],
    ['a node that nobody reached for its schema', statusText(), clusterText({ versions: oneUnreachable }), 1],
  ])('%s makes the ring unhealthy in everybody’s view', async (_, ring, cluster, spare) => {
    const { ctx, said } = nodetoolRig();
    said.set('status', ring);
    said.set('describecluster', cluster);
    expect(await status.run(input, ctx)).toMatchObject({ healthy: false, spare, quorum: spare >= 0 });
  });

  test('with one copy of each row no node may go', async () => {
    const { ctx, said } = nodetoolRig();
    said.set('describecluster', clusterText({ copies: 1 }));
    expect(await status.run(input, ctx)).toMatchObject({ healthy: true, spare: 0 });
    said.set('describecluster', clusterText({ copies: 5 }));
    expect(await status.run(input, ctx)).toMatchObject({ spare: 0 });
  });

  test('a member without a pod, and a pod that is no member, make it unhealthy', async () => {
    const { ctx, cluster } = nodetoolRig();
    putPod(cluster, {
      name: 'cassandra-2',
      namespace: 'cassandra-system',
      labels: { app: 'cassandra' },
      status: { podIP: '10.88.1.99' },
      containers: ['cassandra'],
    });
    const outputs = await status.run(input, ctx);
    expect(outputs).toMatchObject({ healthy: false, agreed: false });
    expect(outputs.disagreements).toEqual(["cassandra-2 (10.88.1.99) is in nobody's ring"]);
    expect(outputs.nodes.at(-1)).toMatchObject({ pod: '', address: '10.88.1.21' });
  });

  test('Jobs with the labels of the database are no nodes, and no pod at all is an error', async () => {
    const { ctx, cluster } = nodetoolRig();
    putPod(cluster, {
      name: 'cassandra-migrations-x',
      namespace: 'cassandra-system',
      labels: { app: 'cassandra' },
      owner: { kind: 'Job', name: 'cassandra-migrations', uid: 'j' },
    });
    expect(await status.run(input, ctx)).toMatchObject({ count: 3, healthy: true });
    await expect(status.run({ ...input, selector: 'app=other' }, ctx)).rejects.toMatchObject({
      code: 'no-match',
      outcome: 'not-applied',
    });
  });

  test('refuses a target before it asks anybody', async () => {
    const { ctx, ran } = nodetoolRig();
    for (const wrong of [{ namespace: '' }, { selector: ' ' }, { selector: '--all' }, { container: ' ' }])
      await expect(status.run({ ...input, ...wrong }, ctx)).rejects.toMatchObject({ code: 'invalid-target' });
    expect(ran).toEqual([]);
  });
});
