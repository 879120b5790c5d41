import type { Clock } from './clock.ts';
import { NekStoreError } from './nek-store.ts';

/** Between two attempts, milliseconds; together longer than a restart of the API server. */
const pauses = [500, 1000, 2000, 4000, 8000];
/** No attempt begins later than this after the first failure, milliseconds: each may take as long as a node says nothing. */
const patience = 16_000;

/**
 * Asks for what changes nothing; again while it fails in a way that passes by itself, since by then another node is asked, or the
 * pods are others. The one policy of every read: the driver itself turns to another node for some failures only. Rejects with the
 * last failure.
 */
export async function askAgain<T>(ask: () => Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
  let failedAt: number | undefined;
  for (const pause of pauses) {
    try {
      return await ask();
    } catch (cause) {
      const now = clock.monotonic();
      failedAt ??= now;
      const over = now + pause - failedAt > patience;
      if (!(cause instanceof NekStoreError) || !cause.retryable || over || signal.aborted) throw cause;
      await clock.sleep(pause, signal);
    }
  }
  return ask();
}
