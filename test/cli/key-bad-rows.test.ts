import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { documentOf, newer, setOf } from '../sandbox/keys-rig.ts';
import { pass } from '../sandbox/rig.ts';
import { expectRefused, onSpoilt, runsOf, type Spoil, unwrapped } from './key-refusals.ts';
import { lookAt } from './key-world.ts';
import { createRig } from './rig.ts';
import { edit, editKeys, someRow, spoilRow } from './spoil.ts';

const MINUTE = 60_000;
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
