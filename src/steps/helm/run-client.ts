import type { RunContext } from '../../engine/step-type.ts';
import { HelmError, type HelmRun } from '../../services/helm.ts';
import { recordClient } from './client-record.ts';
import { watchRelease } from './progress.ts';
import { releaseFailure } from './release-failure.ts';
import { type ReleaseInput, releaseName } from './release-target.ts';

/** Between the end of Helm's own patience and that of the step: time to see why it failed. */
const margin = 15_000;
const shortest = 10_000;

/** Runs a changing client of Helm: notes who it is, shows what it waits for, and explains its failure. */
export async function runClient<T>(
  ctx: RunContext,
  input: ReleaseInput,
  work: (run: HelmRun) => Promise<T>,
  options: {
    /** Stop the client once pods can no longer become ready. Only an upgrade notes that it was stopped; a rollback stays pending. */
    readonly giveUp?: boolean;
  } = {},
): Promise<T> {
  const ended = new AbortController();
  const hopeless = new AbortController();
  const left = ctx.deadline - ctx.services.clock.now();
  const watching = watchRelease(ctx, input, {
    signal: AbortSignal.any([ctx.signal, ended.signal]),
    ...(options.giveUp === true && { onHopeless: () => hopeless.abort() }),
  });
  try {
    return await work({
      signal: AbortSignal.any([ctx.signal, hopeless.signal]),
      onStart: (client) => recordClient(ctx, client),
      // Several operations may each take this long: what comes last is ended by the time limit of the step.
      timeout: Math.max(shortest, left - margin),
    });
  } catch (error) {
    if (!(error instanceof HelmError)) throw error;
    const stopped = hopeless.signal.aborted && !ctx.signal.aborted;
    throw await releaseFailure(ctx, input, stopped ? givenUp(input, error) : error);
  } finally {
    ended.abort();
    await watching;
  }
}

function givenUp(input: ReleaseInput, error: HelmError): HelmError {
  return new HelmError(
    `Helm was stopped while it upgraded release ${releaseName(input)}: waiting any longer is no use.`,
    { reason: error.reason, outcome: 'unknown', retryable: false, cause: error },
  );
}
