import { type LedgerMark, type LedgerRow, ledgerKeyspace } from './ledger.ts';
import { refusedError } from './nek-store-errors.ts';
import { type Client, statementLimit, types } from './nek-store-library.ts';

const reading = { prepare: true, isIdempotent: true, readTimeout: statementLimit };

/** Names of the tables, and so of the keyspaces whose migrations they note. */
export async function readTables(client: Client): Promise<readonly string[]> {
  const { rows } = await client.execute(
    'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?',
    [ledgerKeyspace],
    reading,
  );
  return rows.map((row) => String(row.table_name)).sort();
}

export async function readTable(client: Client, keyspace: string): Promise<readonly LedgerRow[]> {
  const table = tableOf(keyspace);
  const { rows } = await client.execute(`SELECT version, dirty FROM ${table}`, [], reading);
  return rows.map((row) => ({
    version: numberOf(row.version, table),
    dirty: typeof row.dirty === 'boolean' ? row.dirty : null,
  }));
}

/** A lightweight transaction: the row must be as it was seen, whatever else writes at the same moment. */
export async function writeMark(client: Client, { keyspace, version, dirty }: LedgerMark): Promise<boolean> {
  const result = await client.execute(
    `UPDATE ${tableOf(keyspace)} SET dirty = ? WHERE version = ? IF dirty = ?`,
    [dirty, types.Long.fromNumber(version), !dirty],
    {
      prepare: true,
      isIdempotent: false,
      consistency: types.consistencies.localQuorum,
      serialConsistency: types.consistencies.localSerial,
      readTimeout: statementLimit,
    },
  );
  return result.wasApplied();
}

function tableOf(keyspace: string): string {
  // A name that CQL takes in quotes and that nothing else can be made of.
  if (/^\w{1,48}$/u.test(keyspace)) return `"${ledgerKeyspace}"."${keyspace}"`;
  throw refusedError(`Cannot use ${ledgerKeyspace}: ${JSON.stringify(keyspace)} is no name of a keyspace.`);
}

function numberOf(version: unknown, table: string): number {
  const number = types.Long.isLong(version) ? version.toNumber() : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw refusedError(`Cannot read ${table}: it holds a version that is no migration's.`);
}
