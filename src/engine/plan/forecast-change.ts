import type { Json } from '../json.ts';
import type { Node, StepNode } from '../read/runbook.ts';
import type { AnyStepType, DiffLine, Prediction, Witness } from '../step-type.ts';
import { askWorld, noteFailure } from './ask-world.ts';
import { noTime, type Span } from './estimate.ts';
import { nodeIdOf } from './instance.ts';
import type { Forecast, ForecastStatus } from './plan.ts';
import { type Planner, setFacts, show } from './planner.ts';
import { knownAfter, type Subject } from './subject.ts';

/** A step that has not predicted its change by then counts as unpredictable. */
export const PREDICT_LIMIT = 60_000;

type ChangeType = Extract<AnyStepType, { effect: 'change' }>;

/** What a changing step would do: its own prediction, seen from the world as it is now. Answers how long it may take. */
export async function forecastChange(
  planner: Planner,
  subject: Subject,
  undoSteps: readonly string[],
): Promise<Span> {
  const earlier = planner.touched.writerOf(subject.resources);
  const asked = await ask(planner, subject);
  const { status, reason } = verdict(subject, asked, earlier);
  const { prediction } = asked;
  const predicted = prediction?.predictable === true ? prediction : undefined;
  const notes = [...(subject.line.notes ?? []), ...(prediction?.notes ?? [])];
  if (earlier !== undefined && predicted?.changes === true)
    notes.push(`seen from today's state; ${nodeIdOf(earlier)} changes it first`);
  const duration = status === 'no-change' ? undefined : durationOf(planner, subject, prediction);
  const forecast: Forecast = {
    ...subject.line,
    status,
    ...(predicted === undefined || predicted.diff.length === 0 ? {} : { diff: predicted.diff }),
    ...(reason === undefined ? {} : { reason }),
    ...(notes.length === 0 ? {} : { notes: [...new Set(notes)] }),
    ...(earlier !== undefined || asked.witnesses.length === 0 ? {} : { witnesses: asked.witnesses }),
    ...(duration === undefined ? {} : { duration }),
    undo: undoText(subject, predicted?.diff, undoSteps),
  };
  show(planner, subject.spot, forecast);
  const outputs = earlier === undefined && subject.spot.doubt === undefined ? predicted?.outputs : undefined;
  setFacts(planner, subject.id, {
    state: 'applied',
    pending: true,
    ...(outputs === undefined ? {} : { outputs }),
  });
  if (status !== 'no-change') {
    planner.touched.add(subject.resources, subject.id);
    planner.changed ??= subject.id;
  }
  return duration ?? noTime;
}

interface Asked {
  readonly prediction?: Prediction;
  readonly witnesses: readonly Witness[];
  /** Why there is no prediction. */
  readonly why?: string;
}

async function ask(planner: Planner, subject: Subject): Promise<Asked> {
  const { input, type, spot } = subject;
  if (input.state === 'invalid') return { witnesses: [], why: input.why };
  if (input.state === 'unknown') return { witnesses: [], why: spot.doubt ?? knownAfter(input.after) };
  if (!spot.live || type.effect !== 'change')
    return { witnesses: [], why: spot.doubt ?? 'not asked in a plan' };
  if (planner.offline !== undefined) return { witnesses: [], why: planner.offline };
  planner.request.progress?.(subject.line.name);
  return predict(planner, subject, type);
}

/** Captures too: the witnesses are what `exec` of this plan compares with before the step. */
async function predict(planner: Planner, subject: Subject, type: ChangeType): Promise<Asked> {
  try {
    return await askWorld(planner, subject, {
      limit: PREDICT_LIMIT,
      ask: async (input, context) => {
        const before = await type.capture(input, context);
        return { prediction: await type.predict(input, context), witnesses: before.witnesses };
      },
    });
  } catch (error) {
    return { witnesses: [], why: noteFailure(planner, subject, error).said.message };
  }
}

function verdict(
  subject: Subject,
  asked: Asked,
  earlier: string | undefined,
): { readonly status: ForecastStatus; readonly reason: string | undefined } {
  const { prediction } = asked;
  const { doubt } = subject.spot;
  if (subject.input.state === 'invalid') return { status: 'failed', reason: subject.input.why };
  if (prediction === undefined) return { status: 'unknown', reason: asked.why };
  if (!prediction.predictable) return { status: 'unknown', reason: doubt ?? prediction.why };
  if (doubt !== undefined) return { status: 'unknown', reason: doubt };
  if (prediction.changes) return { status: 'change', reason: undefined };
  if (earlier === undefined) return { status: 'no-change', reason: 'already as wanted' };
  return { status: 'unknown', reason: `already as wanted now, but ${nodeIdOf(earlier)} changes it first` };
}

function durationOf(
  planner: Planner,
  subject: Subject,
  prediction: Prediction | undefined,
): Span | undefined {
  // What only a rollback does is no part of the time that the run takes.
  if (subject.spot.block === 'rollback') return undefined;
  const past = planner.spans.get(nodeIdOf(subject.id));
  const predicted = prediction?.duration;
  if (past !== undefined) {
    planner.basis.past += 1;
    return past;
  }
  if (predicted === undefined) planner.basis.without += 1;
  else planner.basis.predicted += 1;
  return predicted;
}

/** How a step would be taken back: its own rollback steps, or the type's undo in the words of the diff. */
function undoText(
  subject: Subject,
  diff: readonly DiffLine[] | undefined,
  undoSteps: readonly string[],
): string {
  const { rollback } = subject.node;
  const own = sayRollback(rollback, undoSteps);
  if (own !== undefined) return own;
  const stays = rollback === undefined || isList(rollback) ? '' : `; irreversible: ${rollback.irreversible}`;
  return `${typeUndoText(subject, diff)}${stays}`;
}

function typeUndoText({ type }: Subject, diff: readonly DiffLine[] | undefined): string {
  if (type.effect !== 'change') return 'nothing to undo';
  if (typeof type.undo === 'object') return `irreversible: ${type.undo.irreversible}`;
  if (type.undoes !== undefined) return type.undoes;
  const scalars = (diff ?? []).filter(({ before }) => before !== undefined && typeof before !== 'object');
  if (scalars.length === 0 || scalars.length > 2 || scalars.length !== diff?.length)
    return 'put back what it found';
  return `put back ${scalars.map(({ path, before }) => `${path} ${sayScalar(before)}`).join(', ')}`;
}

export function sayRollback(rollback: StepNode['rollback'], names: readonly string[]): string | undefined {
  if (rollback === undefined) return undefined;
  if (!isList(rollback)) return rollback.undo === true ? undefined : `irreversible: ${rollback.irreversible}`;
  return names.length === 0 ? 'nothing to undo' : names.join(', then ');
}

function isList(rollback: NonNullable<StepNode['rollback']>): rollback is readonly Node[] {
  return Array.isArray(rollback);
}

function sayScalar(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}
