import type { StepNode } from '../read/runbook.ts';
import { durationOf } from './evaluate.ts';
import type { RunError } from './event.ts';
import { scopeSource } from './facts.ts';
import type { Runtime } from './runtime.ts';

/** When a failed attempt may be repeated; undefined: not at all. `failures` counts those before this one. */
export function retryTime(
  runtime: Runtime,
  attempt: { readonly id: string; readonly node: StepNode; readonly failures: number },
  error: RunError,
): number | undefined {
  const { retry } = attempt.node;
  if (retry === undefined || attempt.failures + 1 >= retry.attempts) return undefined;
  const allowed = retry.on === undefined ? error.retryable === true : retry.on.includes(error.code);
  if (!allowed || error.code === 'interrupted') return undefined;
  const source = scopeSource(runtime.plan, runtime.state(), runtime.inputs);
  const delay = durationOf(source, attempt.id, retry.delay) ?? 0;
  const longest = durationOf(source, attempt.id, retry.maxDelay) ?? Number.POSITIVE_INFINITY;
  const pause = Math.min(delay * retry.backoff ** attempt.failures, longest);
  return Math.ceil(runtime.clock.now() + pause);
}
