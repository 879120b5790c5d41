import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Connection, connect, isReady } from './api.ts';
import { withCassandra } from './cassandra.ts';
import {
  askEss,
  cql,
  ensureUp,
  everySecretReadable,
  readMasterKeys,
  reset,
  writeMasterKeys,
} from './control.ts';
import {
  keySet,
  type MasterKeyFields,
  masterKey,
  masterKeyFields,
  type NamedKey,
  type NamespaceKeyRow,
  namespaceKey,
  namespaceKeyRow,
  readKeySet,
  timeUuid,
} from './key-format.ts';
import { insertKeyRows, insertSecrets, makeNamespace, makeSecret, type Namespace } from './key-rows.ts';
import { patchDeployment, setEnvironment } from './patches.ts';
import { waitFor } from './shell.ts';
import { podsOf } from './workloads.ts';

const table = 'ess_api.encryption_keys_by_kid_and_encrypted_at';
const place = { namespace: 'ess', name: 'ess-api-deployment', container: 'helm-nvcf-ess-api' };
let admin: Connection;
let master: NamedKey;
let documentBefore: MasterKeyFields;

beforeAll(async () => {
  admin = connect((await ensureUp()).kubeconfig);
  await reset();
  documentBefore = (await readMasterKeys()).fields as MasterKeyFields;
  master = readKeySet(documentBefore.keys)[0] ?? masterKey('');
  await setEnvironment(admin, place, { CACHE_TTL_SECONDS: '0' });
});

afterAll(reset);

/** A namespace with one key and a secret under it, and the newest row of the key. */
async function prepare(): Promise<{ space: Namespace; key: NamedKey; row: NamespaceKeyRow; read: Read }> {
  const since = Date.now() - 30 * 24 * 3600 * 1000;
  const space = makeNamespace(`case-${randomUUID()}`, { keys: 1, master, since });
  const secret = makeSecret(space);
  await withCassandra(admin, async (client) => {
    await insertKeyRows(client, space.rows);
    await insertSecrets(client, [secret]);
  });
  const read = async () => (await askEss('GET', secret)).status;
  const [key] = space.keys;
  const [row] = space.rows;
  if (key === undefined || row === undefined) throw new Error('there is no key');
  expect(await read()).toBe(200);
  return { space, key, row, read };
}

type Read = () => Promise<number>;

/** A second row of the same key, newer than the first. */
function rewrapped(
  key: NamedKey,
  row: NamespaceKeyRow,
  under: NamedKey,
  changes: Partial<NamespaceKeyRow> = {},
): NamespaceKeyRow {
  const encryptedAt = Date.now();
  const { namespace, createdAt } = row;
  return {
    ...namespaceKeyRow(key, under, { namespace, createdAt, encryptedAt, status: 'VALIDATED' }),
    ...changes,
  };
}

async function insert(row: NamespaceKeyRow): Promise<void> {
  await withCassandra(admin, (client) => insertKeyRows(client, [row]));
}

const unknown = masterKey(timeUuid(Date.now()));

describe('a newer row that ESS skips, so that the older one is used', () => {
  const cases: [
    what: string,
    make: (key: NamedKey, row: NamespaceKeyRow, other: NamespaceKeyRow) => NamespaceKeyRow,
  ][] = [
    [
      'is pending, under a master key that nobody has',
      (key, row) => rewrapped(key, row, unknown, { status: 'PENDING_REENCRYPTION' }),
    ],
    ['is under a master key that nobody has', (key, row) => rewrapped(key, row, unknown)],
    ['is under other bytes with the same name', (key, row) => rewrapped(key, row, masterKey(master.kid))],
    [
      'has the ciphertext of another namespace',
      (key, row, other) => rewrapped(key, row, master, { encryptedKey: other.encryptedKey }),
    ],
    [
      'says another time in its header',
      (key, row) => rewrapped(key, row, master, { encryptedAt: Date.now() + 5 }),
    ],
    [
      'has microseconds in its column',
      (key, row) => rewrapped(key, row, master, { encryptedAt: Date.now() * 1000 }),
    ],
    [
      'names another master key than its header',
      (key, row) => rewrapped(key, row, master, { encryptedByKid: timeUuid(Date.now()) }),
    ],
    ['has another key inside', (key, row) => ({ ...rewrapped(namespaceKey(), row, master), kid: key.kid })],
    ['is no JWE', (key, row) => rewrapped(key, row, master, { encryptedKey: 'garbage' })],
  ];
  test.each(cases)('%s', async (_what, make) => {
    const { key, row, read } = await prepare();
    const other = await prepare();
    await insert(make(key, row, other.row));
    expect(await read()).toBe(200);
  });
});

describe('a newer row with which the whole key fails', () => {
  test('has no status', async () => {
    const { key, row, read } = await prepare();
    const fresh = rewrapped(key, row, master);
    await insert(fresh);
    expect(await read()).toBe(200);
    await cql(`DELETE status FROM ${table} WHERE namespace = ? AND kid = ? AND encrypted_at = ?`, [
      fresh.namespace,
      fresh.kid,
      new Date(fresh.encryptedAt),
    ]);
    expect(await read()).toBe(500);
  });

  test('is the ghost that promoting a row that is not there leaves', async () => {
    const { row, read } = await prepare();
    await cql(
      `UPDATE ${table} SET status = 'VALIDATED' WHERE namespace = ? AND kid = ? AND encrypted_at = ?`,
      [row.namespace, row.kid, new Date(row.encryptedAt + 1)],
    );
    expect(await read()).toBe(500);
  });

  test('has a header without an algorithm', async () => {
    const { key, row, read } = await prepare();
    const header = Buffer.from(JSON.stringify({ alg: 'none', kid: master.kid })).toString('base64url');
    await insert(rewrapped(key, row, master, { encryptedKey: `${header}..AAAA.AAAA.AAAA` }));
    expect(await read()).toBe(500);
  });
});

test('a namespace without a key gets one at its first write, and only one from two pods', async () => {
  await patchDeployment(admin, place, { replicas: 2 });
  const pods = (await podsOf(admin, 'ess', 'app.kubernetes.io/name=helm-nvcf-ess-api')).filter(isReady);
  expect(pods).toHaveLength(2);
  const namespace = `new-${randomUUID()}`;
  const secret = (index: number) => ({
    namespace,
    entityType: 'functions',
    entityId: randomUUID(),
    path: `a/${index}`,
  });
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, index) => askEss('PUT', secret(index), { index }, index % 2)),
  );
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  const rows = await cql(`SELECT kid, current_kid, status FROM ${table} WHERE namespace = ?`, [namespace]);
  expect(rows.map(({ status }) => status)).toEqual(rows.map(() => 'CREATION_VALIDATED'));
  const secrets = await cql(
    'SELECT namespace, encrypted_by_kid FROM ess_api.secret_versions_by_entity_and_path',
  );
  const used = secrets.filter((row) => row.namespace === namespace).map((row) => row.encrypted_by_kid);
  expect(new Set(used)).toEqual(new Set([rows[0]?.current_kid]));
  expect((await everySecretReadable()).wrong).toEqual([]);
  await patchDeployment(admin, place, { replicas: 1 });
});

describe("the operator's toggles", () => {
  const common = { JOBS_SECONDS: '2', ENCRYPTION_MEKROTATIONGRACEPERIOD: 'PT0S' };

  test('make ESS wrap every key again under the first master key, and use the new rows', async () => {
    await reset();
    const fresh = masterKey(timeUuid(Date.now()));
    const privateKeys = readKeySet(documentBefore.private_jwks);
    await writeMasterKeys({
      ...masterKeyFields([fresh, master], privateKeys),
      private_jwks: keySet(privateKeys),
    });
    await setEnvironment(admin, place, {
      ...common,
      ENCRYPTION_REENCRYPTION_ENABLED: 'true',
      ENCRYPTION_REENCRYPTION_SCHEDULED_ENABLED: 'true',
      ENCRYPTION_REENCRYPTION_SCHEDULED_PERIOD: 'PT0S',
      ENCRYPTION_PROMOTION_ENABLED: 'true',
      ENCRYPTION_PROMOTION_SCHEDULED_ENABLED: 'true',
    });
    const columns = 'namespace, kid, encrypted_at, encrypted_by_kid, status';
    await waitFor(
      async () => {
        const rows = await cql(`SELECT ${columns} FROM ${table}`);
        const done = rows.filter((row) => row.encrypted_by_kid === fresh.kid && row.status === 'VALIDATED');
        return new Set(done.map(({ namespace, kid }) => `${namespace} ${kid}`)).size === 100;
      },
      { what: '100 keys under the new master key', seconds: 120 },
    );
    // What is left of the old master key is needed no more.
    await writeMasterKeys(masterKeyFields([fresh], privateKeys));
    await waitFor(async () => (await loadedKids()).length === 1, {
      what: 'ESS to forget the old key',
      seconds: 60,
    });
    expect(await everySecretReadable()).toEqual({ asked: 60, wrong: [] });
  });

  test('make ESS give a namespace a new key, which only a promotion makes the current one', async () => {
    await reset();
    const before = await currentKid('nvcf');
    await setEnvironment(admin, place, {
      ...common,
      ENCRYPTION_ROTATION_ALWAYSROTATELIST: 'nvcf',
      ENCRYPTION_ROTATION_SCHEDULED_ENABLED: 'true',
    });
    await waitFor(async () => (await statuses('nvcf')).includes('PENDING_ROTATION'), {
      what: 'a pending key',
      seconds: 60,
    });
    expect(await currentKid('nvcf')).toBe(before);
    await setEnvironment(admin, place, {
      ENCRYPTION_PROMOTION_ALLOWLIST: 'nvcf',
      ENCRYPTION_PROMOTION_SCHEDULED_ENABLED: 'true',
    });
    await waitFor(async () => (await currentKid('nvcf')) !== before, {
      what: 'the new key to be current',
      seconds: 60,
    });
    expect((await everySecretReadable()).wrong).toEqual([]);
  });
});

async function loadedKids(): Promise<string[]> {
  const [pod] = (await podsOf(admin, 'ess', 'app.kubernetes.io/name=helm-nvcf-ess-api')).filter(isReady);
  const log = await admin.core.readNamespacedPodLog({ namespace: 'ess', name: pod?.metadata?.name ?? '' });
  return [...log.matchAll(/allMasterKeys\. Kids: \[(.*)\]/g)].at(-1)?.[1]?.split(', ') ?? [];
}

async function currentKid(namespace: string): Promise<unknown> {
  return (await cql(`SELECT current_kid FROM ${table} WHERE namespace = ? LIMIT 1`, [namespace]))[0]
    ?.current_kid;
}

async function statuses(namespace: string): Promise<unknown[]> {
  return (await cql(`SELECT status FROM ${table} WHERE namespace = ?`, [namespace])).map(
    ({ status }) => status,
  );
}
