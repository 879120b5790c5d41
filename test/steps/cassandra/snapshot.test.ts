import { describe, expect, test } from 'vitest';
import type { ExecRequest, ExecResult } from '../../../src/services/kubernetes.ts';
import { snapshot } from '../../../src/steps/cassandra/snapshot.ts';
import { nodetoolRig } from '../../fakes/nodetool.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';

const input = { namespace: 'cassandra-system', selector: 'app=cassandra', tag: 'before' };
const tables = ['ess_api namespaces', 'system paxos'];

/** Nodes that hold snapshots; a test may break a call of nodetool by pod and command. */
function snapshotRig() {
  const made = nodetoolRig();
  const held = new Map<string, string[]>();
  const broken = new Map<string, 'fails' | 'lost' | 'cut'>();
  const changes: string[] = [];
  const text = (pod: string) => {
    const lines = (held.get(pod) ?? []).map(
      (line) => `${line.padEnd(40)} 110 bytes 1.5 KiB      2026-11-24T18:36:57.503Z                `,
    );
    if (lines.length === 0) return 'Snapshot Details: \nThere are no snapshots\n';
    const head =
      'Snapshot name Keyspace name      Column family name                      True size Size on disk Creation time            Expiration time';
    return ['Snapshot Details: ', head, ...lines, '', 'Total TrueDiskSpaceUsed: 0 bytes', ''].join('\n');
  };
  made.cluster.hooks.exec = ({ pod, command }: ExecRequest): ExecResult => {
    const [, word = '', , tag = ''] = command;
    if (word === 'listsnapshots') return { exitCode: 0, stdout: text(pod), stderr: '' };
    changes.push(`${pod} ${command.slice(1).join(' ')}`);
    const how = broken.get(`${pod} ${word}`);
    broken.delete(`${pod} ${word}`);
    if (how === 'fails') return { exitCode: 2, stdout: '', stderr: 'error: No space left on device\n' };
    const mine = held.get(pod) ?? [];
    if (word === 'clearsnapshot')
      held.set(
        pod,
        mine.filter((line) => !line.startsWith(`${tag} `)),
      );
    if (word === 'snapshot') {
      if (mine.some((line) => line.startsWith(`${tag} `)))
        return { exitCode: 2, stdout: '', stderr: `error: Snapshot ${tag} already exists.\n` };
      const taken = how === 'cut' ? tables.slice(0, 1) : tables;
      held.set(pod, [...mine, ...taken.map((table) => `${tag} ${table}`)]);
    }
    if (how !== undefined) throw failure(undefined, 'Unreachable', 'the connection ended');
    return { exitCode: 0, stdout: '', stderr: '' };
  };
  return { ...made, held, broken, changes };
}

async function captured(given = input) {
  const made = snapshotRig();
  const before = await snapshot.capture(given, made.ctx);
  return { ...made, look: () => snapshot.observe(given, before, made.ctx) };
}

describe('cassandra.snapshot', () => {
  test('takes one on every node, and tells what each holds', async () => {
    const { ctx, changes, look } = await captured();
    expect(await look()).toMatchObject({ state: 'not-applied' });
    const outputs = await snapshot.run(input, ctx);
    expect(outputs).toEqual({
      tag: 'before',
      nodes: [0, 1, 2].map((at) => ({ pod: `cassandra-${at}`, tables: 2, bytes: 3072 })),
      count: 3,
      bytes: 9216,
      summary: 'snapshot before on 3 nodes, 2 tables each, 9.0 KiB in all; it lies on the disks of the nodes',
    });
    expect(changes.sort()).toEqual([0, 1, 2].map((at) => `cassandra-${at} snapshot -t before`));
    expect(await look()).toMatchObject({ state: 'applied', outputs });
  });

  test('is named by the operation where nobody named it, and takes the keyspaces that were asked for', async () => {
    const { tag: _, ...unnamed } = input;
    const { ctx, changes } = snapshotRig();
    await snapshot.run({ ...unnamed, keyspaces: ['ess_api'] }, ctx);
    expect(changes[0]).toBe('cassandra-0 snapshot -t op-1 -- ess_api');
  });

  test('never takes the place of one that is there', async () => {
    const { ctx, held, changes, look } = await captured();
    held.set('cassandra-1', ['before ess_api namespaces', 'before system paxos']);
    for (const call of [snapshot.predict, snapshot.capture, snapshot.run])
      await expect(call(input, ctx)).rejects.toMatchObject({
        code: 'tag-exists',
        outcome: 'not-applied',
        message: expect.stringContaining('cassandra-1'),
      });
    expect(changes).toEqual([]);
    expect(await look()).toMatchObject({
      state: 'conflict',
      evidence: expect.stringContaining('cassandra-1'),
    });
  });

  test.each(['lost', 'cut'] as const)(
    'an answer that was %s leaves a part, which a second run makes whole',
    async (how) => {
      const { ctx, broken, held, look } = await captured();
      broken.set('cassandra-2 snapshot', how);
      await expect(snapshot.run(input, ctx)).rejects.toMatchObject({
        code: 'snapshot-failed',
        retryable: true,
        message: expect.stringContaining('cassandra-2'),
      });
      expect(await look()).toMatchObject(
        // All tables are there where only the answer was lost: its neighbours prove it.
        how === 'lost' ? { state: 'applied' } : { state: 'not-applied', partial: true },
      );
      await snapshot.run(input, ctx);
      expect(held.get('cassandra-2')).toEqual(['before ess_api namespaces', 'before system paxos']);
      expect(await look()).toMatchObject({ state: 'applied' });
    },
  );

  test('one that was cut off everywhere is not taken for a whole one', async () => {
    const { ctx, broken, look } = await captured();
    for (const at of [0, 1, 2]) broken.set(`cassandra-${at} snapshot`, 'cut');
    await expect(snapshot.run(input, ctx)).rejects.toMatchObject({ code: 'snapshot-failed' });
    expect(await look()).toMatchObject({ state: 'not-applied', partial: true });
    await snapshot.run(input, ctx);
    expect(await look()).toMatchObject({ state: 'applied' });
  });

  test('a full disk is told with its node', async () => {
    const { ctx, broken, look } = await captured();
    broken.set('cassandra-0 snapshot', 'fails');
    await expect(snapshot.run(input, ctx)).rejects.toMatchObject({
      details: [expect.stringContaining('No space left on device')],
    });
    expect(await look()).toMatchObject({ state: 'not-applied', partial: true });
  });

  test('a node that cannot be asked stops it before anything is taken, and leaves the rest unknown', async () => {
    const { ctx, cluster, changes, look } = await captured();
    const { exec } = cluster.hooks;
    cluster.hooks.exec = (request) => {
      if (request.pod === 'cassandra-1') throw failure(403, 'Forbidden', 'no exec for you');
      return exec?.(request) ?? { exitCode: 0, stdout: '', stderr: '' };
    };
    await expect(snapshot.run(input, ctx)).rejects.toMatchObject({
      code: 'node-unreachable',
      outcome: 'not-applied',
    });
    expect(changes).toEqual([]);
    await expect(look()).rejects.toMatchObject({ code: 'node-unreachable', retryable: true });
    cluster.hooks.before = () => {
      throw failure(403, 'Forbidden', 'no pods for you');
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });

  test('a rollback keeps it', () => {
    expect(snapshot.undo).toEqual({ irreversible: expect.stringContaining('kept') });
  });

  test('refuses names that nodetool would take for something else', () => {
    const problems = (given: object) =>
      snapshot.check?.({ ...input, ...given }).map(({ path }) => path.join('.'));
    expect(problems({ tag: '-t' })).toEqual(['tag']);
    expect(problems({ tag: 'a b' })).toEqual(['tag']);
    expect(problems({ keyspaces: ['ess_api', '--all'] })).toEqual(['keyspaces.1']);
    expect(problems({ tag: '2026.11-a_b' })).toEqual([]);
  });
});
