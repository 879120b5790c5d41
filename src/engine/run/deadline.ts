import { setMaxListeners } from 'node:events';
import { formatDuration } from '../duration.ts';
import { StepError } from '../step-type.ts';
import type { Runtime } from './runtime.ts';

/** How long an operation may take to stop after it was asked to. */
const grace = 10_000;

/**
 * Runs an operation of a step until its deadline, or until the second interrupt; both abort its signal. One that does not stop is left
 * alone: whether it took effect is then found out by observing.
 */
export async function bounded<T>(
  runtime: Runtime,
  limit: Limit,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const watch: Watch = {
    runtime,
    limit,
    step: new AbortController(),
    timer: new AbortController(),
    over: false,
  };
  // A step may await many things at once, each of which listens.
  setMaxListeners(0, watch.step.signal);
  const { aborting } = runtime;
  const interrupt = () => {
    watch.step.abort(stop);
    watch.timer.abort(stop);
  };
  if (aborting.aborted) interrupt();
  else aborting.addEventListener('abort', interrupt, { once: true });
  try {
    return await Promise.race([work(watch.step.signal), guard(watch)]);
  } catch (thrown) {
    if (!watch.step.signal.aborted) throw thrown;
    // Whatever it says after an interrupt, a resume looks at the world and goes on.
    if (aborting.aborted) throw interrupted(thrown);
    const own = thrown instanceof StepError && thrown.code !== 'aborted';
    throw own ? thrown : timedOut(limit.timeout, thrown);
  } finally {
    watch.over = true;
    watch.timer.abort(stop);
    aborting.removeEventListener('abort', interrupt);
  }
}

interface Limit {
  readonly deadline: number;
  readonly timeout: number;
}

interface Watch {
  readonly runtime: Runtime;
  readonly limit: Limit;
  readonly step: AbortController;
  timer: AbortController;
  over: boolean;
}

// A reason of our own: the standard one collects a stack each time.
const stop = new Error('stop');

async function guard(watch: Watch): Promise<never> {
  const { runtime, limit, step } = watch;
  await runtime.clock.sleep(Math.max(0, limit.deadline - runtime.clock.now()), watch.timer.signal);
  if (!watch.over) {
    step.abort(stop);
    watch.timer = new AbortController();
    await runtime.clock.sleep(grace, watch.timer.signal);
  }
  if (!watch.over) throw runtime.aborting.aborted ? interrupted() : timedOut(limit.timeout);
  return new Promise<never>(() => undefined);
}

function timedOut(timeout: number, cause?: unknown): StepError {
  return new StepError('timeout', `did not finish within ${formatDuration(timeout)}`, {
    retryable: true,
    outcome: 'unknown',
    cause,
  });
}

function interrupted(cause?: unknown): StepError {
  const said = cause instanceof StepError ? [cause.message, ...cause.details] : [];
  return new StepError('interrupted', 'was asked to stop by an interrupt', {
    outcome: 'unknown',
    details: said,
    cause,
  });
}
