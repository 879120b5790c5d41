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
  limit: { readonly deadline: number; readonly timeout: number },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const ended = new AbortController();
  const interrupt = () => controller.abort();
  if (runtime.aborting.aborted) interrupt();
  else runtime.aborting.addEventListener('abort', interrupt, { once: true });
  try {
    return await Promise.race([work(controller.signal), guard(runtime, { controller, ended, limit })]);
  } catch (thrown) {
    if (!controller.signal.aborted || (thrown instanceof StepError && thrown.code !== 'aborted'))
      throw thrown;
    throw runtime.aborting.aborted ? interrupted() : timedOut(limit.timeout, thrown);
  } finally {
    ended.abort();
    runtime.aborting.removeEventListener('abort', interrupt);
  }
}

async function guard(
  runtime: Runtime,
  watch: {
    readonly controller: AbortController;
    readonly ended: AbortController;
    readonly limit: { readonly deadline: number; readonly timeout: number };
  },
): Promise<never> {
  const { controller, ended, limit } = watch;
  const waiting = new AbortController();
  const wake = () => waiting.abort();
  for (const signal of [ended.signal, controller.signal])
    signal.addEventListener('abort', wake, { once: true });
  await runtime.clock.sleep(Math.max(0, limit.deadline - runtime.clock.now()), waiting.signal);
  if (!ended.signal.aborted) {
    controller.abort();
    await runtime.clock.sleep(grace, ended.signal);
  }
  if (!ended.signal.aborted) throw runtime.aborting.aborted ? interrupted() : timedOut(limit.timeout);
  return new Promise<never>(() => undefined);
}

function timedOut(timeout: number, cause?: unknown): StepError {
  return new StepError('timeout', `did not finish within ${formatDuration(timeout)}`, {
    retryable: true,
    outcome: 'unknown',
    cause,
  });
}

function interrupted(): StepError {
  return new StepError('interrupted', 'was asked to stop by an interrupt', { outcome: 'unknown' });
}
