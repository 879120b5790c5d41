import type { LedgerMark, LedgerTarget, LedgerWriter } from '../../src/services/ledger.ts';
import { NekStoreError } from '../../src/services/nek-store.ts';

type Row = { version: number; dirty: boolean | null };

/** `schema_migrations` in memory; a test may make a call fail, or lose the answer of a mark. */
export class FakeLedger implements LedgerWriter {
  readonly tables = new Map<string, Row[]>();
  readonly targets: LedgerTarget[] = [];
  fails: NekStoreError | undefined;
  loses = false;

  async read(target: LedgerTarget) {
    this.#called(target);
    return [...this.tables].sort().map(([keyspace, rows]) => ({ keyspace, rows: structuredClone(rows) }));
  }

  async mark(target: LedgerTarget, { keyspace, version, dirty }: LedgerMark) {
    this.#called(target);
    const row = this.tables.get(keyspace)?.find((each) => each.version === version && each.dirty === !dirty);
    if (row !== undefined) row.dirty = dirty;
    if (this.loses) throw storeFailure('timeout', 'unknown');
    return row !== undefined;
  }

  #called(target: LedgerTarget): void {
    this.targets.push(target);
    if (this.fails !== undefined) throw this.fails;
  }
}

export function storeFailure(
  reason: string,
  outcome: 'not-applied' | 'unknown' = 'not-applied',
): NekStoreError {
  return new NekStoreError(`Cassandra says ${reason}.`, { reason, outcome, retryable: reason === 'timeout' });
}
