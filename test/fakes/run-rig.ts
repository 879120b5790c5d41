import type { Plan } from '../../src/engine/plan/plan.ts';
import { type DriveOptions, type DriveResult, drive } from '../../src/engine/run/drive.ts';
import type { Actor, JournaledEvent, RunEvent, Session } from '../../src/engine/run/event.ts';
import { evolve } from '../../src/engine/run/evolve.ts';
import type { Journal } from '../../src/engine/run/journal.ts';
import { noLock } from '../../src/engine/run/lock.ts';
import { JournalError } from '../../src/engine/run/run-error.ts';
import { initialState, type RunState } from '../../src/engine/run/state.ts';
import type { Prompt } from '../../src/services/prompt.ts';
import type { Services } from '../../src/services/services.ts';
import { RunClock } from './run-clock.ts';
import { RunTarget, runSchemas } from './run-steps.ts';

const actor: Actor = { user: 'alice', osUser: 'alice', host: 'bastion' };
const session: Session = { actor, pid: 1, startTime: 1, bootId: 'boot', tool: 'test' };

/** Thrown out of an append at which the process is to die. */
export class Crash extends Error {}

/** One process's hold on a journal that lives in memory; it can die at any append. */
export class MemoryJournal implements Journal {
  readonly events: RunEvent[];
  readonly degraded = false;
  readonly #clock: RunClock;
  /** Dies after this many appends, if that is given. */
  appendsLeft: number | undefined;
  dead = false;
  /** Fails for good when a record of this type is appended. */
  failAt: string | undefined;

  constructor(clock: RunClock, events: RunEvent[] = []) {
    this.#clock = clock;
    this.events = events;
  }

  get head(): { seq: number; hash: string } {
    return { seq: this.events.length, hash: 'hash' };
  }

  append(events: readonly JournaledEvent[]): readonly RunEvent[] {
    if (this.dead && this.failAt !== undefined) throw new JournalError('poisoned');
    if (this.dead) throw new Crash('dead');
    if (events.some((event) => event.type === this.failAt)) {
      this.dead = true;
      throw new JournalError('no space left on device');
    }
    if (this.appendsLeft === 0) {
      this.dead = true;
      throw new Crash('dead');
    }
    if (this.appendsLeft !== undefined) this.appendsLeft -= 1;
    const time = new Date(this.#clock.now()).toISOString();
    const recorded = events.map((event, index) => ({ ...event, seq: this.events.length + index + 1, time }));
    this.events.push(...recorded);
    return recorded;
  }

  close(): void {
    this.dead = true;
  }
}

/** Answers in order; 'no-terminal' when there are none left. */
export class ScriptedPrompt implements Prompt {
  readonly questions: string[] = [];
  readonly answers: (string | boolean)[];
  onAsk: (() => void) | undefined;

  constructor(answers: readonly (string | boolean)[] = []) {
    this.answers = [...answers];
  }

  get interactive(): boolean {
    return true;
  }

  async confirm(question: string): Promise<boolean | 'no-terminal'> {
    const answer = this.#next(question);
    return typeof answer === 'boolean' ? answer : 'no-terminal';
  }

  async choose(question: string): Promise<string | 'no-terminal'> {
    const answer = this.#next(question);
    return typeof answer === 'string' ? answer : 'no-terminal';
  }

  async secret(): Promise<'no-terminal'> {
    return 'no-terminal';
  }

  async text(): Promise<'no-terminal'> {
    return 'no-terminal';
  }

  #next(question: string): string | boolean | undefined {
    this.questions.push(question);
    this.onAsk?.();
    return this.answers.shift();
  }
}

type Opening = Partial<Extract<JournaledEvent, { type: 'run-opened' }>>;

/** One run in memory, which can be driven, crash, and be driven again. */
export class RunRig {
  readonly clock = new RunClock();
  readonly target = new RunTarget(this.clock);
  readonly shown: RunEvent[] = [];
  readonly plan: Plan;
  prompt = new ScriptedPrompt();
  options: Partial<DriveOptions> = {};
  journal = new MemoryJournal(this.clock);
  signal: (name: string) => void = () => undefined;
  /** The next session dies at this append after its first. */
  nextCrash: number | undefined;

  constructor(plan: Plan) {
    this.plan = plan;
  }

  get events(): readonly RunEvent[] {
    return this.journal.events;
  }

  types(): readonly string[] {
    return this.events.map((event) => event.type);
  }

  state(): RunState {
    return this.events.reduce(evolve, initialState);
  }

  exec(opening: Opening = {}): Promise<DriveResult> {
    return this.#drive({
      type: 'run-opened',
      version: 1,
      run: 'r1',
      runbook: 'test',
      title: 'Test',
      planDigest: this.plan.digest,
      session,
      assumeYes: false,
      interactive: false,
      sandbox: false,
      ...opening,
    });
  }

  resume(
    mode: 'resume' | 'rollback' = 'resume',
    more: { interactive?: boolean; assumeYes?: boolean } = {},
  ): Promise<DriveResult> {
    // What a dead process still tries to write goes nowhere.
    this.journal.dead = true;
    this.journal = new MemoryJournal(this.clock, this.journal.events);
    return this.#drive(
      {
        type: 'run-continued',
        session,
        mode,
        interactive: false,
        assumeYes: false,
        flags: [],
        ...more,
      },
      mode === 'rollback' ? [{ type: 'rollback-started', why: 'asked to' }] : [],
    );
  }

  approve(id: string): void {
    this.journal.append([
      { type: 'run-continued', session, mode: 'approve', interactive: false, assumeYes: false, flags: [] },
      { type: 'approved', id, actor, reason: 'looks good' },
    ]);
  }

  async #drive(opening: JournaledEvent, more: readonly JournaledEvent[] = []): Promise<DriveResult> {
    this.journal.append([opening, ...more]);
    this.journal.appendsLeft = this.nextCrash;
    let dies: () => void = () => undefined;
    const { journal } = this;
    const death = new Promise<DriveResult>((resolve) => {
      dies = () => {
        journal.dead = true;
        resolve({ exitCode: 137, state: initialState });
      };
    });
    this.target.crash = dies;
    const services = { clock: this.clock } as unknown as Services;
    const running = drive({
      plan: this.plan,
      steps: this.target.steps(() => !journal.dead),
      schemas: runSchemas,
      services,
      readServices: services,
      prompt: this.prompt,
      clock: this.clock,
      lock: noLock,
      actor,
      inputs: {},
      crash: dies,
      state: this.state(),
      journal,
      observers: [(event) => this.shown.push(event)],
      onSignal: (handler) => {
        this.signal = handler;
        return () => undefined;
      },
      ...this.options,
    });
    return Promise.race([running, death]);
  }
}
