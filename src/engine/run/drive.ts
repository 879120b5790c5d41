import { setMaxListeners } from 'node:events';
import { exitCodes } from '../../exit-code.ts';
import type { Action } from './action.ts';
import { decide } from './decide.ts';
import type { JournaledEvent, RunEvent, TransientEvent } from './event.ts';
import { evolve } from './evolve.ts';
import type { Journal } from './journal.ts';
import { LockedError } from './lock.ts';
import { perform } from './perform.ts';
import { redactEvent } from './redaction.ts';
import { JournalError } from './run-error.ts';
import type { Runtime, World } from './runtime.ts';
import { type RunState, tookEffect } from './state.ts';
import { get } from './table.ts';

export interface DriveOptions extends World {
  /** Folded from the journal, the opening or continuing event included. */
  readonly state: RunState;
  readonly journal: Journal;
  /** See every event once it is a fact. One that throws is not called again. */
  readonly observers: readonly ((event: RunEvent) => void)[];
  /** Calls back at each SIGINT, SIGTERM, SIGHUP; returns how to stop that. */
  readonly onSignal?: (handler: (signal: string) => void) => () => void;
}

export interface DriveResult {
  readonly exitCode: number;
  readonly state: RunState;
  /** What ended the run otherwise than by its own last record: a journal that cannot be written (74), a defect (70). */
  readonly problem?: unknown;
}

/** The only loop: decide, perform, append, fold. The same for exec, resume and rollback. */
export async function drive(options: DriveOptions): Promise<DriveResult> {
  const loop = new Loop(options);
  const unsubscribe = options.onSignal?.((signal) => loop.interrupt(signal));
  try {
    return await loop.run();
  } finally {
    unsubscribe?.();
  }
}

/** Every operation in flight listens: without this Node warns of a leak from the eleventh on. */
function controller(): AbortController {
  const made = new AbortController();
  setMaxListeners(0, made.signal);
  return made;
}

/** Turns without a single record after which something is wrong with the engine itself. */
const mostIdleTurns = 10_000;

class Loop {
  readonly #options: DriveOptions;
  readonly #runtime: Runtime;
  readonly #running = new Set<Promise<void>>();
  readonly #deaf = new Set<unknown>();
  #stopping = controller();
  #halting = controller();
  #aborting = controller();
  #state: RunState;
  #problem: { readonly thrown: unknown } | undefined;
  #idleTurns = 0;
  #turnSeq = 0;
  #wake: () => void = () => undefined;

  constructor(options: DriveOptions) {
    this.#options = options;
    this.#state = options.state;
    const loop = this;
    this.#runtime = {
      ...options,
      state: () => this.#state,
      record: (events, how) => this.#record(events, how?.sync ?? false),
      progress: (id, progress) => this.#pass({ type: 'progress', id, ...progress }),
      get stopping() {
        return loop.#stopping.signal;
      },
      get halting() {
        return loop.#halting.signal;
      },
      get aborting() {
        return loop.#aborting.signal;
      },
    };
  }

  async run(): Promise<DriveResult> {
    try {
      await this.#lock();
      while (this.#problem === undefined && this.#state.finished === undefined) await this.#turn();
    } catch (thrown) {
      this.#problem ??= { thrown };
    }
    return this.#end();
  }

  /** First: nothing new. Second: running operations are asked to stop. Third: over at once, and what was in flight is unknown. */
  interrupt(signal: string): void {
    if (this.#state.finished !== undefined || this.#problem !== undefined) return;
    const count = this.#state.interrupts + 1;
    try {
      this.#record([{ type: 'interrupted', signal, count }], true);
      this.#stopping.abort();
      if (count >= 2) this.#aborting.abort();
      if (count >= 3) this.#giveUp(signal);
    } catch (thrown) {
      this.#problem ??= { thrown };
    }
    this.#wake();
  }

  async #lock(): Promise<void> {
    const { lock, plan } = this.#options;
    try {
      await lock.acquire(this.#stopping.signal);
      if (plan.locks.length > 0) this.#record([{ type: 'locked', locks: plan.locks }], false);
    } catch (thrown) {
      if (thrown instanceof JournalError) throw thrown;
      this.#record([{ type: 'run-finished', outputs: {}, ...this.#unlocked(thrown) }], true);
    }
  }

  /** Without its locks a run starts nothing: held by another, or out of reach. */
  #unlocked(
    thrown: unknown,
  ): Pick<Extract<JournaledEvent, { type: 'run-finished' }>, 'outcome' | 'exitCode' | 'text'> {
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    if (thrown instanceof LockedError) return { outcome: 'failed', exitCode: exitCodes.locked, text };
    const before = `the locks could not be taken: ${text}`;
    return tookEffect(this.#state)
      ? { outcome: 'failed', exitCode: exitCodes.failed, text: before }
      : { outcome: 'precondition-failed', exitCode: exitCodes.preconditionFailed, text: before };
  }

  async #turn(): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const actions = decide(this.#options.plan, this.#state, this.#options.clock.now());
    for (const action of actions) this.#start(action);
    if (actions.length === 0 && this.#running.size === 0)
      throw new Error('nothing is in flight and nothing was decided');
    await woken;
    this.#idleTurns = this.#state.seq === this.#turnSeq ? this.#idleTurns + 1 : 0;
    this.#turnSeq = this.#state.seq;
    if (this.#idleTurns > mostIdleTurns) throw new Error('the run goes round in circles');
  }

  #start(action: Action): void {
    const { key, id, type } = action;
    this.#pass({ type: 'action-started', key, id, action: type });
    const running: Promise<void> = perform(this.#runtime, action)
      .catch((thrown: unknown) => {
        if (this.#state.finished === undefined) this.#problem ??= { thrown };
      })
      .finally(() => {
        this.#running.delete(running);
        this.#pass({ type: 'action-ended', key, id });
        this.#wake();
      });
    this.#running.add(running);
  }

  #record(events: readonly JournaledEvent[], sync: boolean): void {
    // After a third interrupt something may still be on its way: without its intent no effect may start.
    if (this.#state.finished !== undefined) throw new JournalError('the run is over');
    const { journal, lock, redact } = this.#options;
    if (journal.degraded && events.some((event) => event.type === 'intended'))
      throw new JournalError('the disk is full: nothing new is started');
    const clean = redact === undefined ? events : events.map((event) => redactEvent(event, redact));
    const recorded = journal.append(clean, { sync });
    for (const event of recorded) this.#state = evolve(this.#state, event);
    this.#adjustSignals();
    lock.head(journal.head.seq, journal.head.hash);
    for (const event of recorded) this.#show(event);
    if (journal.degraded) this.#problem ??= { thrown: new JournalError('the disk is full') };
  }

  #adjustSignals(): void {
    if (this.#state.interrupts === 0 && this.#stopping.signal.aborted) {
      this.#stopping = controller();
      this.#aborting = controller();
    }
    const { interrupts, failure, unknown, lockLost } = this.#state;
    if (interrupts > 0 || failure !== undefined || unknown !== undefined || lockLost !== undefined)
      this.#halting.abort();
    else if (this.#halting.signal.aborted) this.#halting = controller();
  }

  #pass(event: TransientEvent): void {
    const full: RunEvent = { ...event, seq: this.#state.seq, time: this.#time() };
    if (event.type !== 'progress') this.#state = evolve(this.#state, full);
    this.#show(full);
  }

  #show(event: RunEvent): void {
    for (const observer of this.#options.observers) {
      if (this.#deaf.has(observer)) continue;
      try {
        observer(event);
      } catch (thrown) {
        this.#deaf.add(observer);
        if (this.#state.finished !== undefined) continue;
        const why = thrown instanceof Error ? thrown.message : String(thrown);
        this.#record(
          [{ type: 'warning', code: 'output-failed', message: `an output was switched off: ${why}` }],
          false,
        );
      }
    }
  }

  #giveUp(signal: string): void {
    const unknown: JournaledEvent[] = [];
    for (const [id, key] of this.#state.inFlight) {
      const instance = get(this.#state.instances, id);
      const changing = instance?.stage === 'intended' || instance?.undo === 'intended';
      if (instance === undefined || !changing) continue;
      const message = `stopped by a third ${signal} while ${key.split(':')[0]} was going on`;
      unknown.push({ type: 'unknown', id, error: { code: 'outcome-unknown', message } });
    }
    const text = `stopped by a third ${signal}${unknown.length === 0 ? '' : '; what was in flight is unknown'}. Go on with: runbook resume ${this.#state.run}`;
    this.#record(
      [
        ...unknown,
        { type: 'run-finished', outcome: 'interrupted', exitCode: exitCodes.interrupted, outputs: {}, text },
      ],
      true,
    );
  }

  async #end(): Promise<DriveResult> {
    const problem = this.#problem?.thrown;
    const { finished } = this.#state;
    if (finished !== undefined) return { exitCode: finished.exitCode, state: this.#state };
    // Effects that are under way come to their end, and are recorded if that is still possible.
    this.#stopping.abort();
    this.#halting.abort();
    while (this.#running.size > 0) await Promise.all(this.#running);
    const journal = problem instanceof JournalError;
    const exitCode = journal ? exitCodes.journal : exitCodes.internal;
    const why = problem instanceof Error ? problem.message : String(problem);
    const text = `${journal ? '' : 'internal error: '}${why}. Go on with: runbook resume ${this.#state.run}`;
    try {
      await this.#options.lock.release();
      this.#record([{ type: 'run-finished', outcome: 'failed', exitCode, outputs: {}, text }], true);
    } catch {
      // The journal's last good record stands; resume finds out the rest.
    }
    return { exitCode, state: this.#state, problem };
  }

  #time(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }
}
