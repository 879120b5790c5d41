import type { NekStoreTarget } from './nek-store.ts';

/** Where the migrations note what they did: Cassandra's pods, and a role that may use the keyspace `schema_migrations`. */
export type LedgerTarget = Omit<NekStoreTarget, 'keyspace'>;

/** A row of a table of `schema_migrations`: golang-migrate keeps one, that of the last migration it began. */
export interface LedgerRow {
  readonly version: number;
  /** The migration to that version began and did not end well. Null: nobody wrote it. */
  readonly dirty: boolean | null;
}

/** The table that is named like the keyspace whose migrations it notes. */
export interface LedgerTable {
  readonly keyspace: string;
  /** By version. */
  readonly rows: readonly LedgerRow[];
}

export interface LedgerMark {
  readonly keyspace: string;
  readonly version: number;
  /** What is set; only where the row says the opposite. */
  readonly dirty: boolean;
}

/** Rejects with `NekStoreError`: both are reached the same way. */
export interface LedgerReader {
  /** Every table with its rows, at LOCAL_QUORUM, by name; none when there is no such keyspace. */
  read(target: LedgerTarget, signal: AbortSignal): Promise<readonly LedgerTable[]>;
}

export interface LedgerWriter extends LedgerReader {
  /**
   * One conditional update (LOCAL_SERIAL, LOCAL_QUORUM): false when there is no row of that version with the opposite mark. Never
   * repeated by the driver; on `outcome: 'unknown'` the caller reads again.
   */
  mark(target: LedgerTarget, mark: LedgerMark, signal: AbortSignal): Promise<boolean>;
}

export const ledgerKeyspace = 'schema_migrations';
