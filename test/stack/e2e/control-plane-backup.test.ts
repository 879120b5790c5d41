import path from 'node:path';
import type { V1Secret } from '@kubernetes/client-node';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { canaryScanner } from '../../cli/canaries.ts';
import { type Connection, connect } from '../api.ts';
import {
  cql,
  ensureUp,
  everySecretReadable,
  issueApiKey,
  raftVoters,
  reset,
  rootToken,
  type Stack,
  writeMasterKeys,
} from '../control.ts';
import { masterKey, masterKeyFields, timeUuid } from '../key-format.ts';
import { helmFolder } from '../paths.ts';
import { waitFor } from '../shell.ts';
import { expectExit, expectKept, outputsOf, world } from './key-checks.ts';
import { createKeyOperator, type KeyOperator } from './key-operator.ts';
import { allowBlindWrites, everythingOpens, heldKeys, replacePods } from './key-world.ts';
import { plantedSecrets } from './planted.ts';

const table = 'ess_api.encryption_keys_by_kid_and_encrypted_at';
const unseal = { namespace: 'vault-system', name: 'openbao-server-unseal' };
const environment = { PATH: `${helmFolder()}${path.delimiter}${process.env.PATH ?? ''}` };

let stack: Stack;
let admin: Connection;
const said: Buffer[] = [];

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
});

beforeEach(async () => {
  await reset();
  await allowBlindWrites();
  // A reset may have replaced servers: a backup is refused until all of them vote.
  await waitFor(async () => (await raftVoters().catch(() => [])).length === 3, {
    what: 'three raft voters',
    seconds: 60,
  });
});

afterAll(reset);

/** An operator who has taken a backup, and the list of it. */
async function backedUp(): Promise<{ operator: KeyOperator; manifest: string }> {
  const access = { kubeconfig: stack.kubeconfig, token: await rootToken() };
  const operator = await createKeyOperator(access, { said });
  const done = await operator.run(['exec', 'backup-control-plane', '--yes', ...operator.backup], environment);
  expectExit(done, 0);
  const { manifest, proven, tables } = await outputsOf(operator);
  expect(String(proven)).toMatch(/18 files .* opens 100 of 100 rows of namespace keys/);
  expect(String(tables)).toContain('on 3 nodes');
  const verified = await operator.run(['exec', 'verify-backup', '--input', `manifest=${String(manifest)}`]);
  expectExit(verified, 0);
  return { operator, manifest: String(manifest) };
}

function restore(manifest: string): string[] {
  return ['exec', 'restore-control-plane', '--yes', '--input', `manifest=${manifest}`];
}

async function unsealSecret(): Promise<V1Secret['data']> {
  return (await admin.core.readNamespacedSecret(unseal)).data;
}

test('master keys that were overwritten, a Secret and the keys of a namespace that were deleted come back', async () => {
  const before = await world();
  const secret = await unsealSecret();
  await issueApiKey('before-the-loss');
  const { operator, manifest } = await backedUp();
  const kid = timeUuid(Date.now());
  await writeMasterKeys(masterKeyFields([masterKey(kid)], [masterKey(kid)]));
  await admin.core.deleteNamespacedSecret(unseal);
  const [lost = ''] = [...before.rows.keys()].map((key) => key.split('/')[0] ?? '');
  await cql(`DELETE FROM ${table} WHERE namespace = ?`, [lost]);
  await replacePods(admin, 'ess');
  expect((await everySecretReadable()).wrong).not.toEqual([]);
  const done = await operator.run(restore(manifest), environment);
  expectExit(done, 0);
  expectKept(before, await world());
  expect((await heldKeys()).currentKid).toBe(kid);
  expect(await unsealSecret()).toEqual(secret);
  const { asked, wrong } = await everythingOpens(admin);
  expect(wrong).toEqual([]);
  expect(asked).toBeGreaterThan(60);
  const scanner = canaryScanner([...operator.secrets, ...(await plantedSecrets())]);
  expect(said.flatMap((bytes) => scanner.find(bytes))).toEqual([]);
});

test('a table of namespace keys that was emptied is filled again, also by a restore that was killed', async () => {
  const before = await world();
  const currents = () => cql(`SELECT DISTINCT namespace, current_kid FROM ${table}`);
  const sorted = async () => (await currents()).map((row) => `${row.namespace} ${row.current_kid}`).sort();
  const kids = await sorted();
  const { operator, manifest } = await backedUp();
  await cql(`TRUNCATE ${table}`);
  await replacePods(admin, 'ess');
  expect((await everySecretReadable()).wrong).not.toEqual([]);
  const running = operator.start([...restore(manifest), '--output', 'json'], environment);
  await running.event((event) => event.type === 'intended' && event.id === 'namespaceKeys');
  running.signal('SIGKILL');
  expect((await running.finished).signal).toBe('SIGKILL');
  const resumed = await operator.run(['resume', 'last', '--yes'], environment);
  expectExit(resumed, 0);
  expect(await world()).toEqual(before);
  expect(await sorted()).toEqual(kids);
  expect((await everySecretReadable()).wrong).toEqual([]);
});
