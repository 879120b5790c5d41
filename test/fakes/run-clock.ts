import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/services/clock.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** Time that jumps to the next sleeper once nobody does anything else. */
export class RunClock implements Clock {
  #now = Date.parse('2027-01-10T08:00:00Z');
  #monotonic = 0;
  readonly #sleepers = new Set<Sleeper>();
  #running = false;

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  /** Lets time pass without waking anybody: a suspended machine. */
  jump(ms: number): void {
    this.#now += ms;
    this.#monotonic += ms;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = { at: this.#now + ms, wake: () => leave() };
      const leave = () => {
        this.#sleepers.delete(sleeper);
        signal.removeEventListener('abort', leave);
        resolve();
      };
      this.#sleepers.add(sleeper);
      signal.addEventListener('abort', leave);
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#sleepers.size > 0) {
      for (let turn = 0; turn < 4; turn += 1) await setImmediate();
      const first = [...this.#sleepers].sort((one, other) => one.at - other.at)[0];
      if (first === undefined) break;
      this.jump(Math.max(0, first.at - this.#now));
      first.wake();
    }
    this.#running = false;
  }
}
