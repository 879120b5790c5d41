import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { type Client, types } from 'cassandra-driver';
import {
  type NamedKey,
  type NamespaceKeyRow,
  namespaceKey,
  namespaceKeyRow,
  secretJwe,
  timeUuid,
} from './key-format.ts';

/** One namespace of ESS with its keys, the newest being the current one. */
export interface Namespace {
  namespace: string;
  keys: NamedKey[];
  rows: NamespaceKeyRow[];
}

/** One stored secret, and what must come back when it is read. */
export interface Secret {
  namespace: string;
  entityType: string;
  entityId: string;
  path: string;
  /** A timeuuid. */
  version: string;
  value: string;
  encryptedByKid: string;
  /** Lower-case hex SHA-256 of the JSON text of its data. */
  digest: string;
}

/** One issued API key with its rows' content. */
export interface ApiKey {
  key: string;
  keyId: string;
  owner: string;
  keyDetails: string;
}

const table = 'ess_api.encryption_keys_by_kid_and_encrypted_at';
const day = 24 * 3600 * 1000;

/** Keys of one namespace under one master key, made one after the other since some moment. */
export function makeNamespace(
  namespace: string,
  { keys: count, master, since }: { keys: number; master: NamedKey; since: number },
): Namespace {
  const keys = Array.from({ length: count }, namespaceKey);
  const age = Math.max(1, (Date.now() - day - since) / count);
  const rows = keys.map((key, index) => {
    const createdAt = Math.floor(since + index * age + Math.random() * age);
    const status = index === count - 1 ? 'CREATION_VALIDATED' : 'VALIDATED';
    const row = { namespace, createdAt: timeUuid(createdAt), encryptedAt: createdAt, status };
    return namespaceKeyRow(key, master, row);
  });
  return { namespace, keys, rows };
}

/** A secret with random content under one of a namespace's keys. */
export function makeSecret({ namespace, keys }: Namespace): Secret {
  const key = keys[Math.floor(Math.random() * keys.length)] ?? namespaceKey();
  const data = { user: 'worker', password: randomBytes(24).toString('base64url') };
  return {
    namespace,
    entityType: 'functions',
    entityId: randomUUID(),
    path: 'registry/credentials',
    version: timeUuid(Date.now() - day),
    value: secretJwe(key, data),
    encryptedByKid: key.kid,
    digest: digestOf(data),
  };
}

/** A fresh API key whose details are encrypted already. */
export function makeApiKey(owner: string, keyDetails: string): ApiKey {
  return { key: `nvapi-${randomBytes(32).toString('base64url')}`, keyId: randomUUID(), owner, keyDetails };
}

/** What is compared when a secret is read: the hash of its data as JSON. */
export function digestOf(data: unknown): string {
  return createHash('sha256').update(JSON.stringify(data)).digest('hex');
}

/** Writes key rows, those of a namespace in batches, and makes the last key of each namespace its current one. */
export async function insertKeyRows(client: Client, rows: readonly NamespaceKeyRow[]): Promise<void> {
  const byNamespace = new Map<string, NamespaceKeyRow[]>();
  for (const row of rows) {
    const group = byNamespace.get(row.namespace);
    if (group === undefined) byNamespace.set(row.namespace, [row]);
    else group.push(row);
  }
  const batches = [...byNamespace].flatMap(([namespace, all]) => {
    const current = { namespace, kid: all.at(-1)?.kid ?? '' };
    const chunks = Array.from({ length: Math.ceil(all.length / 50) }, (_, index) =>
      all.slice(index * 50, index * 50 + 50),
    );
    return chunks.map((chunk) => [...chunk.map(rowStatement), currentKeyStatement(current)]);
  });
  await inParallel(batches, (batch) => client.batch(batch, { prepare: true, logged: false }));
}

/** Writes secrets where ESS looks for them. */
export async function insertSecrets(client: Client, secrets: readonly Secret[]): Promise<void> {
  await inParallel(secrets, async (secret) => {
    const { namespace, entityType, entityId, path, version, value, encryptedByKid } = secret;
    const at = types.TimeUuid.fromString(version);
    await client.execute(
      'INSERT INTO ess_api.secret_versions_by_entity_and_path (namespace, entity, secret_path, version, ' +
        'current_version, value, created_at, encrypted_at, encrypted_by_kid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      [
        namespace,
        `${entityType}/${entityId}`,
        path,
        at,
        at,
        value,
        at.getDate(),
        at.getDate(),
        encryptedByKid,
      ],
    );
  });
}

/** Writes issued API keys into both of their tables. */
export async function insertApiKeys(client: Client, apiKeys: readonly ApiKey[]): Promise<void> {
  await inParallel(apiKeys, async ({ key, keyId, owner, keyDetails }) => {
    const hash = createHash('sha256').update(key).digest('hex');
    const expires = new Date(Date.now() + 300 * day);
    const row = [hash, keyId, 'account', owner, 'nvcf-api', keyDetails, new Date(), expires];
    const columns =
      'api_key_hash, key_id, owner_type, owner_id, issuer_service_id, key_details, created_at, expires_at';
    for (const name of ['keys', 'keys_by_owner_and_service'])
      await client.execute(
        `INSERT INTO api_keys_api.${name} (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        row,
      );
  });
}

function rowStatement(row: NamespaceKeyRow) {
  const { namespace, kid, encryptedAt, createdAt, encryptedByKid, encryptedKey, status } = row;
  return {
    query: `INSERT INTO ${table} (namespace, kid, encrypted_at, created_at, encrypted_by_kid, encrypted_key, status) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    params: [namespace, kid, new Date(encryptedAt), createdAt, encryptedByKid, encryptedKey, status],
  };
}

function currentKeyStatement({ namespace, kid }: { namespace: string; kid: string }) {
  return { query: `INSERT INTO ${table} (namespace, current_kid) VALUES (?, ?)`, params: [namespace, kid] };
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}
