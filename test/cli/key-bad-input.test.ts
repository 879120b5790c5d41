import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { documentOf, newer, setOf } from '../sandbox/keys-rig.ts';
import { pass } from '../sandbox/rig.ts';
import { type Canary, canaryScanner } from './canaries.ts';
import { canariesOfDocument, leaksIn, placesOf } from './key-canaries.ts';
import { lookAt, prepareWorld } from './key-world.ts';
import { createRig, type Finished, type Rig } from './rig.ts';
import { bao, document, edit, editKeys, someRow, spoilRow } from './spoil.ts';

const MINUTE = 60_000;
const pods = ['openbao-server-0', 'openbao-server-1', 'openbao-server-2'];
const metadata = document.replace('/data/', '/metadata/');
const secret = 'services/all/kv/encryption/keys/stored_data';

type Spoil = (sandbox: Sandbox) => unknown;

/** The document and every row, as they lie in the stores. */
function stored({ inspect }: Sandbox): unknown {
  return [inspect.secret(), inspect.nekRows()];
}

/** A runbook on a world that was spoilt. Whatever comes of it, no key is shown. */
async function onSpoilt(
  spoil: Spoil,
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  args: readonly string[] = ['exec', 'mek-rotation', '--yes'],
): Promise<{ readonly rig: Rig; readonly done: Finished; readonly world: string }> {
  const canaries: Canary[] = [];
  const prepare = async (sandbox: Sandbox) => {
    canaries.push(...canariesOfDocument(documentOf(sandbox)));
    await spoil(sandbox);
  };
  const world = await prepareWorld(prepare, { done: onTestFinished });
  const rig = createRig(onTestFinished);
  const [command = '', name = '', ...rest] = args;
  const done = await rig.run([command, name, '--sandbox', '--world', world, ...rest]);
  expect(done.stderr).not.toContain('internal error');
  expect(done.stderr).not.toMatch(/[^.]\.\. /);
  expect(leaksIn(placesOf(rig, [done]), canaryScanner(canaries))).toEqual([]);
  return { rig, done, world };
}

function runsOf(rig: Rig): readonly string[] {
  const runs = path.join(rig.folder, 'state', 'runbook', 'runs');
  return readdirSync(rig.folder).includes('state') ? readdirSync(runs).map((id) => path.join(runs, id)) : [];
}

/** One line, however it was wrapped. */
function unwrapped(text: string): string {
  return text.replace(/\s+/g, ' ');
}

/** Refused before anything was changed, with cause, place and next step; answers what was said. */
async function expectRefused(
  spoil: Spoil,
  said: readonly string[],
  context: Pick<TestContext, 'onTestFinished'>,
): Promise<string> {
  const { rig, done, world } = await onSpoilt(spoil, context);
  expect(done.code, done.stderr).toBe(4);
  const text = unwrapped(done.stderr);
  for (const each of said) expect(text).toContain(each);
  expect(text).toMatch(/at mek-rotation\.yaml:\d+:\d+/);
  expect(text).toContain('nothing was changed');
  for (const run of runsOf(rig)) expect(lookAt(run, stored)).toEqual(lookAt(world, stored));
  return text;
}

describe('mek-rotation refuses OpenBao', () => {
  test.concurrent.for<[string, Spoil, readonly string[]]>([
    [
      'that is sealed',
      ({ control }) => {
        for (const pod of pods) control.seal('vault-system', pod);
      },
      ['OpenBao in vault-system is sealed', 'openbao-server-1: sealed', 'next: Unseal it'],
    ],
    [
      'without a leader',
      async (sandbox) => {
        for (const pod of pods.slice(0, 2)) sandbox.control.seal('vault-system', pod);
        await pass(sandbox, MINUTE);
      },
      ['No OpenBao pod in vault-system is active', 'openbao-server-2: standby', 'a majority of the pods'],
    ],
    [
      'without the document',
      (sandbox) => bao(sandbox, `DELETE ${metadata}`),
      [`There is no secret ${secret}`, 'mek-restore-from-backup', 'never make new ones'],
    ],
    [
      'whose document is deleted',
      (sandbox) => bao(sandbox, `DELETE ${document}`),
      [`${secret} is deleted (version 1)`, 'bao kv undelete -mount=services/all/kv -versions=1'],
    ],
    [
      'whose document is destroyed',
      (sandbox) => bao(sandbox, `PUT ${document.replace('/data/', '/destroy/')}`, { versions: [1] }),
      [`${secret} is destroyed (version 1)`, 'mek-restore-from-backup'],
    ],
    [
      'with a key-value engine that keeps no versions',
      async (sandbox) => {
        await bao(sandbox, 'DELETE sys/mounts/services/all/kv');
        await bao(sandbox, 'POST sys/mounts/services/all/kv', { type: 'kv' });
      },
      ['The secrets engine at services/all/kv is kv version 1', 'next: Check mount'],
    ],
    [
      'whose clock is wrong',
      ({ control }) => control.skewClock(5 * MINUTE),
      ["is 300 s ahead of this machine's", 'openbao-server-0'],
    ],
  ])('%s', async ([, spoil, said], context) => {
    await expectRefused(spoil, said, context);
  });
});

/** The kid of the key that every document here begins with. */
const kid = '7cc6ae00-9b80-11f0-af65-957252ef94ac';
const v4 = '304c66cc-5f7b-4b95-96c4-87a7a99b6b94';

function inBase64(data: Readonly<Record<string, unknown>>, change: (text: string) => string): string {
  const text = Buffer.from(String(data.keys), 'base64').toString();
  return Buffer.from(change(text)).toString('base64');
}

describe('mek-rotation refuses a document', () => {
  test.concurrent.for<[string, Spoil, readonly string[]]>([
    [
      'that is no base64',
      (s) => edit(s, (data) => ({ ...data, keys: `${data.keys}!` })),
      ['not standard base64'],
    ],
    [
      'that was cut short',
      (s) => edit(s, (data) => ({ ...data, keys: inBase64(data, (text) => text.slice(0, -9)) })),
      ['keys holds no JSON'],
    ],
    [
      'that is a bare list',
      (s) => edit(s, (data) => ({ ...data, keys: inBase64(data, (text) => text.slice(8, -1)) })),
      ['keys holds a bare list'],
    ],
    [
      'with a field missing',
      (s) => edit(s, ({ private_jwks: _, ...data }) => data),
      ['field private_jwks is missing'],
    ],
    [
      'whose field is no text',
      (s) => edit(s, (data) => ({ ...data, keys: { of: data.keys } })),
      ['keys is not text'],
    ],
    [
      'whose mapping is no JSON',
      (s) => edit(s, (data) => ({ ...data, jwe_mapping: '{"payload_jwe_kid":' })),
      ['jwe_mapping is not JSON text'],
    ],
    [
      'with a padded key',
      (s) => editKeys(s, (keys) => keys.map((key) => ({ ...key, k: `${key.k}=` }))),
      [`keys, element 1 (kid ${kid}): k is not 32 bytes`],
    ],
    [
      'with a key of 16 bytes',
      (s) => editKeys(s, (keys) => keys.map((key) => ({ ...key, k: key.k.slice(0, 22) })), ['private_jwks']),
      [`private_jwks, element 1 (kid ${kid}): k is not 32 bytes`],
    ],
    ['with a kid twice', (s) => editKeys(s, (keys) => [...keys, ...keys]), [`the kid ${kid} twice`]],
    [
      'with a random kid in front',
      (s) => {
        editKeys(s, ([key, ...more]) => [{ ...key, kid: v4 }, { ...key }, ...more], ['keys', 'private_jwks']);
        const jwe_mapping = JSON.stringify({ payload_jwe_kid: v4 });
        edit(s, (data) => ({ ...data, current_kid: v4, jwe_mapping }));
      },
      [`The first kid of keys (${v4}) is no lower-case UUIDv1`],
    ],
    [
      'whose active key is not the first one',
      (s) =>
        editKeys(s, ([key, ...more]) => [{ ...key, kid: newer[0] }, { ...key }, ...more], [
          'keys',
          'private_jwks',
        ]),
      [`The first kid of keys (${newer[0]}) is not current_kid (${kid})`],
    ],
    [
      'whose active key is in no set',
      (s) => edit(s, (data) => ({ ...data, current_kid: newer[0] })),
      [`current_kid (${newer[0]}) is not in keys`, `current_kid (${newer[0]}) is not in private_jwks`],
    ],
  ])('%s', async ([, spoil, said], context) => {
    await expectRefused(spoil, [...said, 'next: mek-audit shows its history'], context);
  });

  test.concurrent('that an audit shows with every problem, and ends with 1', async (context) => {
    const { done } = await onSpoilt((s) => edit(s, (data) => ({ ...data, keys: 'x' })), context, [
      'exec',
      'mek-audit',
    ]);
    expect(done.code, done.stderr).toBe(1);
    expect(done.stderr).toContain('keys is not standard base64');
    expect(done.stdout).toMatch(/problems:\n {2}- keys is not standard base64/);
    expect(done.stdout).toMatch(/state: invalid/);
  });
});

test.concurrent('other bytes under the same kid in the two sets are how a stock install is made, and an audit says so', async (context) => {
  const { done } = await onSpoilt(() => undefined, context, ['exec', 'mek-audit', '--output', 'json']);
  expect(done.code, done.stderr).toBe(0);
  const finished = done.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { type: string; outputs?: { document: object } })
    .find(({ type }) => type === 'run-finished');
  expect(finished?.outputs?.document).toMatchObject({
    differing: [kid],
    damaged: false,
    problems: [],
    warnings: [],
  });
});

test.concurrent('check-and-set is no obstacle, and after a rotation no blind writer gets through', async (context) => {
  const { rig, done } = await onSpoilt((s) => bao(s, `POST ${metadata}`, { cas_required: true }), context);
  expect(done.code, done.stderr).toBe(0);
  const [run = ''] = runsOf(rig);
  lookAt(run, ({ control, inspect }) => {
    const before = inspect.secret();
    expect(control.runMigrationsJob({ misbehaving: true })).toMatchObject({
      refused: expect.stringContaining('check-and-set'),
    });
    expect(control.editKv({ data: { keys: 'x' } })).toHaveProperty('refused');
    expect(inspect.secret()).toEqual(before);
  });
});

/** The row that is spoilt, as people see it. */
const row = (sandbox: Sandbox) =>
  `nvcf ${someRow(sandbox).kid} ${new Date(someRow(sandbox).encryptedAt).toISOString()}`;
const otherRow = ({ inspect }: Sandbox, namespace: string) =>
  inspect.nekRows(namespace)[1]?.encryptedKey ?? '';

describe('a row of a namespace key', () => {
  test.concurrent.for<[string, Spoil, string]>([
    ['that is no JWE', (s) => spoilRow(s, { encryptedKey: 'garbage' }), 'is no JWE (jwe-parts)'],
    [
      'whose key is gone',
      (s) => spoilRow(s, { encryptedKey: null }),
      'a column of it is empty (column-missing)',
    ],
    ['without a status', (s) => spoilRow(s, { status: null }), 'it has no status (status-missing)'],
    [
      'that was altered',
      (s) =>
        spoilRow(s, {
          encryptedKey: (someRow(s).encryptedKey ?? '').replace(/.$/, (c) => (c === 'A' ? 'Q' : 'A')),
        }),
      'it does not open with its master key (decrypt)',
    ],
    [
      'of another namespace',
      (s) => spoilRow(s, { encryptedKey: otherRow(s, 'tenant-01') }),
      'another namespace (namespace)',
    ],
    [
      'of another key',
      (s) => spoilRow(s, { encryptedKey: otherRow(s, 'nvcf') }),
      'another created_at (created-at)',
    ],
    [
      'that says it is under another master key',
      (s) => spoilRow(s, { encryptedByKid: newer[0] }),
      '(encrypted-by-kid)',
    ],
  ])('%s stops a rotation, is named, and stays as it is', async ([, spoil, why], context) => {
    const seen: string[] = [];
    const text = await expectRefused(
      (sandbox) => {
        seen.push(row(sandbox));
        return spoil(sandbox);
      },
      [why, 'next: Keep every master key'],
      context,
    );
    expect(text).toContain(`${seen[0]}: `);
  });

  test.concurrent('stops a re-encryption, too', async (context) => {
    const spoil: Spoil = (s) => spoilRow(s, { encryptedKey: 'garbage' });
    const { done } = await onSpoilt(spoil, context, ['exec', 'nek-reencryption', '--yes']);
    expect(done.code, done.stderr).toBe(4);
    expect(unwrapped(done.stderr)).toMatch(/nvcf \S{43} \S+: its encrypted_key is no JWE/);
  });

  test.concurrent('under a master key that is not there is told by an audit, which ends with 1', async (context) => {
    const lost = '1d9a4c00-ea15-11f0-8123-01020304abcd';
    const { done } = await onSpoilt(
      (s) => {
        const data = documentOf(s);
        const [key] = setOf(data, 'keys');
        edit(s, () => ({
          ...data,
          current_kid: lost,
          jwe_mapping: JSON.stringify({ payload_jwe_kid: lost }),
        }));
        editKeys(s, () => [{ ...key, kid: lost, k: Buffer.alloc(32, 9).toString('base64url') }], [
          'keys',
          'private_jwks',
        ]);
      },
      context,
      ['exec', 'mek-audit'],
    );
    expect(done.code, done.stderr).toBe(1);
    expect(done.stdout).toMatch(/- namespace: nvcf\n {4}kid: \S+\n {4}reason: mek-missing/);
    expect(done.stdout).toContain('unusable: 12');
  });
});

describe('Cassandra', () => {
  test.concurrent('with one node down is good enough', async (context) => {
    const stop = async (s: Sandbox) => {
      s.control.stopNode('cassandra-0');
      await pass(s, MINUTE);
    };
    const { done, rig } = await onSpoilt(stop, context);
    expect(done.code, done.stderr).toBe(0);
    expect(lookAt(runsOf(rig)[0] ?? '', ({ inspect }) => inspect.nekRows().length)).toBe(24);
  });

  test.concurrent.for<[string, Spoil, readonly string[]]>([
    [
      'with two nodes down',
      async (s) => {
        for (const pod of ['cassandra-0', 'cassandra-1']) s.control.stopNode(pod);
        await pass(s, MINUTE);
      },
      ['cannot achieve LOCAL_QUORUM: 1 of 3', 'nodetool status'],
    ],
    [
      'with one copy of each row',
      ({ control }) => control.schema({ replicationFactor: 1 }),
      ['keeps 1 copy of each row'],
    ],
    [
      'whose rows disappear',
      ({ control }) => control.schema({ timeToLive: 3600 }),
      ['time to live of 3600 s', 'migrations'],
    ],
    [
      'that loses what is not flushed',
      ({ control }) => control.schema({ durableWrites: false }),
      ['ALTER KEYSPACE'],
    ],
    [
      'whose nodes disagree',
      ({ control }) => control.schema({ disagreement: true }),
      ['cassandra-0: schema version'],
    ],
    [
      'with another table',
      ({ control }) => control.schema({ problems: ['encrypted_key is a blob, not text'] }),
      ['is not as ESS creates it', 'encrypted_key is a blob, not text'],
    ],
    [
      'that refuses the password',
      ({ control }) => {
        const data = { username: 'ess_api_app_v0', password: 'a-wrong-password' };
        control.editKv({ mount: 'services/ess-api/kv', path: 'cassandra/creds', data });
      },
      ['refused the user name or the password', 'services/ess-api/kv'],
    ],
    [
      'whose password is not where it should be',
      ({ control }) =>
        control.editKv({ mount: 'services/ess-api/kv', path: 'cassandra/creds', data: { user: 'x' } }),
      ['services/ess-api/kv/cassandra/creds'],
    ],
  ])('%s stops a rotation before it begins', async ([, spoil, said], context) => {
    await expectRefused(spoil, said, context);
  });
});

test.concurrent('backup-openbao never writes over a file, and takes no new backup for one that is there', async (context) => {
  const first = await onSpoilt(() => undefined, context, ['exec', 'backup-openbao', '--output', 'json']);
  expect(first.done.code, first.done.stderr).toBe(0);
  const file = `mek-backups/${path.basename(runsOf(first.rig)[0] ?? '')}-mek.age`;
  const rig = createRig(context.onTestFinished);
  rig.write(file, 'something else');
  const done = await rig.run(['exec', 'backup-openbao', '--sandbox', '--world', first.world]);
  expect(done.code, done.stderr).toBe(1);
  expect(done.stderr).toContain(`${file} exists already; nothing is written over a file`);
  expect(done.stderr).toContain('next: Give another file');
});
