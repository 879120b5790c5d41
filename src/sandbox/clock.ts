import { setMaxListeners } from 'node:events';
import type { Clock } from '../services/clock.ts';
import type { Timeline } from './timeline.ts';

interface Sleeper {
  readonly at: number;
  readonly order: number;
  readonly wake: () => void;
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

/** Requests of this process that are still on their way, whatever asked for them. */
export function hasPendingRequests(): boolean {
  return process.getActiveResourcesInfo().some((name) => /Req/.test(name));
}

/**
 * Virtual time. It stands still while anybody works and jumps to the next moment at which something happens once everybody waits;
 * sleepers that are due at the same moment wake one after the other, in the order in which they went to sleep. So what happens
 * depends on who waits for what, and never on how fast this machine is.
 */
export class VirtualClock implements Clock {
  readonly #options: ClockOptions;
  readonly #sleepers = new Set<Sleeper>();
  #onlookers = 0;
  #order = 0;
  #activity = 0;
  #held = 0;
  #seen: number;
  #running = false;
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
      this.#onlookers += 1;
      const unsubscribe = subscribe(wake);
      return () => {
        this.#onlookers -= 1;
        unsubscribe();
      };
    }, signal);
  }

  /** A sign of life: somebody called the sandbox. */
  touch(): void {
    this.#activity += 1;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Time stands still until the returned function is called, for waits that this clock cannot see: a human at a prompt. */
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
    if (this.#running) return;
    this.#running = true;
    this.#run().then(
      () => {
        this.#running = false;
      },
      (failure: unknown) => {
        this.#failure = failure;
        this.#running = false;
        for (const sleeper of [...this.#sleepers]) sleeper.wake();
      },
    );
  }

  async #run(): Promise<void> {
    await this.#quiet();
    while (this.#sleepers.size > 0 || this.#onlookers > 0) {
      const sleeper = this.#first();
      const event = this.#options.timeline.next();
      const next = Math.min(sleeper?.at ?? Number.POSITIVE_INFINITY, event ?? Number.POSITIVE_INFINITY);
      if (!Number.isFinite(next)) return;
      await this.#showJump(next);
      if (this.#activity !== this.#calmActivity) await this.#quiet();
      else if (event !== undefined && event <= next) await this.#live(sleeper?.at);
      else if (sleeper !== undefined) {
        this.#options.timeline.advance(next);
        this.now();
        sleeper.wake();
        await this.#quiet();
      }
    }
  }

  #calmActivity = 0;

  async #showJump(to: number): Promise<void> {
    const { beforeJump, timeline } = this.#options;
    if (beforeJump !== undefined && to > timeline.now) await beforeJump(to - timeline.now);
  }

  /** Lets the world's next moments happen, one after the other, until somebody is woken by one. */
  async #live(limit: number | undefined): Promise<void> {
    const { timeline } = this.#options;
    for (let count = 0; count < BATCH; count += 1) {
      const next = timeline.next();
      if (next === undefined || next > (limit ?? Number.POSITIVE_INFINITY)) return;
      timeline.advance(next);
      if (this.#activity === this.#calmActivity) continue;
      this.now();
      await this.#quiet();
      return;
    }
    await this.#quiet();
  }

  #first(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers)
      if (
        first === undefined ||
        sleeper.at < first.at ||
        (sleeper.at === first.at && sleeper.order < first.order)
      )
        first = sleeper;
    return first;
  }

  /** Resolves once nobody does anything: no call, no request under way, for some rounds of the event loop. */
  async #quiet(): Promise<void> {
    let calm = 0;
    let seen = this.#activity;
    while (calm < CALM) {
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
