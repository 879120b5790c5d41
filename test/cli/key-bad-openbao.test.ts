import { describe, expect, test } from 'vitest';
import { newer } from '../sandbox/keys-rig.ts';
import { pass } from '../sandbox/rig.ts';
import { expectRefused, onSpoilt, runsOf, type Spoil } from './key-refusals.ts';
import { lookAt } from './key-world.ts';
import { bao, document, edit, editKeys } from './spoil.ts';

const MINUTE = 60_000;
const pods = ['openbao-server-0', 'openbao-server-1', 'openbao-server-2'];
const metadata = document.replace('/data/', '/metadata/');
const secret = 'services/all/kv/encryption/keys/stored_data';

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
