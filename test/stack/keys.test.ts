import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Connection, connect, isReady } from './api.ts';
import {
  askActiveOpenBao,
  cassandraPods,
  ensureUp,
  everyApiKeyValid,
  everySecretReadable,
  issueApiKey,
  killPod,
  openBaoAuditLog,
  openBaoAuditOffsets,
  openBaoAuditText,
  pauseCassandra,
  readMasterKeys,
  reset,
  runMigrations,
  seedKeys,
  writeMasterKeys,
} from './control.ts';
import { keySet, type MasterKeyFields, masterKey, readKeySet, timeUuid } from './key-format.ts';
import { waitFor } from './shell.ts';
import { podsOf } from './workloads.ts';

let admin: Connection;

beforeAll(async () => {
  admin = connect((await ensureUp()).kubeconfig);
  await reset();
});

afterEach(reset);

async function fields(): Promise<MasterKeyFields> {
  return (await readMasterKeys()).fields as MasterKeyFields;
}

async function logOf(namespace: string, selector: string): Promise<string> {
  const [pod] = (await podsOf(admin, namespace, selector)).filter(isReady);
  return admin.core.readNamespacedPodLog({ namespace, name: pod?.metadata?.name ?? '' });
}

/** Of the pod that started last, ready or not; empty while its container is being made. */
async function newestLogOf(namespace: string, selector: string): Promise<string> {
  const [pod] = await podsOf(admin, namespace, selector);
  return admin.core.readNamespacedPodLog({ namespace, name: pod?.metadata?.name ?? '' }).catch(() => '');
}

const apiKeys = ['api-keys', 'app.kubernetes.io/name=helm-nvcf-api-keys'] as const;
const ess = ['ess', 'app.kubernetes.io/name=helm-nvcf-ess-api'] as const;

async function restartApiKeys(): Promise<void> {
  const before = await podsOf(admin, ...apiKeys);
  for (const { metadata } of before)
    await admin.core.deleteNamespacedPod({ namespace: 'api-keys', name: metadata?.name ?? '' });
  const gone = new Set(before.map(({ metadata }) => metadata?.uid));
  await waitFor(
    async () => {
      const pods = await podsOf(admin, ...apiKeys);
      return pods.length > 0 && pods.every((pod) => isReady(pod) && !gone.has(pod.metadata?.uid));
    },
    { what: 'API Keys to come back', seconds: 180 },
  );
}

test('a new cluster has one name in both sets, with other bytes, and everything can be read', async () => {
  const { keys, private_jwks: privateJwks, current_kid: current, jwe_mapping: mapping } = await fields();
  const [key, ...more] = readKeySet(keys);
  const [privateKey, ...others] = readKeySet(privateJwks);
  expect([more, others]).toEqual([[], []]);
  expect([key?.kid, privateKey?.kid]).toEqual([current, current]);
  expect(key?.bytes.equals(privateKey?.bytes ?? Buffer.alloc(0))).toBe(false);
  expect(JSON.parse(mapping)).toEqual({ payload_jwe_kid: current });
  expect(await everySecretReadable()).toEqual({ asked: 60, wrong: [] });
  expect(await everyApiKeyValid()).toEqual({ asked: 6, wrong: [] });
});

test('the published rotation breaks every older API key as soon as API Keys restarts', async () => {
  await issueApiKey('before-the-rotation');
  const before = await fields();
  const fresh = masterKey(timeUuid(Date.now()));
  const rotated = keySet([fresh, ...readKeySet(before.keys)]);
  await writeMasterKeys({
    keys: rotated,
    private_jwks: rotated,
    current_kid: fresh.kid,
    jwe_mapping: JSON.stringify({ payload_jwe_kid: fresh.kid }),
  });
  expect((await everyApiKeyValid()).wrong).toEqual([]);

  await restartApiKeys();
  const { asked, wrong } = await everyApiKeyValid();
  expect([asked, wrong.length]).toEqual([7, 7]);
  expect(await logOf(...apiKeys)).toContain('Failed to decrypt JWT, error was: ');
  expect((await everySecretReadable()).wrong).toEqual([]);

  const kept = keySet([fresh, ...readKeySet(before.private_jwks)]);
  await writeMasterKeys({ ...(await fields()), private_jwks: kept });
  await restartApiKeys();
  await issueApiKey('after-the-repair');
  expect(await everyApiKeyValid()).toEqual({ asked: 8, wrong: [] });
});

test('a reset spares no pod that read other keys and was not ready yet', async () => {
  await writeMasterKeys({
    ...(await fields()),
    private_jwks: keySet([masterKey(timeUuid(Date.now()))]),
  });
  cassandraPods.forEach(pauseCassandra);
  const [before] = await podsOf(admin, ...apiKeys);
  await killPod('api-keys', before?.metadata?.name ?? '');
  await waitFor(async () => (await newestLogOf(...apiKeys)).includes('Loaded private JWKs'), {
    what: 'a new pod of API Keys to read the document',
    seconds: 120,
  });
  await reset();
  expect(await everyApiKeyValid()).toEqual({ asked: 6, wrong: [] });
});

describe('ESS', () => {
  test('loads an appended key by its own schedule, says so, and keeps the first one', async () => {
    const before = await fields();
    const fresh = masterKey(timeUuid(Date.now()));
    await writeMasterKeys({ ...before, keys: keySet([...readKeySet(before.keys), fresh]) });
    await waitFor(
      async () =>
        (await logOf(...ess)).includes(`Loaded 2 allMasterKeys. Kids: [${before.current_kid}, ${fresh.kid}]`),
      { what: 'ESS to load the appended key', seconds: 60 },
    );
    const lines = (await logOf(...ess)).split('\n').filter((line) => line.includes('Loaded masterKey.'));
    expect(lines.at(-1)).toMatch(new RegExp(`Current kid: ${before.current_kid}$`));
  });

  test('has no keys after a document that it refuses, until a good one comes', async () => {
    const before = await fields();
    const [key] = readKeySet(before.keys);
    const random = masterKey(crypto.randomUUID());
    await writeMasterKeys({ ...before, keys: keySet(key === undefined ? [random] : [random, key]) });
    await waitFor(async () => (await everySecretReadable()).wrong.length === 60, {
      what: 'ESS to refuse the document',
      seconds: 60,
    });
    expect(await logOf(...ess)).toContain(`Current MEK ${random.kid} is not a UUIDv1`);
    await writeMasterKeys(before);
    await waitFor(async () => (await everySecretReadable()).wrong.length === 0, {
      what: 'ESS to load the old document again',
      seconds: 60,
    });
  });

  test('reads the secrets of a seed of many keys', async () => {
    await seedKeys({ namespaces: 40, neksPerNamespace: 60, secrets: 100 });
    expect(await everySecretReadable()).toEqual({ asked: 160, wrong: [] });
  });
});

describe('the migrations Job', () => {
  test('leaves the document alone when it can read it', async () => {
    const { version } = await readMasterKeys();
    expect(await runMigrations()).toMatchObject({
      succeeded: true,
      log: expect.stringContaining('exists, nothing to write'),
    });
    expect((await readMasterKeys()).version).toBe(version);
  });

  test('replaces every key when its read fails for a moment', async () => {
    const before = await readMasterKeys();
    expect((await runMigrations({ readFails: true })).succeeded).toBe(true);
    const after = await readMasterKeys();
    expect(after.version).toBe(before.version + 1);
    expect(after.fields.current_kid).not.toBe(before.fields.current_kid);
    expect(readKeySet(after.fields.keys ?? '')).toHaveLength(1);
    await waitFor(async () => (await everySecretReadable()).wrong.length === 60, {
      what: 'every secret to be lost',
      seconds: 60,
    });
  });

  test('is refused where the document demands check-and-set', async () => {
    const before = await readMasterKeys();
    await askActiveOpenBao('POST', 'services/all/kv/metadata/encryption/keys/stored_data', {
      cas_required: true,
    });
    expect((await runMigrations({ readFails: true })).succeeded).toBe(false);
    expect(await readMasterKeys()).toEqual(before);
  });
});

test("OpenBao's audit log tells who read and wrote what, and carries no key", async () => {
  const since = openBaoAuditOffsets();
  const before = await fields();
  const fresh = masterKey(timeUuid(Date.now()));
  await writeMasterKeys({ ...before, keys: keySet([...readKeySet(before.keys), fresh]) });
  const path = 'services/all/kv/data/encryption/keys/stored_data';
  const writes = await waitFor(
    async () => {
      const found = openBaoAuditLog(since).filter(
        ({ type, request }) =>
          type === 'response' && request.path === path && /^(create|update)$/.test(request.operation),
      );
      return found.length > 0 && found;
    },
    { what: 'the audit entry', seconds: 30 },
  );
  expect(writes).toHaveLength(1);
  const text = openBaoAuditText();
  for (const { bytes } of [...readKeySet(before.keys), fresh])
    expect(text).not.toContain(bytes.toString('base64url'));
  expect(text).not.toContain(before.keys);
});
