import { loadSecrets } from '../secret.ts';
import { type ReadContext, StepError } from '../step-type.ts';
import { addProblem, type Planner } from './planner.ts';
import { accessFailure, isHopeless, type PlanProblem, sayError } from './problem.ts';
import { contextFor, type Subject } from './subject.ts';

const SLOW = 'plan-limit';
// A reason of our own: making the default one costs more than most questions.
const OVER = 'answered';

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
  const outer = planner.request.signal;
  const pass = () => stop.abort(outer.reason);
  outer.addEventListener('abort', pass, { once: true });
  try {
    const context = contextFor(planner, subject, stop.signal);
    const answer = ask(input as never, context).then((value) => ({ value }));
    const late = context.services.clock.sleep(limit, stop.signal).then(() => undefined);
    const first = await Promise.race([answer, late]);
    if (first !== undefined) return first.value;
    outer.throwIfAborted();
    throw new StepError(SLOW, `no answer within ${limit / 1000} s`);
  } finally {
    outer.removeEventListener('abort', pass);
    stop.abort(OVER);
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
