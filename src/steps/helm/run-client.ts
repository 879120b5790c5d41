import type { RunContext } from '../../engine/step-type.ts';
import { HelmError, type HelmRelease, type HelmRun } from '../../services/helm.ts';
import { goalOf, rolloutNow } from '../kubectl/rollout.ts';
import { readWorkload } from '../kubectl/workload.ts';
import { recordClient } from './client-record.ts';
import { releaseFailure, workloadsOf } from './release-failure.ts';
import { type ReleaseInput, refOf } from './release-target.ts';

/** Between the end of Helm's own patience and that of the step: time to see why it failed. */
const margin = 15_000;
const shortest = 10_000;
const pause = 2_000;

/** Runs a changing client of Helm: notes who it is, shows what it waits for, and explains its failure. */
export async function runClient<T>(
  ctx: RunContext,
  input: ReleaseInput,
  work: (run: HelmRun) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const left = ctx.deadline - ctx.services.clock.now();
  const watching = watch(ctx, input, AbortSignal.any([ctx.signal, stop.signal]));
  try {
    return await work({
      signal: ctx.signal,
      onStart: (client) => recordClient(ctx, client),
      // Several operations may each take this long: what comes last is ended by the time limit of the step.
      timeout: Math.max(shortest, left - margin),
    });
  } catch (error) {
    throw error instanceof HelmError ? await releaseFailure(ctx, input, error) : error;
  } finally {
    stop.abort();
    await watching;
  }
}

/** Shows how far the workloads of the release are; what cannot be read is not shown. */
async function watch(ctx: RunContext, input: ReleaseInput, signal: AbortSignal): Promise<void> {
  let shown = '';
  let release: HelmRelease | undefined;
  for (let turn = 0; !signal.aborted; turn++) {
    await ctx.services.clock.sleep(pause, signal);
    if (signal.aborted) return;
    if (turn % 5 === 0) release = await ctx.services.helm.release(refOf(input), signal).catch(() => release);
    const text = release === undefined ? '' : await progressOf(ctx, release).catch(() => '');
    if (text !== '' && text !== shown && !signal.aborted) ctx.progress({ text });
    shown = text;
  }
}

async function progressOf(ctx: RunContext, release: HelmRelease): Promise<string> {
  const parts: string[] = [];
  for (const workload of workloadsOf(release)) {
    const live = await readWorkload(ctx, workload);
    const verdict = await rolloutNow(ctx, workload, live, goalOf(live));
    if (verdict.state !== 'complete') parts.push(`${workload.name}: ${verdict.text}`);
  }
  const running = release.hooks.filter(({ phase }) => phase === 'Running').map(({ name }) => `${name} runs`);
  return [`revision ${release.revision} is ${release.status}`, ...parts, ...running].join('; ');
}
