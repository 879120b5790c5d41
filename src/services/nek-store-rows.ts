import type { NekRow, NewNekRow } from './nek-store.ts';
import type { types } from './nek-store-library.ts';

export const columns =
  'namespace, kid, encrypted_at, created_at, encrypted_by_kid, encrypted_key, status, current_kid';

/** None for a partition that has nothing but its static column: it has no row. */
export function toRow(row: types.Row): readonly NekRow[] {
  if (row.kid === null) return [];
  const created: unknown = row.created_at;
  return [
    {
      namespace: row.namespace,
      kid: row.kid,
      encryptedAt: (row.encrypted_at as Date).getTime(),
      createdAt: created === null ? null : String(created),
      encryptedByKid: row.encrypted_by_kid,
      encryptedKey: row.encrypted_key,
      status: row.status,
      currentKid: row.current_kid,
    },
  ];
}

/** In the order of the INSERT; the static column is not among them. */
export function toParams(row: NewNekRow): readonly unknown[] {
  return [
    row.namespace,
    row.kid,
    row.encryptedAt,
    row.createdAt,
    row.encryptedByKid,
    row.encryptedKey,
    row.status,
  ];
}

export function insertStatement(keyspace: string, table: string): string {
  return `INSERT INTO "${keyspace}".${table} (namespace, kid, encrypted_at, created_at, encrypted_by_kid, encrypted_key, status) VALUES (?, ?, ?, ?, ?, ?, ?)`;
}

export function claimStatement(keyspace: string, table: string): string {
  return `UPDATE "${keyspace}".${table} SET current_kid = ? WHERE namespace = ? IF current_kid = null`;
}
