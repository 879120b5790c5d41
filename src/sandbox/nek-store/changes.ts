import type { NekRowKey, NewNekRow } from '../../services/nek-store.ts';
import type { World } from '../world.ts';
import { merge, rowsOf, rowTold, rowToWrite, storedRow } from './rows.ts';
import type { Cell, NekColumn } from './state.ts';
import { partitionOf, partitionToWrite, stamp } from './tables.ts';

/** A new row in the world's file; null stands for what the store has already: the kid's creation time, the row's own key. */
type PackedRow = readonly [
  kid: string,
  encryptedAt: number,
  createdAt: string | null,
  encryptedByKid: string,
  status: string,
  encryptedKey: string | null,
];

/** A change of the table, as it stands in the world's file. */
export type RowChange =
  | {
      readonly what: 'insert';
      readonly namespace: string;
      readonly rows: readonly PackedRow[];
      /** Write timestamp in microseconds. */
      readonly stamp?: number;
    }
  | {
      /** An UPDATE: the row comes into being if there is none. */
      readonly what: 'update';
      readonly key: NekRowKey;
      readonly set: { readonly [column in NekColumn]?: string | null };
      readonly stamp?: number;
    }
  | { readonly what: 'delete'; readonly key: NekRowKey; readonly stamp?: number }
  | {
      readonly what: 'current-kid';
      readonly namespace: string;
      readonly kid: string | null;
      readonly stamp?: number;
    };

const COLUMNS: readonly NekColumn[] = ['createdAt', 'encryptedByKid', 'encryptedKey', 'status'];

function bornOf(world: World, namespace: string, kid: string): string | null {
  const partition = partitionOf(world, namespace);
  if (partition === undefined) return null;
  return rowsOf(partition, { namespace, kid, now: world.timeline.now })[0]?.createdAt ?? null;
}

function storedKey(world: World, key: NekRowKey): string | null {
  const partition = partitionOf(world, key.namespace);
  return partition === undefined ? null : (storedRow(partition, key)?.cells.encryptedKey?.value ?? null);
}

/** Rows as a change of their namespace, without what the store knows already. */
export function packRows(world: World, namespace: string, rows: readonly NewNekRow[]): RowChange {
  const packed = rows.map((row): PackedRow => {
    const { kid, encryptedAt, encryptedByKid, status, encryptedKey } = row;
    const createdAt = row.createdAt.toLowerCase();
    const born = bornOf(world, namespace, kid);
    const known = storedKey(world, { namespace, kid, encryptedAt });
    return [
      kid,
      encryptedAt,
      born === createdAt ? null : createdAt,
      encryptedByKid,
      status,
      known === encryptedKey ? null : encryptedKey,
    ];
  });
  return { what: 'insert', namespace, rows: packed };
}

function written(world: World, value: string | null, at: number): Cell {
  const { timeToLive } = world.cassandra.schema;
  return {
    value,
    at,
    ...(timeToLive === 0 || value === null ? {} : { until: world.timeline.now + timeToLive * 1000 }),
  };
}

/** Writes cells of one row; of each, the newest write stands. */
function write(
  world: World,
  key: NekRowKey,
  given: {
    readonly set: { readonly [column in NekColumn]?: string | null };
    readonly at: number;
    readonly marker?: string | null;
  },
): void {
  const row = rowToWrite(partitionToWrite(world, key.namespace), key);
  for (const column of COLUMNS) {
    const value = given.set[column];
    if (value !== undefined) row.cells[column] = merge(row.cells[column], written(world, value, given.at));
  }
  if (given.marker !== undefined) row.marker = merge(row.marker, written(world, given.marker, given.at));
}

function insert(world: World, change: Extract<RowChange, { what: 'insert' }>): void {
  const { namespace } = change;
  const at = change.stamp ?? stamp(world);
  const unpacked = change.rows.map(([kid, encryptedAt, born, encryptedByKid, status, key]) => {
    const row = { namespace, kid, encryptedAt };
    const createdAt = born ?? bornOf(world, namespace, kid);
    return { row, set: { createdAt, encryptedByKid, status, encryptedKey: key ?? storedKey(world, row) } };
  });
  for (const { row, set } of unpacked) {
    write(world, row, { set, at, marker: '' });
    const [key, told] = rowTold({ ...row, ...set });
    if (!world.cassandra.told.rows.has(key)) world.cassandra.told.rows.set(key, told);
  }
}

/** Does a change of the table. */
export function changeRows(world: World, change: RowChange): void {
  if (change.what === 'insert') {
    insert(world, change);
    return;
  }
  const at = change.stamp ?? stamp(world);
  if (change.what === 'update') write(world, change.key, { set: change.set, at });
  else if (change.what === 'delete') {
    const set = { createdAt: null, encryptedByKid: null, encryptedKey: null, status: null };
    write(world, change.key, { set, at, marker: null });
  } else {
    const partition = partitionToWrite(world, change.namespace);
    partition.currentKid = merge(partition.currentKid, written(world, change.kid, at));
  }
}
