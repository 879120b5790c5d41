import type { ChangeStepType, Observation, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { CassandraClearDirtyOutputs, CassandraClearDirtyWith } from '../../generated/types.ts';
import type { LedgerRow } from '../../services/ledger.ts';
import { asJson, observeOrUnknown } from '../kubectl/observing.ts';
import { objectPath } from '../kubectl/target.ts';
import { chartJobs, jobAccess, jobStates } from './jobs.ts';
import { ledgerAccess, ledgerTarget, onLedger, readLedger } from './ledger.ts';
import { targetProblems } from './nodes.ts';

type Input = CassandraClearDirtyWith;

interface State {
  readonly dirty: boolean;
}

export const clearDirty: ChangeStepType<CassandraClearDirtyWith, CassandraClearDirtyOutputs> = {
  type: 'cassandra.clear-dirty',
  effect: 'change',
  timeout: 2 * 60_000,
  describe: (input) =>
    `clear the dirty mark of version ${input.version} in schema_migrations.${input.keyspace}`,
  resources: ({ namespace }) => [
    { path: `cassandra/${namespace.includes('‹') ? '*' : namespace}/schema_migrations`, mode: 'write' },
    { path: objectPath(namespace, 'Job'), mode: 'read' },
  ],
  access: (input) => [jobAccess(input.namespace), ...ledgerAccess(input)],
  undoes: 'sets the dirty mark again, if the ledger is still at that version',
  check: (input) => [
    ...targetProblems(input),
    ...(/^\w{1,48}$/.test(input.keyspace)
      ? []
      : [{ path: ['keyspace'], message: `'${input.keyspace}' is not the name of a keyspace.` }]),
  ],

  async predict(input, ctx) {
    const { dirty } = await examine(input, ctx);
    return {
      predictable: true,
      changes: dirty,
      diff: dirty
        ? [
            {
              path: `schema_migrations.${input.keyspace}[${input.version}].dirty`,
              before: true,
              after: false,
            },
          ]
        : [],
      outputs: asJson(outputsOf(input)),
      notes: ['the schema itself is not changed: whether it is that of this version, nobody can see here'],
      duration: { min: 200, max: 10_000 },
    };
  },

  async capture(input, ctx) {
    const state: State = await examine(input, ctx);
    return { state: { ...state }, witnesses: [] };
  },

  async run(input, ctx) {
    await requireQuiet(input, ctx);
    if (!(await mark(input, ctx, false))) throw moved(input, await rowsOf(input, ctx));
    return outputsOf(input);
  },

  observe: (input, _before, ctx) =>
    observeOrUnknown(async (): Promise<Observation> => {
      const rows = await rowsOf(input, ctx);
      const row = only(rows, input.version);
      const evidence = `schema_migrations.${input.keyspace}: ${said(rows)}`;
      if (row?.dirty === false) return { state: 'applied', evidence, outputs: asJson(outputsOf(input)) };
      return { state: row?.dirty === true ? 'not-applied' : 'conflict', evidence };
    }),

  async undo(input, before, _outputs, ctx) {
    const { dirty } = before.state as unknown as State;
    if (!dirty) return;
    // A migration that begins meanwhile takes the place of this row: then there is nothing to take back.
    if (!(await mark(input, ctx, true)) && only(await rowsOf(input, ctx), input.version)?.dirty !== true)
      throw new StepError(
        'ledger-moved',
        `schema_migrations.${input.keyspace} is no longer at version ${input.version}: the mark was not set again.`,
        {
          outcome: 'not-applied',
          hint: 'A migration ran since. See where it stands with cassandra.migrations.',
        },
      );
  },
};

/** What is there now, or why nothing may be cleared. */
async function examine(input: Input, ctx: ReadContext): Promise<State> {
  await requireQuiet(input, ctx);
  const rows = await rowsOf(input, ctx);
  const row = only(rows, input.version);
  if (row?.dirty === undefined || row.dirty === null) throw moved(input, rows);
  return { dirty: row.dirty };
}

/** A migration at work marks its version dirty until it ends: only a mark that was left behind may be cleared. */
async function requireQuiet(input: Input, ctx: ReadContext): Promise<void> {
  const jobs = await jobStates(ctx, input.namespace, input.jobs ?? chartJobs);
  const running = jobs.filter(({ state }) => state === 'running').map(({ name }) => name);
  if (running.length === 0) return;
  throw new StepError('migration-running', `Job ${running.join(', ')} has not ended.`, {
    outcome: 'not-applied',
    hint: 'A migration marks its version dirty while it works. Wait until the Job has ended, and look again.',
  });
}

async function rowsOf(input: Input, ctx: ReadContext): Promise<readonly LedgerRow[]> {
  const tables = await readLedger(ctx, input);
  const table = tables.find(({ keyspace }) => keyspace === input.keyspace);
  if (table !== undefined) return table.rows;
  throw new StepError('ledger-missing', `schema_migrations has no table ${input.keyspace}.`, {
    outcome: 'not-applied',
    hint:
      tables.length === 0
        ? 'It has no table at all: did the migrations of this cluster ever run?'
        : `There are: ${tables.map(({ keyspace }) => keyspace).join(', ')}.`,
  });
}

/** The row of a version, when it is the only one. */
function only(rows: readonly LedgerRow[], version: number): LedgerRow | undefined {
  const [row] = rows;
  return rows.length === 1 && row?.version === version ? row : undefined;
}

async function mark(
  input: Input,
  ctx: Parameters<typeof clearDirty.run>[1],
  dirty: boolean,
): Promise<boolean> {
  const { keyspace, version } = input;
  return await onLedger(`mark version ${version} of schema_migrations.${keyspace}`, () =>
    ctx.services.ledger.mark(ledgerTarget(ctx, input), { keyspace, version, dirty }, ctx.signal),
  );
}

function moved(input: Input, rows: readonly LedgerRow[]): StepError {
  return new StepError(
    'version-differs',
    `schema_migrations.${input.keyspace} does not stand at version ${input.version} alone: ${said(rows)}.`,
    {
      outcome: 'not-applied',
      hint: 'Nothing is cleared that was not named exactly. Look again (cassandra.migrations), and name the version that is there.',
    },
  );
}

function said(rows: readonly LedgerRow[]): string {
  if (rows.length === 0) return 'it is empty';
  return rows
    .map(
      ({ version, dirty }) =>
        `version ${version} ${dirty === null ? 'without a mark' : dirty ? 'dirty' : 'clean'}`,
    )
    .join(', ');
}

function outputsOf({ keyspace, version }: Input): CassandraClearDirtyOutputs {
  return { keyspace, version };
}
