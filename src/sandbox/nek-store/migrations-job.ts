import type { World } from '../world.ts';
import type { StoredMigration } from './state.ts';

/** The Job of Cassandra's chart that runs the migrations of every keyspace. */
export const MIGRATIONS_JOB = 'cassandra-migrations';
const KEYSPACE = 'nvcf_api';

/** A migration that began and did not end well is left marked: the failing one is number 42 of `nvcf_api`. */
export function noticeFailedJob(world: World, name: string): void {
  if (name === MIGRATIONS_JOB) setLedger(world, KEYSPACE, [{ version: 42, dirty: true }]);
}

export function setLedger(
  world: World,
  keyspace: string,
  rows: readonly StoredMigration[] | undefined,
): void {
  if (rows === undefined) world.cassandra.ledger.delete(keyspace);
  else world.cassandra.ledger.set(keyspace, rows);
}
