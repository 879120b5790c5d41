import { loadSecrets } from '../secret.ts';
import { type ReadContext, StepError } from '../step-type.ts';
import { addProblem, type Planner } from './planner.ts';
import { accessFailure, isHopeless, type PlanProblem, sayError } from './problem.ts';
import { contextFor, type Subject } from './subject.ts';

const SLOW = 'plan-limit';

/**
 * Asks a step type about the world, for at most `limit` milliseconds; secrets are fetched before, in their own time. Rejects with what
 * the step throws.
 */
export async function askWorld<T>(
  planner: Planner,
  subject: Subject,
  { limit, ask }: { readonly limit: number; ask(input: never, context: ReadContext): Promise<T> },
): Promise<T> {
  const input = subject.input.state === 'known' ? subject.input.value : {};
  await loadSecrets(input);
  const stop = new AbortController();
  const signal = AbortSignal.any([planner.request.signal, stop.signal]);
  const context = contextFor(planner, subject, signal);
  const late = context.services.clock.sleep(limit, signal).then(() => {
    throw new StepError(SLOW, `no answer within ${limit / 1000} s`);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([ask(input as never, context), late]);
  } finally {
    stop.abort();
  }
}

export interface AskFailure {
  readonly said: Pick<PlanProblem, 'message' | 'hint' | 'details'>;
  /** It is about the way to the system, and a problem already. */
  readonly told: boolean;
  /** The step did not answer in time. */
  readonly slow: boolean;
}

/** Notes what a failed question says about the way to the system; a plan that was stopped ends here. */
export function noteFailure(planner: Planner, { node, id }: Subject, error: unknown): AskFailure {
  planner.request.signal.throwIfAborted();
  if (isHopeless(error)) planner.offline = 'not asked: the cluster gave no answer before';
  const said = sayError(error);
  const kind = accessFailure(error);
  if (kind !== undefined)
    addProblem(planner, node, { kind, instance: id, ...said, message: `${id}: ${said.message}` });
  return { said, told: kind !== undefined, slow: error instanceof StepError && error.code === SLOW };
}
