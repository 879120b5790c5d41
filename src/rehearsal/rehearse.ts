import { nodeIdOf } from '../engine/plan/instance.ts';
import type { Plan } from '../engine/plan/plan.ts';
import type { Node } from '../engine/read/runbook.ts';
import { openSandbox } from '../sandbox/open.ts';
import { attempt } from './attempt.ts';
import { type Flat, flatten } from './compare.ts';
import { type Rehearsal, type RehearsalRow, type RehearsedStep, type Way, ways } from './rehearsal.ts';
import type { Stage } from './stage.ts';
import { createTracer, type Trace } from './trace.ts';
import { judge } from './verdict.ts';

/** The runbook does not come to its end even undisturbed: there is nothing to rehearse. */
export class CannotRehearseError extends Error {}

export interface RehearsalOptions {
  /** False leaves a step out, or a way in which it fails; all of them unless given. */
  readonly wanted?: (step: RehearsedStep, way: Way) => boolean;
  /** Called after each rehearsal; `of` counts them all. */
  readonly onRow?: (row: RehearsalRow, progress: { readonly done: number; readonly of: number }) => void;
  /** Aborted: the rehearsal that goes on is the last one. */
  readonly signal?: AbortSignal;
}

/** Names what stands for the run as a whole, where steps are named. */
export const WHOLE = '(the whole run)';

function changing(nodes: readonly Node[], parent: string): readonly string[] {
  return nodes.flatMap((node) => {
    const id = parent === '' ? node.id : `${parent}/${node.id}`;
    if (node.kind === 'include')
      return [...changing(node.children, id), ...changing(node.rollback, `${id}~undo`)];
    const undo = Array.isArray(node.rollback) ? changing(node.rollback as readonly Node[], `${id}~undo`) : [];
    if (node.kind === 'group') return [...changing(node.children, id), ...undo];
    return [...(node.effect === 'change' ? [id] : []), ...undo];
  });
}

function notReached({ blocks }: Pick<Plan, 'blocks'>, { steps }: Trace): readonly string[] {
  const reached = new Set(steps.map(({ id }) => nodeIdOf(id)));
  return [...changing(blocks.steps, ''), ...changing(blocks.rollback, '')].filter((id) => !reached.has(id));
}

/** The world that every rehearsal begins with. */
function worldBefore({ seed, from, inventory }: Stage): Flat {
  const sandbox = openSandbox({ seed, from, inventory });
  try {
    return flatten(sandbox.inspect.fields());
  } finally {
    sandbox.abandon();
  }
}

/** Undisturbed, and rolled back from its end. */
async function first(stage: Stage, before: Flat): Promise<{ trace: Trace; row: RehearsalRow }> {
  const tracer = createTracer();
  const attempted = await attempt(stage, { faults: [], onEvent: tracer.onEvent });
  try {
    if (attempted.ended !== 'done')
      throw new CannotRehearseError(attempted.endedText === '' ? attempted.ended : attempted.endedText);
    const row = await judge({ step: WHOLE, way: 'none', stage, trace: tracer, before }, attempted);
    return { trace: tracer, row };
  } finally {
    attempted.close();
  }
}

async function rehearseOne(
  about: { readonly stage: Stage; readonly trace: Trace; readonly before: Flat },
  step: RehearsedStep,
  way: (typeof ways)[number],
): Promise<RehearsalRow> {
  const attempted = await attempt(about.stage, {
    faults: [{ step: step.id, kind: way }],
    ...(step.undo ? { inRollback: true } : { stopAfter: step.id }),
  });
  try {
    return await judge({ ...about, step: step.id, way }, attempted);
  } finally {
    attempted.close();
  }
}

/**
 * Lets every changing step of a run fail once in each way, rolls back, and compares the simulated world with the one before.
 * Throws `CannotRehearseError` when the run does not even come to its end undisturbed.
 */
export async function rehearse(stage: Stage, options: RehearsalOptions = {}): Promise<Rehearsal> {
  const { wanted = () => true, onRow, signal } = options;
  const before = worldBefore(stage);
  const { trace, row } = await first(stage, before);
  const all = trace.steps.flatMap((step) =>
    ways.filter((way) => wanted(step, way)).map((way) => ({ step, way })),
  );
  const rows: RehearsalRow[] = [];
  const add = (made: RehearsalRow) => {
    rows.push(made);
    onRow?.(made, { done: rows.length, of: all.length + 1 });
  };
  add(row);
  for (const { step, way } of all) {
    if (signal?.aborted === true) break;
    add(await rehearseOne({ stage, trace, before }, step, way));
  }
  const { runbook } = stage.plan;
  return {
    runbook: runbook.name,
    title: runbook.title,
    seed: stage.seed,
    ...(stage.live === undefined ? {} : { live: stage.live }),
    steps: trace.steps,
    rows,
    notReached: notReached(stage.plan, trace),
    interrupted: rows.length < all.length + 1,
  };
}
