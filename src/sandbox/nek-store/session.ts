import {
  type NekRow,
  type NekSession,
  NekStoreError,
  type NekStoreTarget,
  type NewNekRow,
} from '../../services/nek-store.ts';
import type { Machine } from '../machine.ts';
import { KEYSPACES } from '../mek/seed.ts';
import { takeMishap } from '../mishaps.ts';
import { packRows } from './changes.ts';
import { hasQuorum, nodesOf } from './nodes.ts';
import { type Cursor, columnOf, countKids, healthOf, kidOf, nextPage, START } from './read.ts';
import { rowsOf, statusWriteTime, storedRow } from './rows.ts';
import { TABLE } from './state.ts';
import { partitionOf } from './tables.ts';

/** Virtual milliseconds of one answer, and of each hundred rows in it. */
const ANSWER = 3;
const HUNDRED_ROWS = 2;
const PAGE = 100;
const MAX_PAGE = 5000;
const BATCH = 50;
const NAME = /^\w{1,48}$/;

function failure(
  message: string,
  options: { reason: string; outcome?: 'unknown'; retryable?: boolean },
): NekStoreError {
  const { reason, outcome = 'not-applied', retryable = false } = options;
  return new NekStoreError(message, { reason, outcome, retryable });
}

function refused(message: string): NekStoreError {
  return failure(message, { reason: 'refused' });
}

function checkBatch(rows: readonly NewNekRow[]): void {
  if (rows.length > BATCH) throw refused(`${rows.length} rows are too many: at most ${BATCH} in one batch.`);
  if (new Set(rows.map(({ namespace }) => namespace)).size > 1)
    throw refused('The rows of one batch lie in one partition, that of their namespace.');
  if (new Set(rows.map(({ kid, encryptedAt }) => `${encryptedAt} ${kid}`)).size < rows.length)
    throw refused('One key stands twice in the batch.');
  if (rows.some(({ encryptedAt }) => !Number.isSafeInteger(encryptedAt)))
    throw refused('encrypted_at is whole milliseconds.');
}

function checkColumn(at: { readonly table: string; readonly column: string }): void {
  if (!NAME.test(at.table) || !NAME.test(at.column)) throw refused('That is no name of a table or a column.');
}

export interface SessionOptions {
  readonly target: NekStoreTarget;
  /** The instance of a step, for the faults that are planned for it. */
  readonly instance: string | undefined;
  /** The keyspace that its role may use. */
  readonly may: string;
}

/** One client's connections to the cluster. */
export function createSession(machine: Machine, options: SessionOptions): NekSession {
  const { world, clock } = machine;
  const { target } = options;
  const { keyspace } = target;
  let closed = false;
  const arrive = async (rows: number, signal: AbortSignal): Promise<void> => {
    clock.touch();
    if (closed) throw refused('The session with Cassandra is closed.');
    if (!signal.aborted) await clock.sleep(ANSWER + Math.ceil((rows / 100) * HUNDRED_ROWS), signal);
    if (signal.aborted)
      throw failure('Cancelled before Cassandra answered.', { reason: 'timeout', retryable: true });
    machine.called();
  };
  const requireQuorum = (): void => {
    if (clock.now() < world.unreachableUntil)
      throw failure("Cassandra's pods cannot be reached: the API server does not answer.", {
        reason: 'unreachable',
        retryable: true,
      });
    const nodes = nodesOf(world, target);
    const up = nodes.filter((node) => node.up).length;
    if (up === 0) throw failure('No Cassandra pod answers.', { reason: 'unreachable', retryable: true });
    if (!hasQuorum(world, nodes))
      throw failure(
        `Cassandra cannot achieve LOCAL_QUORUM: ${up} of ${world.cassandra.schema.replicationFactor} replicas are alive.`,
        { reason: 'no-quorum', retryable: true },
      );
  };
  const requireKeyspace = (): void => {
    if (!KEYSPACES.includes(keyspace))
      throw failure(`There is no keyspace ${keyspace}.`, { reason: 'schema' });
    if (keyspace !== options.may)
      throw failure(`The role may not use keyspace ${keyspace}.`, { reason: 'forbidden' });
  };
  const requireTable = (): void => {
    requireKeyspace();
    if (keyspace !== 'ess_api')
      throw failure(`Keyspace ${keyspace} has no table ${TABLE}.`, { reason: 'schema' });
  };
  const read = async <T>(signal: AbortSignal, look: () => T, rows = 0): Promise<T> => {
    await arrive(rows, signal);
    requireQuorum();
    if (takeMishap(machine, 'nek-read') !== undefined)
      throw failure('Cassandra did not answer a read in time.', { reason: 'timeout', retryable: true });
    return look();
  };
  const partitionRows = (namespace: string, kid?: string): readonly NekRow[] => {
    requireTable();
    const partition = partitionOf(world, namespace);
    const at = { namespace, now: world.timeline.now, ...(kid === undefined ? {} : { kid }) };
    return partition === undefined ? [] : rowsOf(partition, at);
  };
  const column = (at: { table: string; column: string }): readonly string[] => {
    requireKeyspace();
    const values = columnOf(world, { keyspace, ...at });
    if (values !== undefined) return values;
    throw failure(`Keyspace ${keyspace} has no column ${at.table}.${at.column}.`, { reason: 'schema' });
  };
  return {
    health: async (signal) => {
      await arrive(0, signal);
      return healthOf(world, target);
    },
    scan: async function* scan({ pageSize = PAGE }, signal) {
      if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > MAX_PAGE)
        throw refused(`A page has 1 to ${MAX_PAGE} rows, not ${pageSize}.`);
      for (let at: Cursor | undefined = START; at !== undefined; ) {
        const from: Cursor = at;
        const next = await read(
          signal,
          () => {
            requireTable();
            return nextPage(world, from, pageSize);
          },
          pageSize,
        );
        yield next.page;
        at = next.cursor;
      }
    },
    partition: ({ namespace, kid }, signal) => read(signal, () => partitionRows(namespace, kid)),
    rows: (keys, signal) =>
      read(signal, () => {
        const [first] = keys;
        if (first === undefined) return [];
        const wanted = new Set(keys.map(({ kid, encryptedAt }) => `${kid} ${encryptedAt}`));
        return partitionRows(first.namespace).filter((row) => wanted.has(`${row.kid} ${row.encryptedAt}`));
      }),
    statusWriteTime: (key, signal) =>
      read(signal, () => {
        requireTable();
        const partition = partitionOf(world, key.namespace);
        const row = partition === undefined ? undefined : storedRow(partition, key);
        return statusWriteTime(row, world.timeline.now);
      }),
    jweKids: async (at, signal) => {
      checkColumn(at);
      return read(signal, () => countKids(column(at)));
    },
    jwes: async function* jwes({ kid, ...at }, signal) {
      checkColumn(at);
      const values = await read(signal, () => column(at).filter((value) => kidOf(value) === kid));
      for (let from = 0; from < values.length; from += PAGE) yield values.slice(from, from + PAGE);
    },
    insert: async (rows, { timestamp }, signal) => {
      checkBatch(rows);
      const [first] = rows;
      if (first === undefined) return;
      await arrive(rows.length, signal);
      requireQuorum();
      requireTable();
      const mishap = takeMishap(machine, 'nek-insert');
      if (mishap?.how === 'refused')
        throw failure('Cassandra is overloaded.', { reason: 'refused', retryable: true });
      const change = packRows(world, first.namespace, rows);
      if (mishap?.how !== 'not-done')
        machine.perform({
          do: 'rows',
          change: timestamp === undefined ? change : { ...change, stamp: timestamp },
        });
      const lost = machine.faults.take(options.instance, 'answer') !== undefined;
      if (lost || mishap !== undefined)
        throw failure('Cassandra did not answer a write in time; it may have taken effect.', {
          reason: 'timeout',
          outcome: 'unknown',
          retryable: true,
        });
    },
    claimCurrentKid: async ({ namespace, kid }, signal) => {
      await arrive(1, signal);
      requireQuorum();
      requireTable();
      if ((partitionOf(world, namespace)?.currentKid?.value ?? null) !== null) return false;
      machine.perform({ do: 'rows', change: { what: 'current-kid', namespace, kid } });
      return true;
    },
    close: () => {
      closed = true;
    },
  };
}
