import type { Clock } from '../../services/clock.ts';

/** Of the most that may be in flight: what is added after a while without trouble. */
const slowly = 1 / 16;
const firstPause = 250;
const longestPause = 30_000;
/** Failures of one moment have one cause. Milliseconds. */
const moment = 1000;

/** How much at once: less after each trouble, slowly more when all is well. */
export interface Pace {
  /** Rows that may be in flight now. */
  readonly inFlight: number;
  wentWell(rows: number): void;
  trouble(): void;
  /** Longer from attempt to attempt, counted from 0. */
  rest(attempt: number, signal: AbortSignal): Promise<void>;
}

export function createPace(clock: Clock, most: number): Pace {
  let inFlight = most;
  let good = 0;
  let troubled = Number.NEGATIVE_INFINITY;
  return {
    get inFlight() {
      return inFlight;
    },
    wentWell(rows) {
      good += rows;
      if (good < inFlight * 4) return;
      good = 0;
      inFlight = Math.min(most, inFlight + Math.ceil(most * slowly));
    },
    trouble() {
      good = 0;
      const now = clock.monotonic();
      if (now - troubled < moment) return;
      troubled = now;
      inFlight = Math.max(1, Math.floor(inFlight / 2));
    },
    async rest(attempt, signal) {
      await clock.sleep(Math.min(longestPause, firstPause * 2 ** attempt), signal);
    },
  };
}

/** Lets `perSecond` through on average; undefined: as many as come. */
export function createThrottle(
  clock: Clock,
  perSecond: number | undefined,
): { take(amount: number, signal: AbortSignal): Promise<void> } {
  let free = Number.NEGATIVE_INFINITY;
  return {
    async take(amount, signal) {
      if (perSecond === undefined) return;
      const now = clock.monotonic();
      const wait = free - now;
      free = Math.max(free, now) + (amount * 1000) / perSecond;
      if (wait > 0) await clock.sleep(wait, signal);
    },
  };
}
