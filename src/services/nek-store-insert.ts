import type { NewNekRow } from './nek-store.ts';
import { type Client, statementLimit, types } from './nek-store-library.ts';
import { claimStatement, insertStatement, toParams } from './nek-store-rows.ts';
import { nekTable } from './nek-store-schema.ts';

/** About 35 kB. Cassandra's limit of 50 KiB for batches is not for those of one partition: they are one mutation. */
const mostRows = 50;

/** Why these rows are not written in one batch; undefined when they are. */
export function insertProblem(rows: readonly NewNekRow[], timestamp: number | undefined): string | undefined {
  const [first] = rows;
  if (rows.length > mostRows) return `one batch holds at most ${mostRows} rows`;
  if (rows.some(({ namespace }) => namespace !== first?.namespace)) {
    return 'they are of more than one partition, and a batch over partitions can be half written';
  }
  if (new Set(rows.map(({ kid, encryptedAt }) => `${encryptedAt} ${kid}`)).size < rows.length) {
    return 'the same primary key is among them twice';
  }
  if (timestamp !== undefined && (!Number.isSafeInteger(timestamp) || timestamp < 1)) {
    return 'the write timestamp is no positive number of microseconds';
  }
  const index = rows.findIndex((row) => !isComplete(row));
  return index < 0
    ? undefined
    : `row ${index + 1} lacks a value, has an encryptedAt that is no whole number or a createdAt that is no time UUID`;
}

/** Sent once: the driver repeats only what was certainly not sent. */
export async function insertRows(
  client: Client,
  keyspace: string,
  batch: { readonly rows: readonly NewNekRow[]; readonly timestamp: number | undefined },
): Promise<void> {
  const query = insertStatement(keyspace, nekTable);
  const options = {
    prepare: true,
    consistency: types.consistencies.localQuorum,
    isIdempotent: false,
    readTimeout: statementLimit,
    ...(batch.timestamp === undefined ? {} : { timestamp: batch.timestamp }),
  };
  const params = batch.rows.map((row) => [...toParams(row)]);
  const [only = []] = params;
  if (params.length === 1) await client.execute(query, only, options);
  else
    await client.batch(
      params.map((each) => ({ query, params: each })),
      { ...options, logged: false },
    );
}

/** Answers whether the column had no value and has this one now. Serial in the local datacenter: every node agrees on it. */
export async function claimCurrentKid(
  client: Client,
  keyspace: string,
  { namespace, kid }: { readonly namespace: string; readonly kid: string },
): Promise<boolean> {
  const result = await client.execute(claimStatement(keyspace, nekTable), [kid, namespace], {
    prepare: true,
    consistency: types.consistencies.localQuorum,
    serialConsistency: types.consistencies.localSerial,
    isIdempotent: false,
    readTimeout: statementLimit,
  });
  return result.wasApplied();
}

function isComplete(row: NewNekRow): boolean {
  const texts = [row.namespace, row.kid, row.createdAt, row.encryptedByKid, row.encryptedKey, row.status];
  return (
    texts.every((text) => typeof text === 'string') &&
    Number.isSafeInteger(row.encryptedAt) &&
    /^[\da-f]{8}-[\da-f]{4}-1[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/iu.test(row.createdAt)
  );
}
