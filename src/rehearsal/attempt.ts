import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createRedactor, type Redactor } from '../engine/redactor.ts';
import { type DriveResult, drive } from '../engine/run/drive.ts';
import type { RunEvent } from '../engine/run/event.ts';
import { createKeepsakes } from '../engine/run/keepsake.ts';
import { createLeaseLock } from '../engine/run/lease-lock.ts';
import { noLock } from '../engine/run/lock.ts';
import { approve, continueRun, type OpenRun, openRun, type SessionOptions } from '../engine/run/session.ts';
import type { RunState } from '../engine/run/state.ts';
import type { Fault } from '../sandbox/faults.ts';
import { openSandbox, type Sandbox } from '../sandbox/open.ts';
import type { Prompt } from '../services/prompt.ts';
import { readOnly } from '../services/read-only.ts';
import type { Stage } from './stage.ts';

export interface Attempt {
  readonly faults: readonly Fault[];
  /** The faults are there for the rollback alone. */
  readonly inRollback?: boolean;
  /** The run is interrupted once this instance is done: whatever struck it was survived. */
  readonly stopAfter?: string;
  /** The run as it goes on, and the world in which it does. */
  readonly onEvent?: (event: RunEvent, sandbox: Sandbox) => void;
}

/** A run that was rolled back, in its world. */
export interface Attempted {
  /** Of the run before its rollback: the outcome, or 'killed'. */
  readonly ended: string;
  readonly endedText: string;
  readonly state: RunState;
  readonly events: readonly RunEvent[];
  readonly exitCode: number;
  readonly text: string;
  readonly struck: boolean;
  readonly sandbox: Sandbox;
  close(): void;
}

/** Nobody is there to be asked. */
const nobody: Prompt = {
  interactive: false,
  confirm: async () => 'no-terminal',
  choose: async () => 'no-terminal',
  secret: async () => 'no-terminal',
  text: async () => 'no-terminal',
};

const RUN = 'rehearsal';
/** A run that waits for approvals for ever is none. */
const MOST_SESSIONS = 50;

class Player {
  readonly #stage: Stage;
  readonly #attempt: Attempt;
  readonly #folder: string;
  readonly #events: RunEvent[] = [];
  readonly #approved = new Set<string>();
  /** Of its own: the keys that one rehearsal makes mean nothing to the next. */
  readonly #redactor: Redactor = createRedactor();
  #sandbox: Sandbox | undefined;
  #struck = false;

  constructor(stage: Stage, attempt: Attempt) {
    this.#stage = stage;
    this.#attempt = attempt;
    this.#folder = mkdtempSync(path.join(stage.folder, 'run-'));
  }

  async play(): Promise<Attempted> {
    try {
      for (const secret of this.#stage.secrets) {
        await secret.load();
        this.#redactor.add(secret);
      }
      const forward = await this.#forward();
      const back = await this.#back();
      const { state } = back;
      const sandbox = this.#world();
      return {
        ended: forward === 'killed' ? forward : (forward.state.finished?.outcome ?? 'failed'),
        endedText: forward === 'killed' ? '' : (forward.state.finished?.text ?? ''),
        state,
        events: this.#events,
        exitCode: back.exitCode,
        text: state.finished?.text ?? '',
        struck: this.#struck || this.#taken(sandbox),
        sandbox,
        close: () => this.#clean(),
      };
    } catch (error) {
      this.#clean();
      throw error;
    }
  }

  /** The run, over every approval that it waits for. */
  async #forward(): Promise<DriveResult | 'killed'> {
    const { plan, files } = this.#stage;
    let open = openRun({
      ...this.#options(),
      plan,
      files,
      opening: { assumeYes: true, interactive: false, sandbox: true, hold: Number.MAX_SAFE_INTEGER },
    });
    for (let sessions = 1; ; sessions++) {
      const result = await this.#drive(open);
      if (result === 'killed' || result.state.finished?.outcome !== 'waiting') return result;
      if (sessions > MOST_SESSIONS) return result;
      const step = this.#waitingFor();
      if (step === undefined) return result;
      approve({ ...this.#options(), step, reason: 'rehearsal' });
      open = this.#continue('resume', false);
    }
  }

  /** Back, and on from a fault on the way back. */
  async #back(): Promise<DriveResult> {
    if (this.#attempt.inRollback === true) this.#leave();
    else this.#sandbox?.faults.disarm();
    const { finished } = this.#stateOfLast ?? {};
    if (finished?.outcome === 'rolled-back')
      return { exitCode: finished.exitCode, state: this.#stateOfLast as RunState };
    for (let sessions = 1; ; sessions++) {
      const open = this.#continue(sessions === 1 ? 'rollback' : 'resume', true);
      const result = await this.#drive(open, true);
      const again = this.#attempt.inRollback === true && sessions <= this.#attempt.faults.length;
      if (result !== 'killed' && (!again || result.state.finished?.outcome === 'rolled-back')) return result;
      if (sessions > MOST_SESSIONS) throw new Error('the rollback was killed again and again');
    }
  }

  #stateOfLast: RunState | undefined;

  #options(): SessionOptions {
    const { session } = this.#stage;
    return {
      runs: this.#folder,
      id: RUN,
      session,
      time: () => new Date(this.#clockNow()).toISOString(),
      // The one who worked on it before is gone, although this very process goes on.
      isAlive: () => false,
    };
  }

  #clockNow(): number {
    return this.#sandbox?.services.clock.now() ?? Date.parse(this.#stage.plan.createdAt);
  }

  #continue(mode: 'resume' | 'rollback', back: boolean): OpenRun {
    // Its time is the time at which the run goes on.
    this.#world(back);
    return continueRun({
      ...this.#options(),
      mode,
      continuing: { interactive: false, assumeYes: true, flags: [], hold: Number.MAX_SAFE_INTEGER },
    });
  }

  /** The world as it is; brought back from its file when whoever worked in it was killed. */
  #world(back = false): Sandbox {
    const { seed, from, inventory } = this.#stage;
    const { faults, inRollback = false } = this.#attempt;
    this.#sandbox ??= openSandbox({
      dir: path.join(this.#folder, RUN),
      from,
      seed,
      inventory,
      faults: back === inRollback ? faults : [],
    });
    return this.#sandbox;
  }

  #taken(sandbox: Sandbox): boolean {
    return sandbox.faults.taken().length > 0;
  }

  #leave(): void {
    if (this.#sandbox === undefined) return;
    this.#struck ||= this.#taken(this.#sandbox);
    this.#sandbox.abandon();
    this.#sandbox = undefined;
  }

  async #drive(open: OpenRun, back = false): Promise<DriveResult | 'killed'> {
    const { plan, session, steps, schemas, inputs } = this.#stage;
    const sandbox = this.#world(back);
    const { clock, kubernetes } = sandbox.services;
    const lock =
      plan.locks.length === 0
        ? noLock
        : createLeaseLock({
            kubernetes,
            clock,
            namespace: plan.lockNamespace,
            locks: plan.locks,
            run: RUN,
            actor: session.actor,
          });
    let interrupt: (signal: string) => void = () => undefined;
    const keepsakes = createKeepsakes(open.folder);
    const observe = (event: RunEvent) => {
      this.#events.push(event);
      this.#attempt.onEvent?.(event, sandbox);
      const { stopAfter } = this.#attempt;
      if (event.type === 'done' && event.id === stopAfter && !back)
        queueMicrotask(() => interrupt('SIGTERM'));
    };
    for (const event of open.begun) observe(event);
    const killed = new Promise<'killed'>((resolve) => {
      this.#killed = () => {
        this.#leave();
        resolve('killed');
      };
    });
    try {
      const result = await Promise.race([
        killed,
        drive({
          plan,
          steps,
          schemas,
          services: sandbox.services,
          servicesFor: (instance) => sandbox.servicesFor(instance),
          readServices: readOnly(sandbox.services),
          faults: sandbox.faults,
          crash: () => this.#killed(),
          prompt: nobody,
          clock,
          lock,
          actor: session.actor,
          inputs,
          state: open.state,
          journal: open.journal,
          redact: (text) => this.#redactor.text(text),
          protect: (secret) => this.#redactor.add(secret),
          keepsakes,
          observers: [observe],
          onSignal: (handler) => {
            interrupt = handler;
            return () => undefined;
          },
        }),
      ]);
      this.#stateOfLast = result === 'killed' ? undefined : result.state;
      return result;
    } finally {
      open.close();
      keepsakes.close();
    }
  }

  #killed: () => void = () => undefined;

  /** A step that waits for an approval which nobody has given yet. */
  #waitingFor(): string | undefined {
    for (const event of this.#events)
      if (event.type === 'suspended' && event.approval !== undefined && !this.#approved.has(event.id)) {
        this.#approved.add(event.id);
        return event.id;
      }
    return undefined;
  }

  #clean(): void {
    this.#sandbox?.abandon();
    this.#sandbox = undefined;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Runs a plan in a world of its own, lets happen what shall happen to it, and rolls it back to the end. Throws what is a defect. */
export function attempt(stage: Stage, given: Attempt): Promise<Attempted> {
  return new Player(stage, given).play();
}
