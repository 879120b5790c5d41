import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { superuser } from '../../src/sandbox/mek/seed.ts';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { prepareWorld, seed } from './key-world.ts';
import { createRig, type Finished, type Rig } from './rig.ts';
import { filesBelow, recordsOf, runFolderOf, writesOf } from './state.ts';

const namespace = 'cassandra-system';
const names = ['cassandra-0', 'cassandra-1', 'cassandra-2'];

interface Seen {
  /** UIDs by name. */
  readonly pods: ReadonlyMap<string, string>;
  readonly images: readonly string[];
  readonly partition: number;
  readonly ledger: ReadonlyMap<string, readonly object[]>;
  readonly snapshots: ReadonlyMap<string, readonly string[]>;
}

/** Cassandra as the simulated cluster in a folder has it, without the code under test. */
async function look(where: { readonly dir: string } | { readonly from: string }): Promise<Seen> {
  const sandbox = openSandbox({ ...where, seed });
  try {
    const { kubernetes } = sandbox.services;
    const labelSelector = 'app.kubernetes.io/name=cassandra';
    const pods = await kubernetes.list(kinds.pods, { namespace, labelSelector });
    const set = await kubernetes.get({ kind: kinds.statefulSets, namespace, name: 'cassandra' });
    const strategy = set?.spec?.updateStrategy as { rollingUpdate?: { partition?: number } } | undefined;
    return {
      pods: new Map(pods.map(({ metadata }) => [metadata.name, metadata.uid])),
      images: pods.map(({ spec }) => (spec as { containers: [{ image: string }] }).containers[0].image),
      partition: strategy?.rollingUpdate?.partition ?? 0,
      ledger: sandbox.inspect.ledger(),
      snapshots: sandbox.inspect.snapshots(),
    };
  } finally {
    sandbox.close();
  }
}

const now = (rig: Rig) => look({ dir: runFolderOf(rig) });

/** A rig and the world that its runs begin with. */
async function rigIn(change: (sandbox: Sandbox) => void | Promise<void> = () => undefined) {
  const rig = createRig();
  const world = await prepareWorld(change);
  const exec = (name: string, ...rest: readonly string[]): Promise<Finished> =>
    rig.run(['exec', name, '--sandbox', '--world', world, '--yes', ...rest]);
  return { rig, exec, before: await look({ from: world }) };
}

function isOld(image: string): boolean {
  return image === 'nvcf/cassandra:5.0.8-nv-2.0.1';
}

/** Names of the pods that were deleted, in order. */
function deletedBy(rig: Rig): readonly string[] {
  return Object.keys(writesOf(rig)).flatMap((write) => /^DELETE .*pods\/(\S+)$/.exec(write)?.[1] ?? []);
}

describe('rolling-restart-cassandra', () => {
  test('replaces every node once, highest first', async () => {
    const { rig, exec, before } = await rigIn();
    const { code, stderr } = await exec('rolling-restart-cassandra');
    expect(code, stderr).toBe(0);
    expect(deletedBy(rig)).toEqual([...names].reverse());
    const { pods } = await now(rig);
    expect([...pods.keys()]).toEqual(names);
    for (const [name, uid] of before.pods) expect(pods.get(name)).not.toBe(uid);
  });

  test('is what restart-service does to Cassandra', async () => {
    const { rig, exec } = await rigIn();
    const { code, stderr } = await exec('restart-service', '--input', 'service=cassandra');
    expect(code, stderr).toBe(0);
    expect(deletedBy(rig)).toEqual([...names].reverse());
  });

  test.each([
    ['one node is down', ['cassandra-1'], 'cassandra-1 could not be asked: nodetool status ended with'],
    ['a quorum is lost', ['cassandra-1', 'cassandra-2'], 'LOCAL_QUORUM is not certain'],
  ])('touches nothing when %s, and names the node', async (_, down, said) => {
    const { rig, exec } = await rigIn(({ control }) => {
      for (const pod of down) control.stopNode(pod);
    });
    const { code, stderr } = await exec('rolling-restart-cassandra');
    expect(code).toBe(4);
    for (const pod of down) expect(stderr).toMatch(new RegExp(`${pod} \\(\\S+\\) is down`));
    expect(stderr).toContain(said);
    // Nothing was begun: there is not even a run.
    expect(filesBelow(rig.folder)).toEqual([]);
  });

  test('one node down stops a run that is under way before the next one goes', async () => {
    const { rig, exec } = await rigIn();
    const { code } = await exec('rolling-restart-cassandra', '--fault', 'each[cassandra-1]/replace=error');
    expect(code).toBe(1);
    expect(deletedBy(rig)).toEqual(['cassandra-2']);
    const back = await rig.run(['rollback', 'last', '--yes']);
    expect(back.code, back.stderr).toBe(5);
    expect(deletedBy(rig)).toEqual(['cassandra-2']);
  });

  test.each(['crash-before', 'crash-after'])('killed (%s), goes on where it was', async (how) => {
    const { rig, exec, before } = await rigIn();
    const killed = await exec('rolling-restart-cassandra', '--fault', `each[cassandra-1]/replace=${how}`);
    expect(killed.signal).toBe('SIGKILL');
    const { code, stderr } = await rig.run(['resume', 'last', '--yes']);
    expect(code, stderr).toBe(0);
    expect(Object.values(writesOf(rig)).filter((count) => count > 1)).toEqual([]);
    expect(deletedBy(rig)).toEqual([...names].reverse());
    for (const [name, uid] of (await now(rig)).pods) expect(uid).not.toBe(before.pods.get(name));
  });
});

describe('upgrade-cassandra', () => {
  const to = (version: string, ...more: readonly string[]) =>
    [
      'upgrade-cassandra',
      ...[`version=${version}`, 'reuse=true', ...more].flatMap((i) => ['--input', i]),
    ] as const;

  test('lets the Jobs run while every node is old, then the nodes go one by one', async () => {
    const { rig, exec } = await rigIn();
    const { code, stderr } = await exec(...to('0.20.2', 'acceptJobs=true'));
    expect(code, stderr).toBe(0);
    const { images, partition, snapshots } = await now(rig);
    expect(images).toEqual(names.map(() => 'nvcf/cassandra:5.0.8-nv-2.0.2'));
    expect(partition).toBe(0);
    const [tag = ''] = snapshots.get('cassandra-0') ?? [];
    expect(tag).toMatch(/^before-upgrade-/);
    expect([...snapshots.values()]).toEqual(names.map(() => [tag]));
    const done = recordsOf(rig, 'result').map(({ id }) => id);
    expect(done.indexOf('upgrade')).toBeLessThan(done.indexOf('each[cassandra-2]/release'));
    expect(stderr).toContain('Danger: upgrades of a self-hosted control plane');
  });

  test('a version whose first node crashes stops there, and goes all the way back', async () => {
    const { rig, exec, before } = await rigIn();
    const { code, stderr } = await exec(...to('0.20.3', 'acceptJobs=true'));
    expect(code).toBe(1);
    expect(stderr).toContain('cassandra-2 crashes again and again');
    const half = await now(rig);
    expect(half.images.filter(isOld)).toHaveLength(2);
    for (const pod of ['cassandra-0', 'cassandra-1']) expect(half.pods.get(pod)).toBe(before.pods.get(pod));
    const back = await rig.run(['rollback', 'last', '--yes']);
    expect(back.code, back.stderr).toBe(5);
    const after = await now(rig);
    expect(after.images.every(isOld)).toBe(true);
    expect(after.partition).toBe(0);
    for (const pod of ['cassandra-0', 'cassandra-1']) expect(after.pods.get(pod)).toBe(before.pods.get(pod));
    expect(back.stderr).toContain('A snapshot is kept');
  });

  test('a migration that fails touches no node, and its mark outlives the rollback', async () => {
    const { rig, exec, before } = await rigIn();
    const { code, stderr } = await exec(...to('0.20.4', 'acceptJobs=true'));
    expect(code).toBe(1);
    expect(stderr).toContain('error: dirty database version 42');
    const back = await rig.run(['rollback', 'last', '--yes']);
    expect(back.code).toBe(6);
    expect(back.stderr).toContain('do not hold as they did before: "No migration is dirty or at work"');
    const { pods, ledger, partition } = await now(rig);
    expect(pods).toEqual(before.pods);
    expect(partition).toBe(0);
    expect(ledger.get('nvcf_api')).toEqual([{ version: 42, dirty: true }]);
  });

  test.each([
    [
      'a dirty ledger',
      '0.20.2',
      ['acceptJobs=true'],
      /nvcf_api: the migration to version 7 did not end well/,
    ],
    ['Jobs that nobody accepted', '0.20.2', [], /acceptJobs=true/],
    ['a new minor version', '0.21.0', ['acceptJobs=true'], /step=minor/],
    ['a node that is down', '0.20.2', ['acceptJobs=true'], /cassandra-1 \(\S+\) is down/],
  ])('%s is refused before anything', async (what, version, more, said) => {
    const { rig, exec, before } = await rigIn(({ control }) => {
      if (what === 'a dirty ledger') control.ledger('nvcf_api', [{ version: 7, dirty: true }]);
      if (what === 'a node that is down') control.stopNode('cassandra-1');
    });
    const { code, stderr } = await exec(...to(version, ...more));
    expect(code, stderr).toBe(4);
    expect(stderr).toMatch(said);
    if (filesBelow(rig.folder).length === 0) return;
    const { pods, snapshots } = await now(rig);
    expect(pods).toEqual(before.pods);
    expect([...snapshots.values()].flat()).toEqual([]);
  });

  test.each(['snapshot=crash-after', 'upgrade=crash-after', 'each[cassandra-1]/release=crash-after'])(
    'killed at %s, is finished by a resume',
    async (fault) => {
      const { rig, exec } = await rigIn();
      expect((await exec(...to('0.20.2', 'acceptJobs=true'), '--fault', fault)).signal).toBe('SIGKILL');
      const { code, stderr } = await rig.run(['resume', 'last', '--yes']);
      expect(code, stderr).toBe(0);
      const { images, partition, snapshots } = await now(rig);
      expect(images.some(isOld)).toBe(false);
      expect(partition).toBe(0);
      expect([...snapshots.values()].map((tags) => tags.length)).toEqual([1, 1, 1]);
    },
  );
});

describe('dirty-migration', () => {
  const named = ['dirty-migration', '--input', 'keyspace=nvcf_api', '--input', 'version=42'] as const;
  const dirty = ({ control }: Sandbox) => control.ledger('nvcf_api', [{ version: 42, dirty: true }]);

  test('clears the mark that was named, and a rollback sets it again', async () => {
    const { rig, exec, before } = await rigIn(dirty);
    const { code, stderr } = await exec(...named);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('Was every statement of migration 42 of nvcf_api compared with the schema');
    const { ledger } = await now(rig);
    expect(ledger.get('nvcf_api')).toEqual([{ version: 42, dirty: false }]);
    expect([...ledger.keys()]).toEqual([...before.ledger.keys()]);
    const back = await rig.run(['rollback', 'last', '--yes']);
    expect(back.code, back.stderr).toBe(5);
    expect((await now(rig)).ledger).toEqual(before.ledger);
  });

  test.each([
    ['another version', [{ version: 43, dirty: true }]],
    ['nothing', [{ version: 42, dirty: false }]],
    [
      'two versions',
      [
        { version: 42, dirty: true },
        { version: 43, dirty: false },
      ],
    ],
  ])('refuses when %s is dirty', async (_, rows) => {
    const { rig, exec, before } = await rigIn(({ control }) => control.ledger('nvcf_api', rows));
    const { code, stderr } = await exec(...named);
    expect(code).toBe(4);
    expect(stderr).toContain('Nothing was changed');
    expect((await now(rig)).ledger).toEqual(before.ledger);
  });

  test.each(['crash-before', 'crash-after', 'lost-answer', 'error'])('ends well after %s', async (fault) => {
    const { rig, exec } = await rigIn(dirty);
    const first = await exec(...named, '--fault', `clear=${fault}`);
    if (fault.startsWith('crash')) expect(first.signal).toBe('SIGKILL');
    if (first.code !== 0) {
      const { code, stderr } = await rig.run(['resume', 'last', '--yes']);
      expect(code, stderr).toBe(0);
    }
    expect((await now(rig)).ledger.get('nvcf_api')).toEqual([{ version: 42, dirty: false }]);
    const { password } = superuser(seed);
    for (const file of filesBelow(rig.folder))
      expect(readFileSync(file, 'latin1'), file).not.toContain(password);
  });
});
