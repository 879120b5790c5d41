import type { Clock } from './clock.ts';
import type { NekRow, NekRowKey, NekSession, NekStoreTarget } from './nek-store.ts';
import { refusedError } from './nek-store-errors.ts';
import { askHealth } from './nek-store-health.ts';
import { claimCurrentKid, insertProblem, insertRows } from './nek-store-insert.ts';
import { kidOf } from './nek-store-jwe.ts';
import { types } from './nek-store-library.ts';
import type { Call, Link } from './nek-store-link.ts';
import { type Page, pagesOf, readAll, scanRing } from './nek-store-pages.ts';
import { columns, toRow } from './nek-store-rows.ts';
import { nekTable } from './nek-store-schema.ts';

/** Unless the caller says otherwise: about 700 kB of rows. */
const pageSize = 1000;
const largestPage = 5000;
/** JWEs of API keys are longer than those of namespace keys. */
const jwePageSize = 500;
/** Keys of one read. */
const keysAtOnce = 100;

/** Counts as one of the link's sessions; the caller joined it. */
export function createSession(link: Link, target: NekStoreTarget, clock: Clock): NekSession {
  const table = `${target.keyspace}.${nekTable}`;
  const select = `SELECT ${columns} FROM "${target.keyspace}".${nekTable} WHERE namespace = ?`;
  let closed = false;

  const call: Link['call'] = (request, signal, work) => {
    if (closed) throw refusedError(`Cannot ${request.what}: the session was closed.`);
    return link.call(request, signal, work);
  };
  const asker = (what: string) => ({ call, what: { what, write: false } satisfies Call, clock });

  return {
    health: async (signal) => {
      const ask = () =>
        call({ what: `examine ${table}`, write: false }, signal, (connected) => askHealth(connected, target));
      const first = await ask();
      if (!first.doubtful) return first.health;
      link.renew();
      return (await ask()).health;
    },

    scan: (options, signal) => {
      const size = options.pageSize ?? pageSize;
      if (!Number.isInteger(size) || size < 1 || size > largestPage) {
        return failing(
          refusedError(`Cannot scan ${table}: a page has 1 to ${largestPage} rows, not ${size}.`),
        );
      }
      const cql = `SELECT ${columns} FROM "${target.keyspace}".${nekTable} WHERE token(namespace) > ? AND token(namespace) <= ?`;
      return mapped(scanRing(asker(`scan ${table}`), { cql, pageSize: size }, signal), ({ rows, done }) => ({
        rows: rows.flatMap(toRow),
        done,
      }));
    },

    partition: async ({ namespace, kid }, signal) => {
      const query =
        kid === undefined
          ? { cql: select, params: [namespace], pageSize }
          : { cql: `${select} AND kid = ?`, params: [namespace, kid], pageSize };
      const rows = await readAll(asker(`read the rows of a namespace from ${table}`), query, signal);
      return rows.flatMap(toRow);
    },

    rows: async (keys, signal) => {
      const [first] = keys;
      if (first === undefined) return [];
      if (keys.some(({ namespace }) => namespace !== first.namespace))
        throw refusedError(`Cannot read rows from ${table}: they are of more than one partition.`);
      const found: NekRow[] = [];
      for (let start = 0; start < keys.length; start += keysAtOnce) {
        const tuples = keys.slice(start, start + keysAtOnce).map(toTuple);
        const query = {
          cql: `${select} AND (kid, encrypted_at) IN ?`,
          params: [first.namespace, tuples],
          pageSize,
        };
        const rows = await readAll(asker(`read ${tuples.length} rows from ${table}`), query, signal);
        found.push(...rows.flatMap(toRow));
      }
      return found;
    },

    statusWriteTime: async ({ namespace, kid, encryptedAt }, signal) => {
      const query = {
        cql: `SELECT writetime(status) AS written FROM "${target.keyspace}".${nekTable} WHERE namespace = ? AND kid = ? AND encrypted_at = ?`,
        params: [namespace, kid, encryptedAt],
        pageSize,
      };
      const [row] = await readAll(asker(`read a write time from ${table}`), query, signal);
      const written: unknown = row?.written;
      return types.Long.isLong(written) ? written.toNumber() : undefined;
    },

    jweKids: async (at, signal) => {
      const counts = new Map<string | null, number>();
      for await (const values of jweValues(at, signal)) {
        for (const value of values) {
          const kid = kidOf(value);
          counts.set(kid, (counts.get(kid) ?? 0) + 1);
        }
      }
      return [...counts].map(([kid, rows]) => ({ kid, rows }));
    },

    jwes: ({ kid, ...at }, signal) =>
      mapped(jweValues(at, signal), (values) =>
        values.filter((value): value is string => typeof value === 'string' && kidOf(value) === kid),
      ),

    insert: async (rows, { timestamp }, signal) => {
      const what = `insert ${rows.length === 1 ? 'a row' : `${rows.length} rows`} into ${table}`;
      if (closed) throw refusedError(`Cannot ${what}: the session was closed.`);
      const problem = insertProblem(rows, timestamp);
      if (problem !== undefined) throw refusedError(`Cannot ${what}: ${problem}.`);
      if (rows.length === 0) return;
      await call({ what, write: true }, signal, ({ client }) =>
        insertRows(client, target.keyspace, { rows, timestamp }),
      );
    },

    claimCurrentKid: async (at, signal) => {
      const what = `set the current key of a namespace in ${table}`;
      return await call({ what, write: true }, signal, ({ client }) =>
        claimCurrentKid(client, target.keyspace, at),
      );
    },

    close: () => {
      if (closed) return;
      closed = true;
      link.leave();
    },
  };

  /** Values of a column, those that are there. */
  function jweValues(
    at: { readonly table: string; readonly column: string },
    signal: AbortSignal,
  ): AsyncIterable<readonly unknown[]> {
    const what = `read JWEs from ${target.keyspace}.${at.table}`;
    if (!isName(at.table) || !isName(at.column)) {
      return failing(
        refusedError(
          `Cannot read JWEs from keyspace ${target.keyspace}: the table or the column has no valid name.`,
        ),
      );
    }
    const query = {
      cql: `SELECT "${at.column}" AS value FROM "${target.keyspace}"."${at.table}"`,
      params: [],
      pageSize: jwePageSize,
    };
    return mapped(pagesOf(asker(what), query, signal), ({ rows }: Page) =>
      rows.map((row): unknown => row.value).filter((value) => value !== null),
    );
  }
}

/** A name that CQL takes in quotes and that nothing else can be made of. */
export function isName(name: string): boolean {
  return /^\w{1,48}$/u.test(name);
}

function toTuple({ kid, encryptedAt }: NekRowKey) {
  return new types.Tuple(kid, encryptedAt);
}

async function* mapped<From, To>(source: AsyncIterable<From>, map: (item: From) => To): AsyncGenerator<To> {
  for await (const item of source) yield map(item);
}

// biome-ignore lint/correctness/useYield: it fails before its first item
async function* failing(error: Error): AsyncGenerator<never> {
  throw error;
}
