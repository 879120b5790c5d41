const width = 32;

interface Entry<T> {
  readonly key: string;
  readonly value: T;
}
type Bucket<T> = readonly Entry<T>[];
type Shelf<T> = readonly (Bucket<T> | undefined)[];

/** A persistent map: an update copies two rows of 32 and one short bucket, whatever the size. */
export interface Table<T> {
  readonly size: number;
  readonly shelves: readonly (Shelf<T> | undefined)[];
}

const empty: Table<never> = { size: 0, shelves: [] };

export function emptyTable<T>(): Table<T> {
  return empty;
}

export function get<T>(table: Table<T>, key: string): T | undefined {
  const code = hash(key);
  const bucket = table.shelves[code % width]?.[(code >>> 5) % width];
  return bucket?.find((entry) => entry.key === key)?.value;
}

export function set<T>(table: Table<T>, key: string, value: T): Table<T> {
  const code = hash(key);
  const first = code % width;
  const second = (code >>> 5) % width;
  const bucket = table.shelves[first]?.[second] ?? [];
  const known = bucket.some((entry) => entry.key === key);
  const changed = known
    ? bucket.map((entry) => (entry.key === key ? { key, value } : entry))
    : [...bucket, { key, value }];
  const shelf = replace(table.shelves[first] ?? [], second, changed);
  return { size: known ? table.size : table.size + 1, shelves: replace(table.shelves, first, shelf) };
}

/** All entries, in no promised order. */
export function entries<T>(table: Table<T>): readonly (readonly [string, T])[] {
  return table.shelves
    .flatMap((shelf) => shelf ?? [])
    .flatMap((bucket) => bucket ?? [])
    .map((entry) => [entry.key, entry.value]);
}

function replace<T>(row: readonly (T | undefined)[], at: number, value: T): readonly (T | undefined)[] {
  const copy = row.length === 0 ? new Array<T | undefined>(width).fill(undefined) : row.slice();
  copy[at] = value;
  return copy;
}

// FNV-1a
function hash(key: string): number {
  let code = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) {
    code ^= key.charCodeAt(index);
    code = Math.imul(code, 0x01000193);
  }
  return code >>> 0;
}
