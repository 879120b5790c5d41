import type {
  NekPage,
  NekRow,
  NekRowKey,
  NekSession,
  NekStoreHealth,
  NekStoreTarget,
  NekStoreWriter,
  NewNekRow,
} from '../../src/services/nek-store.ts';
import { NekStoreError } from '../../src/services/nek-store.ts';

interface Cell {
  readonly value: string | null;
  /** Microseconds. */
  readonly at: number;
}

type Column = 'createdAt' | 'encryptedByKid' | 'encryptedKey' | 'status';
const columns: readonly Column[] = ['createdAt', 'encryptedByKid', 'encryptedKey', 'status'];

interface StoredRow {
  readonly key: NekRowKey;
  readonly cells: Map<Column, Cell>;
  /** Writes up to this time are shadowed by a deletion. */
  deletedAt: number;
}

interface Partition {
  currentKid: string | null;
  readonly rows: Map<string, StoredRow>;
}

export type StoreCall =
  | 'open'
  | 'health'
  | 'scan'
  | 'partition'
  | 'rows'
  | 'statusWriteTime'
  | 'insert'
  | 'claim';

/** Rows in memory under the rules of Cassandra: cell by cell, the newest write wins, and of two as new the larger value. */
export class MemoryNekStore implements NekStoreWriter {
  readonly calls: StoreCall[] = [];
  readonly inserted: (readonly NewNekRow[])[] = [];
  health: NekStoreHealth = healthy;
  /** Before each call; may wait, or throw. */
  gate: (call: StoreCall) => Promise<void> | void = () => undefined;
  /** Around each insert: what is not applied is lost, and what is thrown after it is a lost answer. */
  aroundInsert: (apply: () => void, rows: readonly NewNekRow[]) => Promise<void> | void = (apply) => apply();
  /** The coordinator's clock, microseconds. */
  micros: () => number;
  /** After each write of rows. */
  afterWrite: () => void = () => undefined;
  targets: NekStoreTarget[] = [];
  closed = 0;
  #partitions = new Map<string, Partition>();
  #ticks = 0;

  constructor(micros?: () => number) {
    this.micros = micros ?? (() => 1_800_000_000_000_000 + ++this.#ticks);
  }

  /** Puts rows there as they are, with their static column. */
  put(...rows: readonly NekRow[]): void {
    for (const row of rows) {
      this.#write(row, this.micros());
      this.#partition(row.namespace).currentKid = row.currentKid;
    }
  }

  /** What somebody else's `UPDATE … SET status` does: makes a ghost where there is no row. */
  setStatus(key: NekRowKey, status: string): void {
    this.#row(key).cells.set('status', { value: status, at: this.micros() });
  }

  /** A deletion, by another clock if need be. */
  delete(key: NekRowKey, at = this.micros()): void {
    const row = this.#row(key);
    row.deletedAt = at;
    for (const [column, cell] of row.cells) if (cell.at <= at) row.cells.delete(column);
  }

  /** Past every gate. */
  insertNow(rows: readonly NewNekRow[], at: number): void {
    this.inserted.push(rows);
    for (const row of rows) this.#write(row, at);
    this.afterWrite();
  }

  setCurrentKid(namespace: string, kid: string | null): void {
    this.#partition(namespace).currentKid = kid;
  }

  /** Every row as it is, in the order of a scan. */
  all(): readonly NekRow[] {
    return [...this.#partitions.keys()].sort().flatMap((namespace) => this.#rowsOf(namespace));
  }

  async open(target: NekStoreTarget): Promise<NekSession> {
    await this.#called('open');
    this.targets.push(target);
    return {
      health: async () => {
        await this.#called('health');
        return this.health;
      },
      scan: ({ pageSize = 100 }, signal) => this.#scan(pageSize, signal),
      partition: async ({ namespace, kid }) => {
        await this.#called('partition');
        return this.#rowsOf(namespace).filter((row) => kid === undefined || row.kid === kid);
      },
      rows: async (keys) => {
        await this.#called('rows');
        requireOnePartition(keys);
        return keys.flatMap((key) => this.#read(key) ?? []);
      },
      statusWriteTime: async (key) => {
        await this.#called('statusWriteTime');
        return this.#partitions.get(key.namespace)?.rows.get(idOf(key))?.cells.get('status')?.at;
      },
      insert: async (rows, { timestamp }, signal) => {
        await this.#called('insert');
        if (signal.aborted) throw aborted();
        requireOnePartition(rows);
        if (rows.length > 50) throw refused('at most 50 rows in one batch');
        if (new Set(rows.map(idOf)).size < rows.length) throw refused('one key twice in a batch');
        let written = false;
        await this.aroundInsert(() => {
          written = true;
          this.insertNow(rows, timestamp ?? this.micros());
        }, rows);
        if (!written) this.inserted.push(rows);
      },
      claimCurrentKid: async ({ namespace, kid }) => {
        await this.#called('claim');
        if (this.#partition(namespace).currentKid !== null) return false;
        this.#partition(namespace).currentKid = kid;
        return true;
      },
      jweKids: () => Promise.reject(refused('no such table')),
      jwes: () => {
        throw refused('no such table');
      },
      close: () => {
        this.closed += 1;
      },
    };
  }

  async *#scan(pageSize: number, signal: AbortSignal): AsyncGenerator<NekPage> {
    if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > 5000) throw refused('no such page size');
    const names = [...this.#partitions.keys()].sort();
    let page: NekRow[] = [];
    for (const [index, namespace] of names.entries()) {
      // Read anew at the start of each partition, as a page of the real thing would.
      for (const row of this.#rowsOf(namespace)) {
        page.push(row);
        if (page.length < pageSize) continue;
        await this.#called('scan');
        if (signal.aborted) throw aborted();
        yield { rows: page, done: (index + 1) / (names.length + 1) };
        page = [];
      }
    }
    await this.#called('scan');
    if (signal.aborted) throw aborted();
    yield { rows: page, done: 1 };
  }

  async #called(call: StoreCall): Promise<void> {
    this.calls.push(call);
    await this.gate(call);
  }

  #partition(namespace: string): Partition {
    const known = this.#partitions.get(namespace);
    if (known !== undefined) return known;
    const made: Partition = { currentKid: null, rows: new Map() };
    this.#partitions.set(namespace, made);
    return made;
  }

  #row(key: NekRowKey): StoredRow {
    const { rows } = this.#partition(key.namespace);
    const known = rows.get(idOf(key));
    if (known !== undefined) return known;
    const { namespace, kid, encryptedAt } = key;
    const made: StoredRow = { key: { namespace, kid, encryptedAt }, cells: new Map(), deletedAt: -1 };
    rows.set(idOf(key), made);
    return made;
  }

  #write(row: NekRowKey & Readonly<Record<Column, string | null>>, at: number): void {
    const stored = this.#row(row);
    if (at <= stored.deletedAt) return;
    for (const column of columns) {
      const [given, now] = [row[column], stored.cells.get(column)];
      const value = column === 'createdAt' ? (given?.toLowerCase() ?? null) : given;
      const wins = now === undefined || at > now.at || (at === now.at && String(value) > String(now.value));
      if (wins) stored.cells.set(column, { value, at });
    }
  }

  #read(key: NekRowKey): NekRow | undefined {
    const partition = this.#partitions.get(key.namespace);
    const stored = partition?.rows.get(idOf(key));
    if (partition === undefined || stored === undefined || stored.cells.size === 0) return undefined;
    const value = (column: Column) => stored.cells.get(column)?.value ?? null;
    return {
      ...stored.key,
      createdAt: value('createdAt'),
      encryptedByKid: value('encryptedByKid'),
      encryptedKey: value('encryptedKey'),
      status: value('status'),
      currentKid: partition.currentKid,
    };
  }

  #rowsOf(namespace: string): readonly NekRow[] {
    const stored = [...(this.#partitions.get(namespace)?.rows.values() ?? [])];
    return stored
      .sort((a, b) =>
        a.key.kid === b.key.kid ? b.key.encryptedAt - a.key.encryptedAt : a.key.kid < b.key.kid ? -1 : 1,
      )
      .flatMap(({ key }) => this.#read(key) ?? []);
  }
}

export const healthy: NekStoreHealth = {
  nodes: [0, 1, 2].map((index) => ({
    pod: `cassandra-${index}`,
    address: `10.0.0.${index + 1}`,
    up: true,
    schemaVersion: 'a',
  })),
  schemaAgreed: true,
  quorum: true,
  replicationFactor: 3,
  durableWrites: true,
  schemaProblems: [],
};

/** The answer that did not come: whatever was asked may have been done. */
export function noAnswer(): NekStoreError {
  return new NekStoreError('no answer within 12 s', {
    reason: 'timeout',
    outcome: 'unknown',
    retryable: true,
  });
}

export function noQuorum(): NekStoreError {
  return new NekStoreError('2 of 3 replicas are down', {
    reason: 'no-quorum',
    outcome: 'not-applied',
    retryable: true,
  });
}

function aborted(): NekStoreError {
  return new NekStoreError('it was stopped', { reason: 'aborted', outcome: 'not-applied', retryable: false });
}

export function refused(message: string): NekStoreError {
  return new NekStoreError(message, { reason: 'refused', outcome: 'not-applied', retryable: false });
}

function idOf({ kid, encryptedAt }: NekRowKey): string {
  return `${kid} ${encryptedAt}`;
}

function requireOnePartition(keys: readonly NekRowKey[]): void {
  if (new Set(keys.map(({ namespace }) => namespace)).size > 1) throw refused('more than one partition');
}
