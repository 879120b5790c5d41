import type { Before, ChangeStepType, Observation, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { NekRestoreOutputs, NekRestoreWith } from '../../generated/types.ts';
import { type NekBackupContent, parseNekBackup } from '../../keys/nek-backup-content.ts';
import { type NekSession, NekStoreError } from '../../services/nek-store.ts';
import { localFile, readWhole } from '../backup/kept-file.ts';
import { keyProblems, openSealed } from '../backup/sealing.ts';
import { asJson, observeOrUnknown } from '../kubectl/observing.ts';
import { onStore, storeError } from '../mek/session.ts';
import { healthProblem, requireHealthy } from './health.ts';
import { type Comparison, compare, countOf, idOf, type Missing } from './missing-rows.ts';
import { withNeks } from './open.ts';
import { nekAccess, nekPlaceProblems, nekResources } from './place.ts';

type Input = NekRestoreWith;

interface State {
  /** Rows and current kids that were missing before. */
  readonly rows: number;
  readonly currents: number;
  readonly useless: number;
}

const largest = 1024 ** 3;
const batchSize = 50;
const attempts = 8;
const named = 20;

export const restore: ChangeStepType<NekRestoreWith, NekRestoreOutputs> = {
  type: 'nek.restore',
  effect: 'change',
  timeout: 60 * 60_000,
  describe: ({ file }) => `insert the namespace keys of ${file} that are missing`,
  resources: (input) => [{ path: localFile(input.file), mode: 'read' }, ...nekResources(input, 'write')],
  access: nekAccess,
  check: (input) => [...nekPlaceProblems(input), ...keyProblems(input)],

  async predict(input, ctx) {
    const content = await open(input, ctx);
    const { found, notes } = await look(input, ctx, content);
    const { rows, currents } = stateFrom(found);
    const more = found.missing.length - named;
    return {
      predictable: true,
      changes: rows + currents > 0,
      diff: [
        ...found.missing.slice(0, named).map(sayMissing),
        ...(more > 0 ? [{ path: `${more} more namespaces`, after: 'rows inserted' }] : []),
      ],
      outputs: { inserted: rows, currents, there: found.there, useless: found.useless },
      notes: [...(await originNotes(ctx, content)), ...notes],
      duration: { min: 500, max: 5_000 + rows * 20 },
    };
  },

  async capture(input, ctx) {
    const content = await open(input, ctx);
    const { found } = await look(input, ctx, content);
    return { state: asJson(stateFrom(found)), witnesses: [] };
  },

  async run(input, ctx) {
    const content = await open(input, ctx);
    return await withNeks(ctx, input, async ({ document, session }) => {
      await requireHealthy(ctx, session, { allowSingleCopy: input.allowSingleCopy });
      const given = { rows: content.rows, document, signal: ctx.signal };
      const before = await onStore('read the namespace keys', () => compare(session, given));
      let written = 0;
      const all = countOf(before.missing);
      for (const missing of before.missing) {
        await insertAll(ctx, session, missing);
        written += missing.rows.length;
        ctx.progress({ text: `${written} of ${all} rows inserted` });
      }
      const after = await onStore('read the namespace keys back', () => compare(session, given));
      if (after.missing.length > 0) throw unseen(after);
      return outputsOf(stateOf(ctx.before) ?? stateFrom(before), after);
    });
  },

  observe: (input, before, ctx) =>
    observeOrUnknown(async (): Promise<Observation> => {
      const content = await open(input, ctx);
      const { found } = await look(input, ctx, content);
      const state = stateOf(before) ?? stateFrom(found);
      const now = stateFrom(found);
      if (now.rows + now.currents === 0)
        return {
          state: 'applied',
          evidence: `every row of ${input.file} that ESS would use is there`,
          outputs: asJson(outputsOf(state, found)),
        };
      return {
        state: 'not-applied',
        ...(now.rows < state.rows && { partial: true }),
        evidence: `${now.rows} rows of ${input.file} are missing, and the current key of ${now.currents} namespaces`,
      };
    }),

  undo: { irreversible: 'Rows that came back are kept; nothing was replaced by them.' },
};

async function open(input: Input, ctx: ReadContext): Promise<NekBackupContent> {
  const plain = await openSealed(input.file, await readWhole(ctx, input.file, largest), input);
  const parsed = parseNekBackup(plain);
  if (parsed.ok) return parsed.content;
  throw new StepError('backup-unreadable', `${input.file} cannot be restored: ${parsed.problem}`, {
    outcome: 'not-applied',
    hint: 'Check that it is the right file; another copy may be whole.',
  });
}

async function look(input: Input, ctx: ReadContext, content: NekBackupContent) {
  return await withNeks(ctx, input, async ({ document, session }) => {
    const found = await onStore('read the namespace keys', () =>
      compare(session, {
        rows: content.rows,
        document,
        signal: ctx.signal,
        onNamespace: (done, of) => ctx.progress({ text: `${done} of ${of} namespaces compared` }),
      }),
    );
    const problem = await healthProblem(ctx, session, { allowSingleCopy: input.allowSingleCopy });
    return { found, notes: problem === undefined ? [] : [problem.message] };
  });
}

async function originNotes(ctx: ReadContext, { cluster, takenAt }: NekBackupContent) {
  const { uid } = await ctx.services.kubernetes.identity();
  return [`the backup is of ${takenAt}`, ...(cluster === uid ? [] : ['the backup is of another cluster'])];
}

function sayMissing({ namespace, rows, currentKid }: Missing) {
  const current = currentKid === undefined ? '' : `, current key ${currentKid}`;
  return { path: namespace, after: `${rows.length} rows inserted${current}` };
}

function stateFrom({ missing, useless }: Comparison): State {
  return {
    rows: countOf(missing),
    currents: missing.filter(({ currentKid }) => currentKid !== undefined).length,
    useless,
  };
}

function stateOf(before: Before | undefined): State | undefined {
  return before === undefined ? undefined : (before.state as unknown as State);
}

/** Rows in batches, each until it is read back; then the current kid, which names one of them. */
async function insertAll(ctx: RunContext, session: NekSession, missing: Missing): Promise<void> {
  for (let from = 0; from < missing.rows.length; from += batchSize) {
    let open = missing.rows.slice(from, from + batchSize);
    for (let attempt = 0; open.length > 0; attempt += 1) {
      const rows = open;
      await tried(ctx, attempt, () => session.insert(rows, {}, ctx.signal));
      const seen = await onStore('read the namespace keys back', () => session.rows(rows, ctx.signal));
      const there = new Set(seen.map(idOf));
      open = rows.filter((row) => !there.has(idOf(row)));
      if (open.length > 0 && attempt === attempts) return;
    }
  }
  const { namespace, currentKid: kid } = missing;
  if (kid === undefined) return;
  for (let attempt = 0; ; attempt += 1) {
    if (await tried(ctx, attempt, () => session.claimCurrentKid({ namespace, kid }, ctx.signal))) return;
    const [row] = await onStore('read the namespace keys back', () =>
      session.partition({ namespace }, ctx.signal),
    );
    // Somebody set it meanwhile, or our answer was lost.
    if (row?.currentKid !== null || attempt === attempts) return;
  }
}

/** Answers true when the store said that it was done; of a lost answer only reading back tells. */
async function tried(ctx: RunContext, attempt: number, act: () => Promise<unknown>): Promise<boolean> {
  try {
    return (await act()) !== false;
  } catch (error) {
    if (!(error instanceof NekStoreError) || !error.retryable || attempt === attempts || ctx.signal.aborted)
      throw storeError('insert namespace keys', error);
    ctx.progress({ text: `waiting for Cassandra: ${error.message}` });
    await ctx.services.clock.sleep(Math.min(15_000, 250 * 2 ** attempt), ctx.signal);
    return false;
  }
}

function unseen({ missing }: Comparison): StepError {
  const rows = countOf(missing);
  return new StepError(
    'nek-not-restored',
    `${rows} rows were inserted and cannot be read, and ${missing.length} namespaces are not whole.`,
    {
      details: missing.slice(0, named).map(({ namespace }) => namespace),
      hint: 'A deletion by a clock that is ahead hides them: compare the clocks of the nodes, wait until they have passed that time, and run it again.',
    },
  );
}

function outputsOf(before: State, now: Comparison): NekRestoreOutputs {
  const { rows: inserted, currents } = before;
  const { there, useless } = now;
  return {
    inserted,
    currents,
    there: Math.max(0, there - inserted),
    useless,
    summary: `${inserted} rows came back, ${Math.max(0, there - inserted)} were there, ${useless} are of no use to ESS`,
  };
}
