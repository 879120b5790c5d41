import type { Json, JsonObject } from '../json.ts';
import type { BlockName } from '../plan/plan.ts';
import type { Before, Effect, Observation, Witness } from '../step-type.ts';
import type { Actor, Outcome, RunError } from './event.ts';
import { emptyTable, get, type Table } from './table.ts';

/** Where a leaf stands in the write protocol. `intended` without an action in flight means: observe before anything else. */
export type Stage =
  | 'entered'
  | 'captured'
  | 'ready'
  | 'intended'
  | 'returned'
  | 'doubtful'
  | 'applied'
  | 'done'
  | 'skipped'
  | 'failed'
  | 'unknown';

export type UndoStage =
  | 'none'
  | 'ready'
  | 'intended'
  | 'returned'
  | 'doubtful'
  | 'undone'
  | 'skipped'
  | 'failed'
  | 'unknown';

export interface Instance {
  readonly id: string;
  readonly parent: string;
  readonly block: BlockName;
  readonly name: string;
  /** Undefined: a group, an include or the expansion of a forEach. */
  readonly effect: Effect | undefined;
  readonly uses?: string;
  readonly with?: JsonObject;
  readonly timeout?: number;
  readonly confirm?: string;
  readonly items?: readonly { readonly key: string; readonly value: Json }[];
  /** It could not be evaluated: to be evaluated again before anything else. */
  readonly incomplete: boolean;
  readonly stage: Stage;
  readonly confirmed: boolean;
  /** The session in which a human was last asked about it. */
  readonly askedIn: number;
  readonly before?: Before;
  /** The session that captured: a later one captures again, unless an intent was recorded. */
  readonly capturedIn: number;
  readonly attempts: number;
  /** Failed attempts since it was opened or opened again. */
  readonly failures: number;
  readonly operationKey?: string;
  readonly deadline?: number;
  readonly retryAt?: number;
  readonly lastError?: RunError;
  readonly outputs?: JsonObject;
  readonly checkpoint?: Json;
  readonly pollUntil?: number;
  readonly observed?: { readonly state: Observation['state']; readonly evidence: string };
  readonly suspended?: { readonly until?: number; readonly approval?: { readonly text: string } };
  readonly approved?: { readonly actor: Actor; readonly reason: string; readonly time: string };
  /** Its effect took place, wholly or in part, as far as the journal knows. */
  readonly took: boolean;
  readonly markedDone: boolean;
  readonly error?: RunError;
  readonly handling?: 'stop' | 'rollback' | 'continue' | 'ask';
  readonly undo: UndoStage;
  readonly undoAttempts: number;
  readonly undoFailures: number;
  readonly undoError?: RunError;
}

/** A list of nodes that is walked in order: a block, a group, an include, an expansion, `verify` or `rollback` steps. */
export interface Container {
  readonly started: number;
  readonly finished: number;
  readonly open: readonly string[];
  /** A failure inside was answered by an `onFailure: continue` further up: nothing new starts here. */
  readonly aborted: boolean;
  readonly applied: boolean;
  readonly failures: number;
}

/** What took effect, newest first. A container stands below (was touched before) everything that took effect inside it. */
export interface Taken {
  readonly id: string;
  readonly next: Taken | undefined;
}

export interface RunState {
  readonly seq: number;
  readonly run: string;
  readonly startedAt: string;
  readonly user: string;
  readonly planDigest: string;
  readonly sandbox: boolean;
  readonly sessions: number;
  /** Milliseconds since the epoch at which this session began. */
  readonly sessionStart: number;
  readonly interactive: boolean;
  readonly assumeYes: boolean;
  readonly windowEnd: number | undefined;
  /** Longest wait, in milliseconds, that a session sits through instead of exiting with 10. */
  readonly hold: number;
  readonly mode: 'forward' | 'rollback';
  readonly instances: Table<Instance>;
  readonly containers: Table<Container>;
  readonly taken: Taken | undefined;
  /** In a rollback: what is left of `taken` to undo. */
  readonly undoing: Taken | undefined;
  readonly pinned: boolean;
  /** The latest witness of each resource that this run changed, with the step type that saw it. */
  readonly witnesses: Table<{ readonly witness: Witness; readonly uses: string | undefined }>;
  /** Instance id → key of the action that works on it. */
  readonly inFlight: ReadonlyMap<string, string>;
  /** What stopped the way forward. */
  readonly failure: { readonly id: string; readonly error: RunError; readonly handling: string } | undefined;
  /** In a rollback: what stopped it. */
  readonly rollbackFailure: { readonly id: string; readonly error: RunError } | undefined;
  readonly unknown: { readonly id: string; readonly error: RunError } | undefined;
  /** Instances that a continued run opens again. */
  readonly halted: readonly string[];
  /** Failures that `onFailure: continue` passed over, by count and the first of them. */
  readonly passedOver: { readonly count: number; readonly first: string };
  readonly interrupts: number;
  readonly signal: string | undefined;
  readonly interruptAnswer: string | undefined;
  readonly riskAccepted: boolean;
  readonly riskDeclined: boolean;
  readonly lockLost: { readonly lock: string; readonly why: string } | undefined;
  readonly finished:
    | {
        readonly outcome: Outcome;
        readonly exitCode: number;
        readonly text: string;
        readonly outputs: JsonObject;
      }
    | undefined;
}

export const defaultHold = 15 * 60_000;

/** The state before the first event. */
export const initialState: RunState = {
  seq: 0,
  run: '',
  startedAt: '',
  user: '',
  planDigest: '',
  sandbox: false,
  sessions: 0,
  sessionStart: 0,
  interactive: false,
  assumeYes: false,
  windowEnd: undefined,
  hold: defaultHold,
  mode: 'forward',
  instances: emptyTable(),
  containers: emptyTable(),
  taken: undefined,
  undoing: undefined,
  pinned: false,
  witnesses: emptyTable(),
  inFlight: new Map(),
  failure: undefined,
  rollbackFailure: undefined,
  unknown: undefined,
  halted: [],
  passedOver: { count: 0, first: '' },
  interrupts: 0,
  signal: undefined,
  interruptAnswer: undefined,
  riskAccepted: false,
  riskDeclined: false,
  lockLost: undefined,
  finished: undefined,
};

export const emptyContainer: Container = {
  started: 0,
  finished: 0,
  open: [],
  aborted: false,
  applied: false,
  failures: 0,
};

/** Nothing more will happen to it on the way forward. */
export function isClosed(instance: Instance): boolean {
  if (instance.stage === 'failed') return instance.handling === 'continue';
  return instance.stage === 'done' || instance.stage === 'skipped';
}

export function isUndoClosed(instance: Instance): boolean {
  return instance.undo === 'undone' || instance.undo === 'skipped';
}

/** An intent was recorded and its outcome is not known yet. */
export function isUnresolved(instance: Instance): boolean {
  return instance.stage === 'intended' || instance.stage === 'returned' || instance.stage === 'doubtful';
}

/** Whether the journal knows of an effect that took place. */
export function tookEffect(state: RunState): boolean {
  for (let taken = state.taken; taken !== undefined; taken = taken.next) {
    const instance = get(state.instances, taken.id);
    if (instance?.took === true && instance.effect === 'change') return true;
  }
  return false;
}
