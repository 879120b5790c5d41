import { compactDecrypt } from 'jose';
import { describe, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { activateKey, appendKey, documentOf, newer, openKeys, setOf } from './keys-rig.ts';
import { never, pass } from './rig.ts';

const MINUTE = 60_000;
const [fresh] = newer;

/** Sets the environment of ESS's container, as `kubectl set env` does, and waits until the new pod serves. */
async function setEnv(sandbox: Sandbox, env: Readonly<Record<string, string>>, replicas = 1): Promise<void> {
  const list = Object.entries(env).map(([name, value]) => ({ name, value }));
  await sandbox.services.kubernetes.patch(
    { kind: kinds.deployments, namespace: 'ess', name: 'ess-api-deployment' },
    {
      type: 'strategic',
      body: {
        spec: { replicas, template: { spec: { containers: [{ name: 'helm-nvcf-ess-api', env: list }] } } },
      },
    },
  );
  await pass(sandbox, 3 * MINUTE);
}

const reencryption = {
  ENCRYPTION_REENCRYPTION_ENABLED: 'true',
  ENCRYPTION_REENCRYPTION_SCHEDULED_ENABLED: 'true',
  ENCRYPTION_REENCRYPTION_SCHEDULED_PERIOD: 'PT0S',
  ENCRYPTION_REENCRYPTION_SCHEDULED_CRON: '0 */10 * * * *',
  ENCRYPTION_MEKROTATIONGRACEPERIOD: 'PT0S',
};
const promotion = {
  ENCRYPTION_PROMOTION_ENABLED: 'true',
  ENCRYPTION_PROMOTION_SCHEDULED_ENABLED: 'true',
  ENCRYPTION_PROMOTION_SCHEDULED_CRON: '0 5/10 * * * *',
};

function rotateMek(sandbox: Sandbox): void {
  appendKey(sandbox, fresh, 1);
  activateKey(sandbox, fresh);
}

const byStatus = (sandbox: Sandbox, status: string) =>
  sandbox.inspect.nekRows().filter((row) => row.status === status);

async function log(sandbox: Sandbox): Promise<string> {
  const [{ pod } = { pod: '' }] = sandbox.inspect.loaded();
  let text = '';
  const { kubernetes } = sandbox.services;
  for await (const chunk of kubernetes.logs(
    { namespace: 'ess', pod },
    { container: 'helm-nvcf-ess-api' },
    never,
  ))
    text += chunk;
  return text;
}

test('nothing runs in a stock installation', async () => {
  const sandbox = openKeys();
  rotateMek(sandbox);
  const before = sandbox.inspect.nekRows();
  await pass(sandbox, 30 * 24 * 60 * MINUTE);
  expect(sandbox.inspect.nekRows()).toEqual(before);
});

describe('re-encryption', () => {
  test('inserts rows under the new key that wait, and promotion makes them the ones that are used', async () => {
    const sandbox = openKeys();
    rotateMek(sandbox);
    await setEnv(sandbox, reencryption);
    await pass(sandbox, 10 * MINUTE);
    const waiting = byStatus(sandbox, 'PENDING_REENCRYPTION');
    expect(waiting.length).toBeGreaterThanOrEqual(12);
    expect(new Set(waiting.map(({ kid }) => kid)).size).toBe(12);
    const mek = setOf(documentOf(sandbox), 'keys').find(({ kid }) => kid === fresh);
    for (const row of waiting) {
      const opened = await compactDecrypt(row.encryptedKey ?? '', Buffer.from(mek?.k ?? '', 'base64url'));
      expect(opened.protectedHeader).toMatchObject({
        kid: fresh,
        version: 1,
        namespace: row.namespace,
        createdAt: row.createdAt,
        encryptedAt: row.encryptedAt,
      });
    }
    const current = new Map(sandbox.inspect.nekRows().map((row) => [row.namespace, row.currentKid]));
    await setEnv(sandbox, { ...reencryption, ...promotion });
    await pass(sandbox, 12 * MINUTE);
    expect(
      byStatus(sandbox, 'VALIDATED').filter((row) => row.encryptedByKid === fresh).length,
    ).toBeGreaterThanOrEqual(12);
    expect(new Map(sandbox.inspect.nekRows().map((row) => [row.namespace, row.currentKid]))).toEqual(current);
    expect(sandbox.inspect.everySecretReadable({ afterRestart: true }).ok).toBe(true);
    const lines = await log(sandbox);
    expect(lines).toContain('encryption keys re-encryption schedule: 0 */10 * * * *');
    expect(lines).toContain('Starting encryption key promotion');
    expect(lines).toMatch(/Promotion results: promoted \d+ encryption keys, failed to promote 0/);
  });

  test('skips itself within two days of the key, unless the grace period is taken away', async () => {
    const sandbox = openKeys();
    rotateMek(sandbox);
    const { ENCRYPTION_MEKROTATIONGRACEPERIOD: _, ...stock } = reencryption;
    await setEnv(sandbox, stock);
    await pass(sandbox, 20 * MINUTE);
    expect(byStatus(sandbox, 'PENDING_REENCRYPTION')).toEqual([]);
    expect(await log(sandbox)).toContain('was triggered within PT48H of MEK rotation, skipping execution');
  });

  test('leaves alone what was wrapped less than its period ago, and what is under the key already', async () => {
    const sandbox = openKeys();
    const young = sandbox.inspect
      .nekRows()
      .filter(({ encryptedAt }) => sandbox.services.clock.now() - encryptedAt < 77 * 24 * 60 * MINUTE);
    expect(young.length).toBeGreaterThan(0);
    rotateMek(sandbox);
    const { ENCRYPTION_REENCRYPTION_SCHEDULED_PERIOD: _, ...stock } = reencryption;
    await setEnv(sandbox, stock);
    await pass(sandbox, 12 * MINUTE);
    const kids = new Set(byStatus(sandbox, 'PENDING_REENCRYPTION').map(({ kid }) => kid));
    expect(kids.size).toBeGreaterThan(0);
    expect(young.filter(({ kid }) => kids.has(kid))).toEqual([]);
  });

  test('of several replicas does the work several times', async () => {
    const sandbox = openKeys();
    rotateMek(sandbox);
    await setEnv(sandbox, reencryption, 2);
    const before = byStatus(sandbox, 'PENDING_REENCRYPTION').length;
    await pass(sandbox, 10 * MINUTE);
    expect(byStatus(sandbox, 'PENDING_REENCRYPTION').length - before).toBe(2 * 12);
  });

  test('does nothing while Cassandra has no quorum, and says so', async () => {
    const sandbox = openKeys();
    rotateMek(sandbox);
    await setEnv(sandbox, { ...reencryption, ENCRYPTION_REENCRYPTION_SCHEDULED_CRON: '0 0 * * * *' });
    for (const pod of ['cassandra-0', 'cassandra-1']) sandbox.control.stopNode(pod);
    await pass(sandbox, 61 * MINUTE);
    expect(byStatus(sandbox, 'PENDING_REENCRYPTION')).toEqual([]);
    expect(await log(sandbox)).toContain('Cassandra is not available');
  });
});

describe('rotation', () => {
  test('of the namespaces in its list makes new keys, which promotion makes the current ones', async () => {
    const sandbox = openKeys();
    const before = sandbox.inspect.nekRows('nvcf')[0]?.currentKid;
    await setEnv(sandbox, {
      ENCRYPTION_ROTATION_ALWAYSROTATELIST: 'nvcf,tenant-01',
      ENCRYPTION_ROTATION_SCHEDULED_ENABLED: 'true',
      ENCRYPTION_ROTATION_SCHEDULED_CRON: '0 20 * * * *',
      ...promotion,
    });
    await pass(sandbox, 60 * MINUTE);
    const rows = sandbox.inspect.nekRows('nvcf');
    const current = rows[0]?.currentKid;
    expect(current).not.toBe(before);
    expect(rows.find(({ kid }) => kid === current)?.status).toBe('VALIDATED');
    expect(rows).toHaveLength(5);
    expect(sandbox.inspect.nekRows('tenant-01')).toHaveLength(5);
    expect(sandbox.inspect.nekRows('tenant-02')).toHaveLength(4);
    expect(sandbox.inspect.everySecretReadable({ afterRestart: true }).ok).toBe(true);
  });
});
