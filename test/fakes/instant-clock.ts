import type { Clock } from '../../src/services/clock.ts';

export interface InstantClock extends Clock {
  /** Milliseconds of every sleep so far. */
  readonly sleeps: readonly number[];
}

/** Time passes at once when somebody sleeps, and otherwise stands still. */
export function createInstantClock(start = 0): InstantClock {
  const sleeps: number[] = [];
  let elapsed = 0;
  return {
    sleeps,
    now: () => start + elapsed,
    monotonic: () => elapsed,
    sleep: (ms) => {
      sleeps.push(ms);
      elapsed += ms;
      return new Promise((resolve) => {
        setImmediate(resolve);
      });
    },
  };
}
