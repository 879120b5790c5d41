import { setMaxListeners } from 'node:events';
import type { Clock } from '../services/clock.ts';
import type { Timeline } from './timeline.ts';

interface Waiter {
  readonly order: number;
  readonly wake: () => void;
}

interface Sleeper extends Waiter {
  readonly at: number;
}

export interface ClockOptions {
  readonly timeline: Timeline;
  /** Virtual time at which `monotonic` is zero. */
  readonly epoch: number;
  /** Called when somebody sees a time that nobody saw before; throws when it cannot be recorded. */
  readonly record: (now: number) => void;
  /** Is work under way in this process that time must wait for: files, name lookups? */
  readonly isBusy: () => boolean;
  /** Awaited before time jumps over `ms`, so that a human can watch it pass. */
  readonly beforeJump?: (ms: number) => Promise<void>;
}

/** Rounds of the event loop without a sign of life after which everybody is taken to be waiting. */
const CALM = 3;
/** Events of the world between two looks at the event loop. */
const BATCH = 200;

/**
 * Virtual time. It stands still while anybody works and jumps to the next moment at which something happens once everybody waits;
 * those who wake at the same moment do so one after the other, in the order in which they began to wait, each when the one before
 * waits again. So what happens depends on who waits for what, and never on how fast this machine is.
 */
export class VirtualClock implements Clock {
  readonly #options: ClockOptions;
  readonly #sleepers = new Set<Sleeper>();
  readonly #onlookers = new Set<Waiter>();
  /** Onlookers for whom something happened, and whose turn has not come yet. */
  readonly #ready = new Set<Waiter>();
  #order = 0;
  #activity = 0;
  /** What it was when everybody was last found waiting. */
  #calmActivity = 0;
  #held = 0;
  #seen: number;
  #running = false;
  #stopped = false;
  #failure: unknown;

  constructor(options: ClockOptions) {
    this.#options = options;
    this.#seen = options.timeline.now;
  }

  now(): number {
    const { now } = this.#options.timeline;
    if (now !== this.#seen) {
      this.#options.record(now);
      this.#seen = now;
    }
    return now;
  }

  monotonic(): number {
    return this.now() - this.#options.epoch;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    this.touch();
    if (signal.aborted || ms <= 0) return Promise.resolve();
    const at = this.now() + Math.ceil(ms);
    return this.#wait((wake) => {
      const sleeper = { at, order: this.#order++, wake };
      this.#sleepers.add(sleeper);
      return () => this.#sleepers.delete(sleeper);
    }, signal);
  }

  /** Waits for something that the world does: `subscribe` gets the function to call then, and returns how to stop. */
  until(subscribe: (wake: () => void) => () => void, signal: AbortSignal): Promise<void> {
    this.touch();
    if (signal.aborted) return Promise.resolve();
    return this.#wait((wake) => {
      const onlooker = { order: this.#order++, wake };
      this.#onlookers.add(onlooker);
      const unsubscribe = subscribe(() => {
        this.#ready.add(onlooker);
        this.#activity += 1;
        this.#start();
      });
      return () => {
        this.#onlookers.delete(onlooker);
        this.#ready.delete(onlooker);
        unsubscribe();
      };
    }, signal);
  }

  /** A sign of life: somebody called the sandbox. */
  touch(): void {
    this.#activity += 1;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#onlookers.size > 0) this.#start();
  }

  /** Time stands still until the returned function is called, for waits that this clock cannot see: a human at a prompt, another thread. */
  hold(): () => void {
    this.#held += 1;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#held -= 1;
      this.#activity += 1;
    };
  }

  /** Nobody who waits, or will, is ever woken again, and time stands still: what is left of a process that died. */
  stop(): void {
    this.#stopped = true;
  }

  #wait(enlist: (wake: () => void) => () => void, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#activity += 1;
        leave();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const leave = enlist(done);
      // One signal of a run may end any number of waits.
      setMaxListeners(0, signal);
      signal.addEventListener('abort', done, { once: true });
      this.#start();
    });
  }

  #start(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    this.#run().catch((failure: unknown) => {
      this.#failure = failure;
      this.#running = false;
      for (const waiter of [...this.#sleepers, ...this.#onlookers]) waiter.wake();
    });
  }

  async #run(): Promise<void> {
    do {
      await this.#quiet();
      if (this.#stopped) return;
      const next = first(this.#ready, (a, b) => a.order - b.order);
      if (next === undefined) await this.#move();
      else next.wake();
    } while (this.#ready.size > 0 || Number.isFinite(this.#next()));
    this.#running = false;
  }

  /** The next moment at which something happens to somebody who waits. */
  #next(): number {
    const sleeper = first(this.#sleepers, (a, b) => a.at - b.at);
    const event = this.#sleepers.size + this.#onlookers.size > 0 ? this.#options.timeline.next() : undefined;
    return Math.min(sleeper?.at ?? Number.POSITIVE_INFINITY, event ?? Number.POSITIVE_INFINITY);
  }

  /** Moves time to the next moment, if there is one. */
  async #move(): Promise<void> {
    const sleeper = first(this.#sleepers, (a, b) => a.at - b.at || a.order - b.order);
    const event = this.#options.timeline.next();
    const next = this.#next();
    if (!Number.isFinite(next)) return;
    await this.#showJump(next);
    if (this.#activity !== this.#calmActivity) return;
    if (event !== undefined && event <= next) this.#live(sleeper?.at);
    else if (sleeper !== undefined) {
      this.#options.timeline.advance(next);
      this.now();
      sleeper.wake();
    }
  }

  async #showJump(to: number): Promise<void> {
    const { beforeJump, timeline } = this.#options;
    if (beforeJump !== undefined && to > timeline.now) await beforeJump(to - timeline.now);
  }

  /** Lets the world's next moments happen, one after the other, until somebody is woken by one. */
  #live(limit: number | undefined): void {
    const { timeline } = this.#options;
    for (let count = 0; count < BATCH && this.#activity === this.#calmActivity; count += 1) {
      const next = timeline.next();
      if (next === undefined || next > (limit ?? Number.POSITIVE_INFINITY)) return;
      timeline.advance(next);
    }
    this.now();
  }

  /** Resolves once nobody does anything: no call, no request under way, for some rounds of the event loop. */
  async #quiet(): Promise<void> {
    let calm = 0;
    let seen = this.#activity;
    while (calm < CALM && !this.#stopped) {
      const busy = this.#held > 0 || this.#options.isBusy();
      await new Promise((resolve) => (busy ? setTimeout(resolve, 1) : setImmediate(resolve)));
      if (busy || this.#activity !== seen) {
        calm = 0;
        seen = this.#activity;
      } else calm += 1;
    }
    this.#calmActivity = this.#activity;
  }
}

function first<T>(waiting: Iterable<T>, compare: (a: T, b: T) => number): T | undefined {
  let found: T | undefined;
  for (const each of waiting) if (found === undefined || compare(each, found) < 0) found = each;
  return found;
}
