import type { MekDocument } from './mek-document.ts';
import type { Nek } from './nek.ts';
import type { JweReason, NekHeader, Refused } from './nek-jwe.ts';
import { unwrapNek } from './nek-jwe.ts';

/** The primary key of a row of `encryption_keys_by_kid_and_encrypted_at`. */
export interface NekKey {
  readonly namespace: string;
  /** RFC 7638 thumbprint of the NEK. */
  readonly kid: string;
  /** Milliseconds since the epoch. */
  readonly encryptedAt: number;
}

/** A row as it is stored; the store's `NekRow` is one. Null is a column without a value. */
export interface StoredNek extends NekKey {
  readonly createdAt: string | null;
  readonly encryptedByKid: string | null;
  readonly encryptedKey: string | null;
  readonly status: string | null;
  /** Static column of the namespace. */
  readonly currentKid: string | null;
}

/** A row to be inserted; one of the store's `NewNekRow`. */
export interface NewNek extends NekKey {
  readonly createdAt: string;
  readonly encryptedByKid: string;
  readonly encryptedKey: string;
  readonly status: NekStatus;
}

/** Statuses that ESS writes; it reads keys from rows of the first two. */
export type NekStatus = 'VALIDATED' | 'CREATION_VALIDATED' | 'PENDING_REENCRYPTION' | 'PENDING_ROTATION';

/** Why a row is not usable: of its columns, of ESS's five checks, or of its JWE. */
export type RowReason =
  | JweReason
  | 'status-missing'
  | 'status-unknown'
  | 'column-missing'
  | 'namespace'
  | 'created-at'
  | 'encrypted-at'
  | 'encrypted-by-kid'
  | 'thumbprint'
  /** No `version` in the header, so ESS compares nothing and would use it, but kid or key are not those of the row. */
  | 'unbound';

/**
 * What ESS does with a row, as its own compiled classes were seen to do:
 * - `usable`: ESS uses it, and it passes our stricter profile;
 * - `pending`: waits for promotion, ESS does not look into it, nor does this function;
 * - `skipped`: ESS passes over it silently and takes the next older one;
 * - `fatal`: makes ESS fail the whole key, whatever good older rows there are;
 * - `foreign`: outside our profile; ESS uses it, or what it does is not known, so nothing older can be taken for selected.
 */
export type RowVerdict =
  | { readonly state: 'usable'; readonly nek: Nek; readonly mekKid: string }
  | { readonly state: 'pending' }
  | { readonly state: 'skipped' | 'fatal' | 'foreign'; readonly reason: RowReason };

const fatal: ReadonlySet<RowReason> = new Set([
  'status-missing',
  'column-missing',
  'alg-none',
  'enc-missing',
]);
const skipped: ReadonlySet<RowReason> = new Set([
  'namespace',
  'created-at',
  'encrypted-at',
  'encrypted-by-kid',
  'thumbprint',
  'mek-missing',
  'decrypt',
]);

/** Judges one row by itself. `wipe()` the NEK of a usable one. */
export function rowVerdict(row: StoredNek, document: MekDocument): RowVerdict {
  const { status } = row;
  if (isPending(status)) return { state: 'pending' };
  if (status === null) return damaged('status-missing');
  if (status !== 'VALIDATED' && status !== 'CREATION_VALIDATED') return damaged('status-unknown');
  const opened = openRow(row, document);
  return opened.ok ? { state: 'usable', nek: opened.nek, mekKid: opened.mekKid } : damaged(opened.reason);
}

export function isPending(status: string | null): boolean {
  return status === 'PENDING_REENCRYPTION' || status === 'PENDING_ROTATION';
}

export interface OpenedRow {
  readonly ok: true;
  /** `wipe()` it after use. */
  readonly nek: Nek;
  readonly mekKid: string;
  /** Its header has a `version`, so that ESS compares it with the columns. */
  readonly bound: boolean;
}

/** The NEK of a row that passes ESS's five checks and our profile, whatever its status. */
export function openRow(row: StoredNek, document: MekDocument): OpenedRow | Refused<RowReason> {
  const { encryptedKey, createdAt, encryptedByKid } = row;
  // Whatever a driver gives for a column without a value.
  if (typeof encryptedKey !== 'string' || typeof createdAt !== 'string' || typeof encryptedByKid !== 'string')
    return { ok: false, reason: 'column-missing' };
  const opened = unwrapNek(encryptedKey, document);
  if (!opened.ok) return opened;
  const { nek, header } = opened;
  const difference = headerDifference(row, header) ?? (nek.thumbprint === row.kid ? undefined : 'thumbprint');
  const bound = header.binding !== undefined;
  if (difference === undefined) return { ok: true, nek, mekKid: header.kid, bound };
  nek.wipe();
  return { ok: false, reason: bound ? difference : 'unbound' };
}

function headerDifference(row: StoredNek, { kid, binding }: NekHeader): RowReason | undefined {
  if (binding !== undefined) {
    if (binding.namespace !== row.namespace) return 'namespace';
    if (binding.createdAt !== row.createdAt) return 'created-at';
    if (binding.encryptedAt !== row.encryptedAt) return 'encrypted-at';
  }
  return kid === row.encryptedByKid ? undefined : 'encrypted-by-kid';
}

function damaged(reason: RowReason): RowVerdict {
  return {
    state: fatal.has(reason) ? 'fatal' : skipped.has(reason) ? 'skipped' : 'foreign',
    reason,
  };
}
