import type { MekDocument } from './mek-document.ts';
import type { Nek } from './nek.ts';
import type { JweReason } from './nek-jwe.ts';

/** The primary key of a row of `encryption_keys_by_kid_and_encrypted_at`. */
export interface NekKey {
  readonly namespace: string;
  /** RFC 7638 thumbprint of the NEK. */
  readonly kid: string;
  /** Milliseconds since the epoch. */
  readonly encryptedAt: number;
}

/** A row as it is stored; assignable from and to the store's `NekRow`. Null is a column without a value. */
export interface StoredNek extends NekKey {
  readonly createdAt: string | null;
  readonly encryptedByKid: string | null;
  readonly encryptedKey: string | null;
  readonly status: string | null;
  /** Static column of the namespace. */
  readonly currentKid: string | null;
}

/** A row to be inserted; assignable to the store's `NewNekRow`. */
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
 * - `pending`: waits for promotion, ESS does not look into it; `reason` when it would not pass;
 * - `skipped`: ESS passes over it silently and takes the next older one;
 * - `fatal`: makes ESS fail the whole key, whatever good older rows there are;
 * - `foreign`: outside our profile; ESS uses it, or what it does is not known, so nothing older can be taken for selected.
 */
export type RowVerdict =
  | { readonly state: 'usable'; readonly nek: Nek; readonly mekKid: string }
  | { readonly state: 'pending'; readonly mekKid: string | undefined; readonly reason?: RowReason }
  | { readonly state: 'skipped' | 'fatal' | 'foreign'; readonly reason: RowReason };

/** Judges one row by itself. `wipe()` the NEK of a usable one. Never throws. */
export function rowVerdict(_row: StoredNek, _document: MekDocument): RowVerdict {
  throw new Error('not built');
}
