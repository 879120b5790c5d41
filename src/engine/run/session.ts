import type { Plan } from '../plan/plan.ts';
import type { Actor, JournaledEvent, RunEvent, Session } from './event.ts';
import { evolve } from './evolve.ts';
import { createJournal, type Journal, openJournal } from './journal.ts';
import { type Claim, claim, type Owner, ownerOfSession, RunForeignError } from './owner.ts';
import {
  createRunFolder,
  cutTornTail,
  type RunbookFile,
  RunFolderError,
  readRun,
  runFolder,
  type StoredRun,
} from './run-folder.ts';
import { initialState, isClosed, type RunState } from './state.ts';
import { get } from './table.ts';

/** What a command knows of itself when it begins to work on a run. */
export interface SessionOptions {
  /** The folder that holds a folder for each run. */
  readonly runs: string;
  readonly id: string;
  readonly session: Session;
  /** ISO 8601 in UTC. */
  readonly time: () => string;
  readonly isAlive: (owner: Owner) => boolean;
  readonly failpoint?: (name: string) => void;
}

type Opened = Extract<JournaledEvent, { type: 'run-opened' }>;
type Continued = Extract<JournaledEvent, { type: 'run-continued' }>;

/** A run that this process alone works on: what `drive` needs. */
export interface OpenRun {
  readonly id: string;
  readonly folder: string;
  readonly plan: Plan;
  readonly journal: Journal;
  readonly state: RunState;
  /** What earlier processes recorded; empty for a new run. */
  readonly earlier: readonly RunEvent[];
  /** What opening or continuing it recorded: nobody has shown it yet. */
  readonly begun: readonly RunEvent[];
  /** Closes the journal and lets others work on the run. */
  close(): void;
}

/** Begins a run: its folder, its plan, its journal. */
export function openRun(
  options: SessionOptions & {
    readonly plan: Plan;
    readonly files: readonly RunbookFile[];
    readonly opening: Omit<
      Opened,
      'type' | 'version' | 'run' | 'runbook' | 'title' | 'planDigest' | 'session'
    >;
  },
): OpenRun {
  const { id, plan, session } = options;
  const folder = createRunFolder(options.runs, options);
  const release = claim(folder, claimOf(options, false));
  try {
    const journal = createJournal({ ...options, folder, run: id });
    const opened: JournaledEvent = {
      type: 'run-opened',
      version: 1,
      run: id,
      runbook: plan.runbook.name,
      title: plan.runbook.title,
      planDigest: plan.digest,
      session,
      ...options.opening,
    };
    const begun = journal.append([opened], { sync: true });
    const state = begun.reduce(evolve, initialState);
    return openOf({ id, folder, plan, journal, state, earlier: [], begun }, release);
  } catch (thrown) {
    release();
    throw thrown;
  }
}

/** The run cannot go on as it was asked to: it is over, or the journal is damaged, or the step is not one to be answered. */
export class CannotContinueError extends Error {
  readonly reason: 'finished' | 'damaged' | 'not-a-step' | 'not-waiting';
  readonly hint: string | undefined;

  constructor(reason: CannotContinueError['reason'], message: string, hint?: string) {
    super(message);
    this.name = 'CannotContinueError';
    this.reason = reason;
    this.hint = hint;
  }
}

export interface Continuation extends SessionOptions {
  readonly mode: 'resume' | 'rollback';
  readonly continuing: Omit<Continued, 'type' | 'session' | 'mode'>;
  /** "I did that one by hand." */
  readonly markDone?: { readonly step: string; readonly reason: string };
  /** The run folder came from another machine. */
  readonly adopt?: boolean;
}

/** Goes on with a run: a torn tail is cut and recorded, damage refuses. The caller then drives it like a new one. */
export function continueRun(options: Continuation): OpenRun {
  return reopenWith(options, options.adopt ?? false, (stored) => {
    const over = finality(stored.state);
    const again = options.mode === 'rollback' && over === 'done';
    if (over !== undefined && !again)
      throw new CannotContinueError('finished', `run "${stored.id}" is ${over}: there is nothing left to do`);
    const events: JournaledEvent[] = [
      { type: 'run-continued', session: options.session, mode: options.mode, ...options.continuing },
    ];
    const { markDone } = options;
    if (markDone !== undefined) events.push(marked(stored, markDone, options.session.actor));
    if (options.mode === 'rollback' && stored.state.mode === 'forward')
      events.push({ type: 'rollback-started', why: `asked to by ${nameOf(options.session.actor)}` });
    return events;
  });
}

/** Answers a step that waits for an approval; the run itself goes on with the next `resume`. */
export function approve(
  options: SessionOptions & { readonly step: string; readonly reason: string },
): RunState {
  const open = reopenWith(options, false, ({ state }) => {
    const instance = get(state.instances, options.step);
    if (instance?.suspended?.approval === undefined || isClosed(instance))
      throw new CannotContinueError('not-waiting', `"${options.step}" does not wait for an approval`);
    if (instance.approved !== undefined)
      throw new CannotContinueError('not-waiting', `"${options.step}" is approved already`);
    const { session, step, reason } = options;
    return [
      {
        type: 'run-continued',
        session,
        mode: 'approve',
        interactive: false,
        assumeYes: false,
        flags: [],
        reason,
      },
      { type: 'approved', id: step, actor: session.actor, reason },
    ];
  });
  open.close();
  return open.state;
}

/** How a run ended for good; undefined while it can be resumed. */
export function finality(state: RunState): 'done' | 'rolled back' | undefined {
  const outcome = state.finished?.outcome;
  if (outcome === 'done') return 'done';
  return outcome === 'rolled-back' ? 'rolled back' : undefined;
}

function reopenWith(
  options: SessionOptions,
  adopt: boolean,
  events: (stored: StoredRun) => readonly JournaledEvent[],
): OpenRun {
  const folder = runFolder(options.runs, options.id);
  readRun(options.runs, options.id);
  const release = claim(folder, claimOf(options, adopt));
  try {
    const stored = readRun(options.runs, options.id);
    mustBeWhole(stored);
    const last = lastHost(stored);
    if (last !== undefined && last !== options.session.actor.host && !adopt) throw new RunForeignError(last);
    const more = events(stored);
    const repaired = stored.journal.torn > 0 ? [repair(stored)] : [];
    const journal = openJournal({ ...options, folder, run: options.id }, stored.journal.end);
    const begun = journal.append([...repaired, ...more], { sync: true });
    const state = begun.reduce(evolve, stored.state);
    const { plan, events: earlier } = stored;
    return openOf({ id: options.id, folder, plan, journal, state, earlier, begun }, release);
  } catch (thrown) {
    release();
    throw thrown;
  }
}

function mustBeWhole({ id, journal, events }: StoredRun): void {
  const { damage } = journal;
  if (damage !== undefined)
    throw new CannotContinueError(
      'damaged',
      `the journal of run "${id}" is damaged at byte ${damage.offset}, after record ${damage.afterSeq}: ${damage.why}`,
      `look at it with "runbook verify ${id}"; nothing is repaired by itself`,
    );
  if (events.length === 0)
    throw new RunFolderError(
      `run "${id}" stopped before its first record: nothing was done`,
      'begin again with "runbook exec"',
    );
}

function repair(stored: StoredRun): JournaledEvent {
  return {
    type: 'tail-repaired',
    bytes: stored.journal.torn,
    keptIn: cutTornTail(stored.folder, stored.journal),
  };
}

function lastHost({ events }: StoredRun): string | undefined {
  const last = events.findLast((event) => event.type === 'run-opened' || event.type === 'run-continued');
  return last?.type === 'run-opened' || last?.type === 'run-continued' ? last.session.actor.host : undefined;
}

function marked(
  { id, state }: StoredRun,
  mark: { readonly step: string; readonly reason: string },
  actor: Actor,
): JournaledEvent {
  const instance = get(state.instances, mark.step);
  if (instance === undefined || isClosed(instance) || instance.effect === undefined)
    throw new CannotContinueError(
      'not-a-step',
      `"${mark.step}" is not where run "${id}" stopped`,
      `only a step that has begun and not ended can be marked; see "runbook show ${id}"`,
    );
  const { parent, block, name } = instance;
  return {
    type: 'skipped',
    id: mark.step,
    node: mark.step,
    parent,
    block,
    name,
    reason: 'marked-done',
    text: `marked as done by ${nameOf(actor)}: ${mark.reason}`,
  };
}

function nameOf(actor: Actor): string {
  return actor.user ?? actor.osUser;
}

function claimOf(options: SessionOptions, adopt: boolean): Claim {
  return { self: ownerOfSession(options.session), isAlive: options.isAlive, adopt };
}

function openOf(run: Omit<OpenRun, 'close'>, release: () => void): OpenRun {
  return {
    ...run,
    close() {
      run.journal.close();
      release();
    },
  };
}
