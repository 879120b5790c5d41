import type { MekDocument } from './mek-document.ts';
import type { RowReason, StoredNek } from './nek-row.ts';

export interface CensusAnomaly {
  readonly namespace: string;
  readonly kid: string;
  /** Milliseconds since the epoch; undefined when it is the key or the namespace as a whole. */
  readonly encryptedAt: number | undefined;
  readonly reason:
    | RowReason
    | 'no-usable-row'
    | 'mixed-rows'
    /** Newer than now by more than `aheadLimit`: for example microseconds taken for milliseconds. */
    | 'encrypted-at-ahead'
    /** The namespace names a current key that has no usable row: ESS cannot encrypt there. */
    | 'current-kid-without-row';
}

export interface CensusMek {
  /** Null: rows without `encrypted_by_kid`. */
  readonly kid: string | null;
  readonly rows: number;
  /** Keys whose selected row is under this MEK. */
  readonly selected: number;
  /** Rows that wait for promotion and are newer than the selected one. */
  readonly pending: number;
}

export interface Census {
  /** The MEK that everything should be under. */
  readonly kid: string;
  readonly namespaces: number;
  /** (namespace, kid) pairs. */
  readonly keys: number;
  readonly rows: number;
  /** Keys whose selected row is under `kid`. */
  readonly current: number;
  /** Keys whose selected row is under another MEK. */
  readonly remaining: number;
  /** Rows that wait for promotion and are newer than the selected one. */
  readonly pending: number;
  /** Namespaces without a `current_kid`: ESS makes them a new key at the next write. */
  readonly withoutCurrentKid: number;
  /** Most selected first. */
  readonly byMek: readonly CensusMek[];
  /** The first 1,000. Rows older than the selected one are read by nobody and no anomaly, whatever they hold. */
  readonly anomalies: readonly CensusAnomaly[];
  readonly anomalyCount: number;
  /** Keys with rows but no usable one, other than rotations that wait for promotion. */
  readonly unusable: number;
  /** Nothing remains, nothing is damaged. */
  readonly clean: boolean;
}

export interface CensusFold {
  /** All rows of one namespace, in any order; `now` in milliseconds since the epoch. */
  add(rows: readonly StoredNek[], now: number): void;
  result(): Census;
}

/** Counts what ESS would select, namespace by namespace; keeps no row and no key. */
export function createCensus(_of: {
  readonly document: MekDocument;
  /** Of the MEK that everything should be under. */
  readonly kid: string;
}): CensusFold {
  throw new Error('not built');
}
