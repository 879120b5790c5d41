import type { NekRow, NekRowKey } from '../../services/nek-store.ts';
import type { Cell, NekColumn, Partition, StoredRow } from './state.ts';

/** Does a write stand against what is there? */
function stands(written: Cell, known: Cell | undefined): boolean {
  if (known === undefined || written.at !== known.at) return written.at > (known?.at ?? -1);
  // A deletion wins over a value of the same time, and the greater value over the other one.
  return written.value === null || (known.value !== null && written.value > known.value);
}

export function merge(known: Cell | undefined, written: Cell): Cell {
  return stands(written, known) || known === undefined ? written : known;
}

function live(cell: Cell | undefined, now: number): string | null {
  return cell === undefined || (cell.until !== undefined && cell.until <= now) ? null : cell.value;
}

/** Clustering order: kid ascending, newest first. */
function compare(a: Pick<NekRowKey, 'kid' | 'encryptedAt'>, b: typeof a): number {
  if (a.kid !== b.kid) return a.kid < b.kid ? -1 : 1;
  return b.encryptedAt - a.encryptedAt;
}

/** Where a row stands, or would stand. */
function placeOf(partition: Partition, key: Pick<NekRowKey, 'kid' | 'encryptedAt'>): number {
  let low = 0;
  let high = partition.rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = partition.rows[middle];
    if (row !== undefined && compare(row, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function storedRow(
  partition: Partition,
  key: Pick<NekRowKey, 'kid' | 'encryptedAt'>,
): StoredRow | undefined {
  const row = partition.rows[placeOf(partition, key)];
  return row !== undefined && compare(row, key) === 0 ? row : undefined;
}

export function rowToWrite(partition: Partition, key: Pick<NekRowKey, 'kid' | 'encryptedAt'>): StoredRow {
  const known = storedRow(partition, key);
  if (known !== undefined) return known;
  const row: StoredRow = { kid: key.kid, encryptedAt: key.encryptedAt, marker: undefined, cells: {} };
  partition.rows.splice(placeOf(partition, key), 0, row);
  return row;
}

/** What a client reads of a row; undefined for one that does not exist (any more). */
function viewOf(row: StoredRow, given: { namespace: string; currentKid: string | null; now: number }) {
  const { namespace, currentKid, now } = given;
  const column = (name: NekColumn) => live(row.cells[name], now);
  const view: NekRow = {
    namespace,
    kid: row.kid,
    encryptedAt: row.encryptedAt,
    createdAt: column('createdAt'),
    encryptedByKid: column('encryptedByKid'),
    encryptedKey: column('encryptedKey'),
    status: column('status'),
    currentKid,
  };
  const columns = [view.createdAt, view.encryptedByKid, view.encryptedKey, view.status];
  const exists = live(row.marker, now) !== null || columns.some((value) => value !== null);
  return exists ? view : undefined;
}

/** The rows of a namespace that exist, in clustering order. */
export function rowsOf(
  partition: Partition,
  given: { readonly namespace: string; readonly now: number; readonly kid?: string },
): readonly NekRow[] {
  const currentKid = live(partition.currentKid, given.now);
  const rows: NekRow[] = [];
  const first = given.kid === undefined ? 0 : placeOf(partition, { kid: given.kid, encryptedAt: Infinity });
  for (const row of partition.rows.slice(first)) {
    if (given.kid !== undefined && row.kid !== given.kid) break;
    const view = viewOf(row, { ...given, currentKid });
    if (view !== undefined) rows.push(view);
  }
  return rows;
}

export function currentKidOf(partition: Partition, now: number): string | null {
  return live(partition.currentKid, now);
}

/** A row's key in the world's map of rows, and what must not change of it. */
export function rowTold(row: Omit<NekRow, 'status' | 'currentKid'>): readonly [key: string, told: string] {
  const { namespace, kid, encryptedAt, createdAt, encryptedByKid, encryptedKey } = row;
  return [`${namespace} ${kid} ${encryptedAt}`, JSON.stringify([createdAt, encryptedByKid, encryptedKey])];
}

/** Write timestamp of a row's status, in microseconds. */
export function statusWriteTime(row: StoredRow | undefined, now: number): number | undefined {
  return live(row?.cells.status, now) === null ? undefined : row?.cells.status?.at;
}
