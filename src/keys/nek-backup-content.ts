import { isUtf8 } from 'node:buffer';
import type { StoredNek } from './nek-row.ts';

/** What a backup of namespace keys holds, before encryption: rows as they are stored, their keys wrapped. */
export interface NekBackupContent {
  /** UID of the `kube-system` namespace. */
  readonly cluster: string;
  readonly keyspace: string;
  /** RFC 3339. */
  readonly takenAt: string;
  readonly rows: readonly StoredNek[];
}

const format = 'runbook-nek-backup/v1';

/** Lines of JSON: a header with the number of rows, then a list of columns for each row. */
export function nekBackupContent({ cluster, keyspace, takenAt, rows }: NekBackupContent): Uint8Array {
  const header = JSON.stringify({ format, cluster, keyspace, takenAt, rows: rows.length });
  return Buffer.from(`${[header, ...rows.map(lineOf)].join('\n')}\n`);
}

/** The reverse; another format, a line that is no row or another number of rows is a problem. Quotes nothing of a row. */
export function parseNekBackup(
  bytes: Uint8Array,
):
  | { readonly ok: true; readonly content: NekBackupContent }
  | { readonly ok: false; readonly problem: string } {
  if (!isUtf8(bytes)) return problem('The backup of namespace keys is not UTF-8.');
  const [first = '', ...lines] = Buffer.from(bytes).toString().replace(/\n$/, '').split('\n');
  const header = parse(first);
  if (typeof header !== 'object' || header === null || !('format' in header) || header.format !== format)
    return problem(`The backup's format is not ${format}.`);
  const { cluster, keyspace, takenAt, rows: count } = header as Readonly<Record<string, unknown>>;
  if (typeof cluster !== 'string' || typeof keyspace !== 'string' || typeof takenAt !== 'string')
    return problem('The header of the backup lacks a member, or one has the wrong type.');
  if (count !== lines.length)
    return problem(`The backup says that it holds ${String(count)} rows, and has ${lines.length}.`);
  const rows = lines.map((line) => rowOf(parse(line)));
  const wrong = rows.indexOf(undefined);
  if (wrong >= 0) return problem(`Row ${wrong + 1} of the backup is no row of namespace keys.`);
  return { ok: true, content: { cluster, keyspace, takenAt, rows: rows.flatMap((row) => row ?? []) } };
}

function lineOf(row: StoredNek): string {
  const { namespace, kid, encryptedAt, createdAt, encryptedByKid, encryptedKey, status, currentKid } = row;
  return JSON.stringify([
    namespace,
    kid,
    encryptedAt,
    createdAt,
    encryptedByKid,
    encryptedKey,
    status,
    currentKid,
  ]);
}

function rowOf(line: unknown): StoredNek | undefined {
  if (!Array.isArray(line) || line.length !== 8) return undefined;
  const [namespace, kid, encryptedAt, ...columns] = line as readonly unknown[];
  if (typeof namespace !== 'string' || typeof kid !== 'string' || !Number.isSafeInteger(encryptedAt))
    return undefined;
  if (!columns.every((column) => column === null || typeof column === 'string')) return undefined;
  const [createdAt, encryptedByKid, encryptedKey, status, currentKid] = columns as readonly (string | null)[];
  return {
    namespace,
    kid,
    encryptedAt: encryptedAt as number,
    createdAt: createdAt ?? null,
    encryptedByKid: encryptedByKid ?? null,
    encryptedKey: encryptedKey ?? null,
    status: status ?? null,
    currentKid: currentKid ?? null,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problem(text: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem: text };
}
