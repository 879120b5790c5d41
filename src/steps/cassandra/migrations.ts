import type { ReadStepType } from '../../engine/step-type.ts';
import type { CassandraMigrationsOutputs, CassandraMigrationsWith } from '../../generated/types.ts';
import type { LedgerTable } from '../../services/ledger.ts';
import { objectPath } from '../kubectl/target.ts';
import { chartJobs, jobAccess, jobStates } from './jobs.ts';
import { ledgerAccess, readLedger } from './ledger.ts';
import { targetProblems } from './nodes.ts';

type Entry = CassandraMigrationsOutputs['ledger'][number];

export const migrations: ReadStepType<CassandraMigrationsWith, CassandraMigrationsOutputs> = {
  type: 'cassandra.migrations',
  effect: 'read',
  timeout: 2 * 60_000,
  describe: (input) => `read the Jobs and the ledger of Cassandra's migrations in ${input.namespace}`,
  resources: ({ namespace }) => [
    { path: `cassandra/${namespace.includes('‹') ? '*' : namespace}/schema_migrations`, mode: 'read' },
    { path: objectPath(namespace, 'Job'), mode: 'read' },
  ],
  access: (input) => [
    jobAccess(input.namespace),
    ...(input.password === undefined ? [] : ledgerAccess(input)),
  ],
  check: targetProblems,

  async run(input, ctx) {
    const known = input.password !== undefined;
    const [jobs, tables] = await Promise.all([
      jobStates(ctx, input.namespace, input.jobs ?? chartJobs),
      known ? readLedger(ctx, input) : Promise.resolve<readonly LedgerTable[]>([]),
    ]);
    const ledger = [...tables.map(entryOf), ...missing(known ? (input.keyspaces ?? []) : [], tables)];
    const dirty = ledger.filter(({ state }) => state === 'dirty');
    const clean = known && ledger.length > 0 && ledger.every(({ state }) => state === 'clean');
    const jobsOk = jobs.every(({ state }) => state === 'complete' || state === 'absent');
    return {
      jobs: jobs.map((job) => ({ ...job })),
      jobsOk,
      jobsComplete: jobs.every(({ state }) => state === 'complete'),
      ledgerKnown: known,
      ledger,
      dirty: dirty.map(({ keyspace, version }) => `${keyspace} ${version}`),
      clean,
      healthy: clean && jobsOk,
      summary: [
        `Jobs: ${jobs.map(({ name, state }) => `${name} ${state}`).join(', ')}`,
        !known
          ? 'ledger not asked'
          : clean
            ? `ledger of ${ledger.length} keyspaces clean`
            : `ledger not clean: ${troubles(ledger).join('; ') || 'schema_migrations has no table'}`,
      ].join('; '),
    };
  },

  findings: ({ jobs, ledger, ledgerKnown }) => ({
    details: [
      ...jobs.flatMap(({ name, state, failedPods, message }) =>
        state === 'failed'
          ? [`Job ${name} failed (${failedPods} pods): ${message}`]
          : state === 'running'
            ? [`Job ${name} has not ended (${failedPods} pods failed so far)`]
            : [],
      ),
      ...troubles(ledger),
      ...(ledgerKnown ? [] : ['the ledger was not asked: no password was given']),
      ...(ledgerKnown && ledger.length === 0
        ? ['schema_migrations has no table: no migration ever ran']
        : []),
    ],
    hint: 'A running Job marks a version dirty until that migration ends: let it end first. Then see the log of the Job, compare the schema with the migration, and use the runbook dirty-migration.',
  }),
};

function entryOf({ keyspace, rows }: LedgerTable): Entry {
  const [row] = rows;
  if (row === undefined) return { keyspace, version: -1, state: 'empty' };
  // The migrations keep one row; which of several counts, nobody knows.
  if (rows.length > 1) return { keyspace, version: rows.at(-1)?.version ?? -1, state: 'ambiguous' };
  return { keyspace, version: row.version, state: row.dirty === false ? 'clean' : 'dirty' };
}

function missing(expected: readonly string[], tables: readonly LedgerTable[]): readonly Entry[] {
  const names = new Set(tables.map(({ keyspace }) => keyspace));
  return expected
    .filter((keyspace) => !names.has(keyspace))
    .map((keyspace) => ({ keyspace, version: -1, state: 'missing' }));
}

function troubles(ledger: readonly Entry[]): readonly string[] {
  const words: Readonly<Record<string, (entry: Entry) => string>> = {
    dirty: ({ keyspace, version }) =>
      `${keyspace}: the migration to version ${version} did not end well (dirty)`,
    empty: ({ keyspace }) => `${keyspace}: its table is empty, no migration is noted`,
    ambiguous: ({ keyspace }) => `${keyspace}: its table has several rows`,
    missing: ({ keyspace }) => `${keyspace}: schema_migrations has no table for it`,
  };
  return ledger.flatMap((entry) => words[entry.state]?.(entry) ?? []);
}
