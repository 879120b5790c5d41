import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import type { Client } from 'cassandra-driver';
import { type Connection, isReady } from './api.ts';
import { emptyTables, ensureSchema, restoreLedger, withCassandra } from './cassandra.ts';
import { fieldsDigest } from './doubles/lib/jwk-set.ts';
import { insertApiKeys, insertKeyRows, insertSecrets } from './key-rows.ts';
import { cassandraNamespace } from './manifests/cassandra.ts';
import { cassandraPods } from './manifests/cassandra-config.ts';
import { ledgerFolder } from './manifests/double.ts';
import { ensureOpenBaoContent, restoreMasterKeys } from './openbao-content.ts';
import { loadSeedData, type SeedData } from './seed-data.ts';
import { waitFor } from './shell.ts';
import { podsOf } from './workloads.ts';

/** Services that hold keys of the master key document, and how their pods are found. */
export const keyHolders = [
  { namespace: 'ess', selector: 'app.kubernetes.io/name=helm-nvcf-ess-api', fields: ['keys'] },
  {
    namespace: 'api-keys',
    selector: 'app.kubernetes.io/name=helm-nvcf-api-keys',
    fields: ['private_jwks', 'current_kid'],
  },
  { namespace: 'nvcf', selector: 'app.kubernetes.io/name=helm-nvcf-api', fields: ['keys', 'current_kid'] },
] as const;

/** Gives OpenBao its mounts and documents, and the master key document its first version. */
export async function restoreOpenBaoContent(connection: Connection): Promise<void> {
  const seed = await loadSeedData();
  // The leader may just be changing.
  await waitFor(
    async () => {
      await ensureOpenBaoContent(connection, seed);
      await restoreMasterKeys(connection, seed.masterKeys);
      return true;
    },
    { what: 'the documents to be in OpenBao', seconds: 120, everyMs: 1_000 },
  );
}

/** Gives Cassandra its tables and first rows. True if there were others. */
export async function restoreCassandraContent(
  connection: Connection,
  { schema }: { schema: boolean },
): Promise<boolean> {
  const seed = await loadSeedData();
  await waitForCassandra(connection);
  if (schema) await ensureSchema(connection, seed.passwords);
  const changed = await withCassandra(connection, async (client) => {
    await restoreLedger(client);
    if (await holdsSeed(client, seed)) return false;
    await emptyTables(client);
    await insertKeyRows(client, seed.keyRows);
    await insertSecrets(client, seed.secrets);
    await insertApiKeys(client, seed.apiKeys);
    return true;
  });
  restoreLedgers(seed);
  return changed;
}

/** Pods that hold other keys than the seed's, or whose rows were replaced behind their back. */
export async function stalePods(connection: Connection, rowsChanged: boolean): Promise<V1Pod[]> {
  const { masterKeys } = await loadSeedData();
  const stale = await Promise.all(
    keyHolders.map(async ({ namespace, selector, fields }) => {
      const wanted = fieldsDigest(...fields.map((field) => masterKeys[field]));
      const pods = (await podsOf(connection, namespace, selector)).filter(isReady);
      const loaded = await Promise.all(pods.map(loadedDigest));
      return pods.filter((_, index) => loaded[index] !== wanted || (rowsChanged && namespace === 'ess'));
    }),
  );
  return stale.flat();
}

/** Waits until all nodes of Cassandra take clients. */
export async function waitForCassandra(connection: Connection): Promise<void> {
  await waitFor(
    async () => {
      const pods = await podsOf(connection, cassandraNamespace, 'app.kubernetes.io/name=cassandra');
      return pods.length === cassandraPods.length && pods.every(isReady);
    },
    { what: 'three nodes of Cassandra', seconds: 400, everyMs: 300 },
  );
}

/** Which keys a pod says it has loaded; undefined if it does not answer. */
async function loadedDigest({ status }: V1Pod): Promise<string | undefined> {
  try {
    const response = await fetch(`http://${status?.podIP}:8080/v1/loaded`, {
      signal: AbortSignal.timeout(3_000),
    });
    return ((await response.json()) as { digest: string }).digest;
  } catch {
    return undefined;
  }
}

async function holdsSeed(client: Client, seed: SeedData): Promise<boolean> {
  const [keyRows, currentKids, secrets, apiKeys, owned] = await Promise.all([
    values(client, 'ess_api.encryption_keys_by_kid_and_encrypted_at', 'encrypted_key, status'),
    values(client, 'ess_api.encryption_keys_by_kid_and_encrypted_at', 'DISTINCT namespace, current_kid'),
    values(client, 'ess_api.secret_versions_by_entity_and_path', 'value'),
    values(client, 'api_keys_api.keys', 'key_details'),
    values(client, 'api_keys_api.keys_by_owner_and_service', 'key_details'),
  ]);
  const lastKids = new Map(seed.keyRows.map(({ namespace, kid }) => [namespace, kid]));
  const details = seed.apiKeys.map(({ keyDetails }) => keyDetails);
  return (
    same(
      keyRows,
      seed.keyRows.map(({ encryptedKey, status }) => `${encryptedKey} ${status}`),
    ) &&
    same(
      currentKids,
      [...lastKids].map((entry) => entry.join(' ')),
    ) &&
    same(
      secrets,
      seed.secrets.map(({ value }) => value),
    ) &&
    same(apiKeys, details) &&
    same(owned, details)
  );
}

/** All rows of a table as text; a table with more rows than any seed has is read no further. */
async function values(client: Client, table: string, columns: string): Promise<string[]> {
  const { rows } = await client.execute(`SELECT ${columns} FROM ${table} LIMIT 1000`);
  return rows.map((row) => row.values().join(' '));
}

function same(found: string[], wanted: string[]): boolean {
  return JSON.stringify([...found].sort()) === JSON.stringify([...wanted].sort());
}

// What the seed holds counts as acknowledged.
function restoreLedgers(seed: SeedData): void {
  const entries = {
    'ess-api': seed.secrets.map(({ namespace, entityType, entityId, path: secretPath, digest }) => ({
      at: 0,
      namespace,
      entityType,
      entityId,
      path: secretPath,
      digest,
    })),
    'api-keys': seed.apiKeys.map(({ key }) => ({ at: 0, key })),
  } as const;
  for (const [program, lines] of Object.entries(entries)) {
    const folder = ledgerFolder(program as keyof typeof entries);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // The folder itself is mounted in pods.
    for (const name of readdirSync(folder)) rmSync(path.join(folder, name));
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    writeFileSync(path.join(folder, 'seed.jsonl'), text, { mode: 0o600 });
  }
}
