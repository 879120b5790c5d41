import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Canary, canaryScanner } from '../../cli/canaries.ts';
import { watchProcesses } from '../../cli/processes.ts';
import { type Connection, connect } from '../api.ts';
import {
  askEss,
  auditOffset,
  cql,
  ensureUp,
  everyApiKeyValid,
  everySecretReadable,
  issueApiKey,
  openBaoAuditLog,
  openBaoAuditOffsets,
  openBaoAuditText,
  reset,
  rootToken,
  runMigrations,
  type Stack,
  writeMasterKeys,
} from '../control.ts';
import { keySet, masterKey, readKeySet, timeUuid } from '../key-format.ts';
import { isWrite, recordAudit } from './audit.ts';
import { expectExit, expectKept, expectKeptByEss, outputsOf, world } from './key-checks.ts';
import { createKeyOperator, type KeyOperator } from './key-operator.ts';
import { onlyTheMasterKey } from './key-runbooks.ts';
import {
  allowBlindWrites,
  essEnvironment,
  everythingOpens,
  grantAccess,
  heldKeys,
  replacePods,
  wrappedBy,
} from './key-world.ts';
import { plantedSecrets } from './planted.ts';

let stack: Stack;
let admin: Connection;
let token: string;
let auditSince: { api: number; openbao: Record<string, number> };
// Everything that any run of this file printed or kept, and the secrets that went in.
const said: Buffer[] = [];
const secrets = new Map<string, Canary>();

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
  await reset();
  token = await rootToken();
  auditSince = { api: auditOffset(), openbao: openBaoAuditOffsets() };
});

// A reset ends the history of the document.
afterEach(async () => {
  for (const canary of await plantedSecrets()) secrets.set(canary.name, canary);
});

afterAll(reset);

async function operatorWith(access: { kubeconfig: string; token: string }): Promise<KeyOperator> {
  const operator = await createKeyOperator(access, { said });
  for (const canary of operator.secrets) secrets.set(`${canary.name} of ${operator.folder}`, canary);
  return operator;
}

const administrator = () => operatorWith({ kubeconfig: stack.kubeconfig, token });

async function expectAuditClean(operator: KeyOperator): Promise<void> {
  expectExit(await operator.run(['exec', 'mek-audit']), 0);
}

test('a dry run of mek-rotation changes nothing, and names keys without showing one', async () => {
  const before = await world();
  const audit = recordAudit(admin);
  const openbao = openBaoAuditOffsets();
  const operator = await administrator();
  const planned = await operator.run(['exec', 'mek-rotation', '--dry-run', ...operator.backup]);
  expectExit(planned, 0);
  expect(planned.stdout).toContain('keys[1]: (not set) → "+ ‹new kid› (new key)"');
  expect(planned.stdout).toContain('private_jwks[1]: (not set) → "+ ‹new kid› (new key)"');
  expect(planned.stdout).toContain(`kid ${before.held.currentKid} stays the active one`);
  expect(planned.stdout).toContain('casRequired: false → true');
  expect(planned.stdout).toContain('Re-encrypt 100 namespace keys');

  expect((await audit.entries()).filter(isForeignWrite)).toEqual([]);
  const changing = openBaoAuditLog(openbao).filter(
    ({ request }) => /^(create|update|patch|delete)$/.test(request.operation) && !isQuestion(request.path),
  );
  expect(changing.map(({ request }) => request.path)).toEqual([]);
  expect(await world()).toEqual(before);
});

/** A port-forward is a `create` by its form only. */
function isForeignWrite(entry: Parameters<typeof isWrite>[0]): boolean {
  return (
    isWrite(entry) && entry.objectRef?.subresource !== 'portforward' && !entry.userAgent?.startsWith('vitest')
  );
}

function isQuestion(path: string): boolean {
  return path === 'sys/capabilities-self' || path.startsWith('auth/jwt/login');
}

describe('mek-rotation', () => {
  test('with exactly the rights that plan --access prints: all keys and rows stay, all opens', async () => {
    const before = await world();
    await issueApiKey('before-the-rotation');
    const planner = await administrator();
    const access = await planner.run(['plan', 'mek-rotation', '--access', ...planner.backup]);
    expectExit(access, 0);
    const operator = await operatorWith(await grantAccess('rotator', access.stdout));
    const shown = watchProcesses();
    const done = await operator.run(['exec', 'mek-rotation', '--yes', ...operator.backup]);
    said.push(Buffer.from(shown()));
    expectExit(done, 0);

    const { kid, reencrypted, verified } = await outputsOf(operator);
    const after = await world();
    expectKept(before, after);
    expect(after.held.currentKid).toBe(kid);
    expect(after.held.version).toBe(before.held.version + 2);
    expect(readKeySet(after.held.fields.keys)[0]?.kid).toBe(kid);
    expect(readKeySet(after.held.fields.private_jwks)[0]?.kid).toBe(kid);
    expect(after.held.keys).toHaveLength(4);
    expect(new Set(after.held.keys.map((key) => key.split('/')[2])).size).toBe(4);
    expect(reencrypted).toBe(100);
    expect(verified).toBe(`all 100 namespace keys are in order under ${kid}`);
    expect(after.rows.size).toBe(before.rows.size + 100);
    expect(wrappedBy(after.rows)).toEqual({ [String(kid)]: 100 });

    await issueApiKey('after-the-rotation');
    expect(await everythingOpens(admin)).toEqual({ asked: 60 + 8, wrong: [] });
    await expectAuditClean(planner);
  });

  test('a second one is like the first', async () => {
    const before = await world();
    const operator = await administrator();
    expectExit(await operator.run(['exec', 'mek-rotation', '--yes', ...operator.backup]), 0);
    const after = await world();
    expectKept(before, after);
    expect(after.held.keys).toHaveLength(6);
    expect(wrappedBy(after.rows)).toEqual({ [after.held.currentKid]: 100 });
    expect(after.held.currentKid).not.toBe(before.held.currentKid);
    expect((await everythingOpens(admin)).wrong).toEqual([]);
    await expectAuditClean(operator);
  });

  test('nek-reencryption after it finds nothing to do', async () => {
    const before = await world();
    const operator = await administrator();
    expectExit(await operator.run(['exec', 'nek-reencryption', '--yes']), 0);
    expect(await outputsOf(operator)).toMatchObject({ reencrypted: 0 });
    expect(await world()).toEqual(before);
  });
});

describe('by ESS itself', () => {
  test('nek-reencryption-by-ess has ESS do it, and takes its switches off again', async () => {
    const operator = await administrator();
    expectExit(await operator.run(['exec', operator.write('publish.yaml', onlyTheMasterKey), '--yes']), 0);
    const [before, environment] = [await world(), await essEnvironment(admin)];
    expect(wrappedBy(before.rows)).not.toHaveProperty(before.held.currentKid);
    expectExit(await operator.run(['exec', 'nek-reencryption-by-ess', '--yes']), 0);
    const after = await world();
    expectKeptByEss(before, after);
    expect(after.held).toEqual(before.held);
    expect(wrappedBy(after.rows)).toEqual({ [after.held.currentKid]: 100 });
    expect(await essEnvironment(admin)).toEqual(environment);
    expect((await everythingOpens(admin)).wrong).toEqual([]);
  });

  test('nek-rotation gives the named namespaces a new key, for new secrets', async () => {
    const operator = await administrator();
    const [before, environment] = [await world(), await essEnvironment(admin)];
    const namespaces = ['nvcf', 'tenant-01'];
    expectExit(
      await operator.run(['exec', 'nek-rotation', '--yes', '--input', `namespaces=${namespaces.join(',')}`]),
      0,
    );
    const { rotated } = (await outputsOf(operator)) as {
      rotated: { namespace: string; from: string; to: string }[];
    };
    expect(rotated.map(({ namespace }) => namespace).sort()).toEqual(namespaces);
    const after = await world();
    expectKeptByEss(before, after);
    expect(await essEnvironment(admin)).toEqual(environment);
    const place = { namespace: 'nvcf', entityType: 'functions', entityId: 'after', path: 'rotation' };
    expect((await askEss('PUT', place, { user: 'new' })).status).toBe(200);
    const [stored] = await cql(
      "SELECT encrypted_by_kid FROM ess_api.secret_versions_by_entity_and_path WHERE namespace = 'nvcf' AND entity = 'functions/after' AND secret_path = 'rotation'",
    );
    const { from, to } = rotated.find(({ namespace }) => namespace === 'nvcf') ?? {};
    expect(stored?.encrypted_by_kid).toBe(to);
    expect(from).not.toBe(to);
    expect((await everySecretReadable()).wrong).toEqual([]);
  });
});

describe('when keys are lost', () => {
  test('mek-restore-from-backup brings back what the migrations Job overwrote', async () => {
    await reset();
    const operator = await administrator();
    expectExit(await operator.run(['exec', 'backup-openbao', '--yes', ...operator.backup]), 0);
    const { backup } = await outputsOf(operator);
    const before = await world();
    expect((await runMigrations({ readFails: true })).succeeded).toBe(true);
    const overwritten = await heldKeys();
    expect(overwritten.keys.filter((key) => before.held.keys.includes(key))).toEqual([]);

    const audited = await operator.run(['exec', 'mek-audit']);
    expectExit(audited, 1);
    expect(audited.stdout + audited.stderr).toContain(before.held.currentKid);
    expectExit(
      await operator.run(['exec', 'mek-restore-from-backup', '--yes', '--input', `file=${backup}`]),
      0,
    );
    const after = await world();
    expectKept(before, after);
    expect(after.held.keys).toEqual(expect.arrayContaining([...overwritten.keys]));
    expect(after.held.currentKid).toBe(overwritten.currentKid);
    expect(await everythingOpens(admin)).toEqual({ asked: 66, wrong: [] });
    expectExit(await operator.run(['exec', 'nek-reencryption', '--yes']), 0);
    expect((await everythingOpens(admin)).wrong).toEqual([]);
  });

  test('mek-audit names what the published procedure destroyed, and mek-repair-private-jwks repairs it', async () => {
    await reset();
    await allowBlindWrites();
    const before = await world();
    const fresh = masterKey(timeUuid(Date.now()));
    const rotated = keySet([fresh, ...readKeySet(before.held.fields.keys)]);
    await writeMasterKeys({
      keys: rotated,
      private_jwks: rotated,
      current_kid: fresh.kid,
      jwe_mapping: JSON.stringify({ payload_jwe_kid: fresh.kid }),
    });
    await replacePods(admin, 'apiKeys');
    expect((await everyApiKeyValid()).wrong).toHaveLength(6);
    await issueApiKey('after-the-damage');

    const operator = await administrator();
    const audited = await operator.run(['exec', 'mek-audit']);
    expectExit(audited, 1);
    expect(audited.stdout + audited.stderr).toMatch(
      new RegExp(`private_jwks[^\\n]*${before.held.currentKid}`),
    );
    expectExit(await operator.run(['exec', 'mek-repair-private-jwks', '--yes', ...operator.backup]), 0);
    const after = await world();
    expectKept(before, after);
    expect(after.held.currentKid).toBe(fresh.kid);
    expect(await everythingOpens(admin)).toEqual({ asked: 67, wrong: [] });
    await expectAuditClean(operator);
  });
});

test('no secret of all these runs stands in a log, journal, file, output or argument', async () => {
  const scanner = canaryScanner([...secrets.values()]);
  const api = readFileSync(stack.auditLog ?? '').subarray(auditSince.api);
  const openbao = Buffer.from(openBaoAuditText(auditSince.openbao));
  expect(api.length).toBeGreaterThan(100_000);
  expect(openbao.length).toBeGreaterThan(10_000);
  expect(said.length).toBeGreaterThan(50);
  expect(scanner.find(api)).toEqual([]);
  expect(scanner.find(openbao)).toEqual([]);
  expect([...new Set(said.flatMap((content) => scanner.find(content)))]).toEqual([]);
  // The scanner does find them where they are.
  expect(scanner.find((await heldKeys()).fields.keys)).not.toEqual([]);
  expect(scanner.find(`--token=${token}`)).toContain('the token');
});
