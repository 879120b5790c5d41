import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { documentOf, newer, setOf } from '../sandbox/keys-rig.ts';
import { pass } from '../sandbox/rig.ts';
import { canaryScanner } from './canaries.ts';
import { canariesOfDocument, leaksIn, placesOf } from './key-canaries.ts';
import { prepareWorld } from './key-world.ts';
import { createRig, type Finished, type Rig } from './rig.ts';
import { bao, document, edit, editKeys, someRow, spoilRow } from './spoil.ts';

const MINUTE = 60_000;

interface Spoilt {
  readonly rig: Rig;
  readonly done: Finished;
  readonly world: string;
}

/** A runbook on a world in which something is not as it should be. */
async function onSpoilt(
  change: (sandbox: Sandbox) => unknown,
  args: readonly string[] = ['exec', 'mek-rotation', '--yes'],
): Promise<Spoilt> {
  const canaries: ReturnType<typeof canariesOfDocument>[number][] = [];
  const world = await prepareWorld(async (sandbox) => {
    canaries.push(...canariesOfDocument(documentOf(sandbox)));
    await change(sandbox);
  });
  const rig = createRig();
  const [command = '', name = '', ...rest] = args;
  const done = await rig.run([command, name, '--sandbox', '--world', world, ...rest]);
  if (process.env.SHOW === '1')
    console.log(
      expect.getState().currentTestName,
      done.code,
      done.stderr
        .split('\n')
        .filter((l) => !/ (start|ok|\.\.\.|lock|run) /.test(l))
        .join('\n'),
    );
  expect(done.stderr).not.toContain('internal error');
  expect(leaksIn(placesOf(rig, [done]), canaryScanner(canaries))).toEqual([]);
  return { rig, done, world };
}

const metadata = 'services/all/kv/metadata/encryption/keys/stored_data';
const pods = ['openbao-server-0', 'openbao-server-1', 'openbao-server-2'];

describe('OpenBao', () => {
  test.each<[string, (sandbox: Sandbox) => unknown]>([
    [
      'sealed',
      ({ control }) => {
        for (const pod of pods) control.seal('vault-system', pod);
      },
    ],
    [
      'without a leader',
      async (sandbox) => {
        for (const pod of pods.slice(0, 2)) sandbox.control.seal('vault-system', pod);
        await pass(sandbox, MINUTE);
      },
    ],
    ['absent', (sandbox) => bao(sandbox, `DELETE ${metadata}`)],
    ['deleted', (sandbox) => bao(sandbox, `DELETE ${document}`)],
    [
      'destroyed',
      (sandbox) => bao(sandbox, `PUT ${document.replace('/data/', '/destroy/')}`, { versions: [1] }),
    ],
    [
      'v1',
      async (sandbox) => {
        await bao(sandbox, 'DELETE sys/mounts/services/all/kv');
        await bao(sandbox, 'POST sys/mounts/services/all/kv', { type: 'kv' });
      },
    ],
    ['clock', ({ control }) => control.skewClock(5 * MINUTE)],
    ['keys no base64', (s) => edit(s, (data) => ({ ...data, keys: `${data.keys}!` }))],
    [
      'keys no JSON',
      (s) =>
        edit(s, (data) => ({
          ...data,
          keys: Buffer.from(Buffer.from(String(data.keys), 'base64').toString().slice(0, -9)).toString(
            'base64',
          ),
        })),
    ],
    [
      'keys list',
      (s) =>
        edit(s, (data) => ({
          ...data,
          keys: Buffer.from(JSON.stringify(setOf(data, 'keys'))).toString('base64'),
        })),
    ],
    ['no private_jwks', (s) => edit(s, ({ private_jwks: _, ...data }) => data)],
    ['jwe_mapping', (s) => edit(s, (data) => ({ ...data, jwe_mapping: '{"payload_jwe_kid":' }))],
    ['padded k', (s) => editKeys(s, (keys) => keys.map((key) => ({ ...key, k: `${key.k}=` })))],
    ['short k', (s) => editKeys(s, (keys) => keys.map((key) => ({ ...key, k: key.k.slice(0, 22) })))],
    ['twice', (s) => editKeys(s, (keys) => [...keys, ...keys])],
    [
      'v4',
      (s) => {
        const kid = randomUUID();
        editKeys(s, (keys) => [{ ...keys[0], kid }, ...keys], ['keys', 'private_jwks']);
        edit(s, (data) => ({
          ...data,
          current_kid: kid,
          jwe_mapping: JSON.stringify({ payload_jwe_kid: kid }),
        }));
      },
    ],
    [
      'current not first',
      (s) => {
        editKeys(s, (keys) => [{ ...keys[0], kid: newer[0] }, ...keys], ['keys', 'private_jwks']);
      },
    ],
    ['current unknown', (s) => edit(s, (data) => ({ ...data, current_kid: newer[0] }))],
    ['not text', (s) => edit(s, (data) => ({ ...data, keys: { nested: data.keys } }))],
  ])('%s', async (_, change) => {
    const { done } = await onSpoilt(change);
    expect(done.code).toBe(4);
  });
});

describe('rows', () => {
  test.each<[string, (sandbox: Sandbox) => unknown]>([
    ['garbage', (s) => spoilRow(s, { encryptedKey: 'garbage' })],
    ['empty', (s) => spoilRow(s, { encryptedKey: null })],
    [
      'flipped',
      (s) =>
        spoilRow(s, {
          encryptedKey: (someRow(s).encryptedKey ?? '').replace(/.$/, (c) => (c === 'A' ? 'Q' : 'A')),
        }),
    ],
    ['unknown mek', (s) => spoilRow(s, { encryptedByKid: newer[0] })],
    ['foreign', (s) => spoilRow(s, { encryptedKey: s.inspect.nekRows('tenant-01')[0]?.encryptedKey ?? '' })],
    ['other kid', (s) => spoilRow(s, { encryptedKey: s.inspect.nekRows('nvcf')[1]?.encryptedKey ?? '' })],
    ['no status', (s) => spoilRow(s, { status: null })],
  ])('%s', async (_, change) => {
    const { done } = await onSpoilt(change);
    expect(done.code).toBe(4);
  });
});

describe('Cassandra', () => {
  test.each<[string, (sandbox: Sandbox) => unknown]>([
    [
      'one down',
      async (s) => {
        s.control.stopNode('cassandra-0');
        await pass(s, MINUTE);
      },
    ],
    [
      'two down',
      async (s) => {
        s.control.stopNode('cassandra-0');
        s.control.stopNode('cassandra-1');
        await pass(s, MINUTE);
      },
    ],
    ['rf 1', ({ control }) => control.schema({ replicationFactor: 1 })],
    ['ttl', ({ control }) => control.schema({ timeToLive: 3600 })],
    ['durable', ({ control }) => control.schema({ durableWrites: false })],
    ['disagreement', ({ control }) => control.schema({ disagreement: true })],
    ['column', ({ control }) => control.schema({ problems: ['column encrypted_key is blob, not text'] })],
    [
      'password',
      ({ control }) =>
        control.editKv({
          mount: 'services/ess-api/kv',
          path: 'cassandra/creds',
          data: { username: 'ess_api_app_v0', password: 'wrong-password' },
        }),
    ],
    [
      'no creds',
      ({ control }) =>
        control.editKv({ mount: 'services/ess-api/kv', path: 'cassandra/creds', data: { user: 'x' } }),
    ],
  ])('%s', async (_, change) => {
    const { done } = await onSpoilt(change);
    expect(done.code).toBe(4);
  });
});
