import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/services/clock.ts';

interface Sleeper {
  readonly at: number;
  wake(): void;
}

/** Time that moves only when a test says so. */
export class ManualClock implements Clock {
  #now = Date.parse('2027-01-10T08:00:00Z');
  #sleepers: readonly Sleeper[] = [];

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  /** How many sleep now. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper = { at: this.#now + ms, wake };
      this.#sleepers = [...this.#sleepers, sleeper];
      signal.addEventListener('abort', wake);
    });
  }

  /** Moves time in small steps, letting everybody who woke do what they do. */
  async advance(ms: number, step = 1000): Promise<void> {
    const end = this.#now + ms;
    while (this.#now < end) {
      await settled();
      this.#now = Math.min(end, this.#now + step);
      const due = this.#sleepers.filter((sleeper) => sleeper.at <= this.#now);
      for (const sleeper of due) sleeper.wake();
      await settled();
    }
  }
}

/** Until everything that can go on without time passing has gone on. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
}
