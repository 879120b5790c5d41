import { type Client, types } from 'cassandra-driver';
import type { KeyRow } from './namespace-keys.ts';

const keyTable = 'encryption_keys_by_kid_and_encrypted_at';
const keyColumns = 'namespace, kid, encrypted_at, created_at, encrypted_by_kid, encrypted_key, status';
const secretTable = 'secret_versions_by_entity_and_path';

/** Where one secret lies. */
export interface SecretAddress {
  namespace: string;
  entityType: string;
  entityId: string;
  path: string;
}

export type EssStore = ReturnType<typeof createStore>;

/** ESS's rows in Cassandra. */
export function createStore(client: Client) {
  const select = async (where: string, parameters: unknown[]) => {
    const rows = await allRows(client, `SELECT ${keyColumns} FROM ${keyTable} ${where}`, parameters);
    // A partition may hold nothing but its static column.
    return rows.filter((row) => row.get('kid') !== null).map(toKeyRow);
  };
  return {
    keyRows: (namespace: string, kid: string) => select('WHERE namespace = ? AND kid = ?', [namespace, kid]),
    namespaceRows: (namespace: string) => select('WHERE namespace = ?', [namespace]),

    async namespaces(): Promise<string[]> {
      const rows = await allRows(client, `SELECT DISTINCT namespace FROM ${keyTable}`, []);
      return rows.map((row) => row.get('namespace') as string);
    },

    async currentKid(namespace: string): Promise<string | undefined> {
      const query = `SELECT current_kid FROM ${keyTable} WHERE namespace = ? LIMIT 1`;
      const { rows } = await client.execute(query, [namespace]);
      return (rows[0]?.get('current_kid') as string | null | undefined) ?? undefined;
    },

    async insertKey(row: KeyRow): Promise<void> {
      const { namespace, kid, encryptedAt, createdAt, encryptedByKid, encryptedKey, status } = row;
      await client.execute(`INSERT INTO ${keyTable} (${keyColumns}) VALUES (?, ?, ?, ?, ?, ?, ?)`, [
        namespace,
        kid,
        new Date(encryptedAt),
        createdAt,
        encryptedByKid,
        encryptedKey,
        status,
      ]);
    },

    /** Makes a key the current one of a namespace that has none. */
    async claimCurrent(namespace: string, kid: string): Promise<void> {
      const query = `UPDATE ${keyTable} SET current_kid = ? WHERE namespace = ? IF current_kid = null`;
      await client.execute(query, [kid, namespace], {
        serialConsistency: types.consistencies.localSerial,
        isIdempotent: false,
      });
    },

    async promote({ namespace, kid, encryptedAt }: KeyRow, makeCurrent: boolean): Promise<void> {
      const key = [namespace, kid, new Date(encryptedAt)];
      const where = 'WHERE namespace = ? AND kid = ? AND encrypted_at = ?';
      await client.execute(
        `UPDATE ${keyTable} SET status = 'VALIDATED'${makeCurrent ? ', current_kid = ?' : ''} ${where}`,
        makeCurrent ? [kid, ...key] : key,
      );
    },

    async writeSecret(at: SecretAddress, value: string, kid: string): Promise<string> {
      const entity = `${at.entityType}/${at.entityId}`;
      const version = types.TimeUuid.now();
      const now = new Date();
      await client.execute(
        `INSERT INTO ${secretTable} (namespace, entity, secret_path, version, current_version, value, created_at, ` +
          'encrypted_at, encrypted_by_kid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
        [at.namespace, entity, at.path, version, version, value, now, now, kid],
      );
      await client.execute(
        'INSERT INTO secret_paths_by_entity (namespace, entity, path, updated_at, entity_version, is_dir) ' +
          'VALUES (?, ?, ?, ?, ?, false)',
        [at.namespace, entity, at.path, version, version],
      );
      return version.toString();
    },

    async readSecret(
      at: SecretAddress,
      version?: string,
    ): Promise<{ version: string; value: string; kid: string } | undefined> {
      const query = `SELECT version, current_version, value, encrypted_by_kid FROM ${secretTable} WHERE namespace = ? AND entity = ? AND secret_path = ?`;
      const { rows } = await client.execute(query, [
        at.namespace,
        `${at.entityType}/${at.entityId}`,
        at.path,
      ]);
      const row = rows.find(
        (candidate) =>
          String(candidate.get('version')) === (version ?? String(candidate.get('current_version'))),
      );
      return row === undefined
        ? undefined
        : { version: String(row.get('version')), value: row.get('value'), kid: row.get('encrypted_by_kid') };
    },

    async deleteSecret(at: SecretAddress): Promise<void> {
      const key = [at.namespace, `${at.entityType}/${at.entityId}`, at.path];
      await client.execute(
        `DELETE FROM ${secretTable} WHERE namespace = ? AND entity = ? AND secret_path = ?`,
        key,
      );
      await client.execute(
        'DELETE FROM secret_paths_by_entity WHERE namespace = ? AND entity = ? AND path = ?',
        key,
      );
    },
  };
}

/** Of all pages. */
async function allRows(client: Client, query: string, parameters: unknown[]): Promise<types.Row[]> {
  const rows: types.Row[] = [];
  for await (const row of await client.execute(query, parameters)) rows.push(row);
  return rows;
}

function toKeyRow(row: types.Row): KeyRow {
  const text = (column: string) => (row.get(column) === null ? null : String(row.get(column)));
  return {
    namespace: String(row.get('namespace')),
    kid: String(row.get('kid')),
    encryptedAt: (row.get('encrypted_at') as Date).getTime(),
    createdAt: text('created_at'),
    encryptedByKid: text('encrypted_by_kid'),
    encryptedKey: text('encrypted_key'),
    status: text('status'),
  };
}
