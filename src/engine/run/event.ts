import type { Json, JsonObject } from '../json.ts';
import type { BlockName } from '../plan/plan.ts';
import type { Effect, Observation, Witness } from '../step-type.ts';

/** A failure as it is journaled and shown. */
export interface RunError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly details?: readonly string[];
  readonly retryable?: boolean;
}

export type Outcome =
  | 'done'
  | 'failed'
  | 'precondition-failed'
  | 'rolled-back'
  | 'rollback-incomplete'
  | 'unknown'
  | 'stale'
  | 'waiting'
  | 'interrupted';

/** Who did something: the API server's name for the user, and the operating system's. */
export interface Actor {
  readonly user: string | undefined;
  readonly osUser: string;
  readonly host: string;
}

/** One process working on a run. */
export interface Session {
  readonly actor: Actor;
  readonly pid: number;
  readonly startTime: number;
  readonly bootId: string;
  readonly tool: string;
}

/** Recorded facts: the journal's records and, with the transient ones below, everything a renderer sees. */
export type JournaledEvent =
  | {
      readonly type: 'run-opened';
      readonly version: 1;
      readonly run: string;
      readonly runbook: string;
      readonly title: string;
      readonly planDigest: string;
      readonly session: Session;
      readonly reason?: string;
      readonly change?: string;
      readonly windowEnd?: number;
      readonly assumeYes: boolean;
      readonly interactive: boolean;
      readonly sandbox: boolean;
      /** Longest wait, in milliseconds, that this session sits through instead of exiting with 10. */
      readonly hold?: number;
      /** Of a saved plan: its witnesses must still hold when a step needs them. */
      readonly pinned?: true;
    }
  | {
      readonly type: 'run-continued';
      readonly session: Session;
      readonly mode: 'resume' | 'rollback' | 'approve';
      readonly interactive: boolean;
      readonly assumeYes: boolean;
      readonly flags: readonly string[];
      readonly reason?: string;
      readonly windowEnd?: number;
      readonly hold?: number;
    }
  | { readonly type: 'tail-repaired'; readonly bytes: number; readonly keptIn: string }
  | { readonly type: 'locked'; readonly locks: readonly string[] }
  | { readonly type: 'lock-lost'; readonly lock: string; readonly why: string }
  | { readonly type: 'unlocked' }
  /** A block, group, include or leaf was entered: `when`, `forEach`, `with` and `name` are decided from now on. */
  | {
      readonly type: 'evaluated';
      readonly id: string;
      /** The id without the keys of `forEach` elements: the same for all instances of one node. */
      readonly node: string;
      /** The container it was started in: '@steps', 'group', 'restart' for 'restart[a]', 'restart~verify'. */
      readonly parent: string;
      readonly block: BlockName;
      readonly name: string;
      readonly effect?: Effect;
      readonly uses?: string;
      readonly summary?: string;
      readonly with?: JsonObject;
      readonly timeout?: number;
      readonly deadline?: number;
      readonly confirm?: string;
      readonly items?: readonly { readonly key: string; readonly value: Json }[];
      /** It failed to evaluate, a `failed` follows; evaluated again when the run continues. */
      readonly incomplete?: true;
    }
  | {
      readonly type: 'skipped';
      readonly id: string;
      readonly node: string;
      readonly parent: string;
      readonly block: BlockName;
      readonly name: string;
      readonly reason: 'when' | 'already-applied' | 'marked-done' | 'empty';
      readonly text: string;
      readonly outputs?: JsonObject;
    }
  | {
      readonly type: 'captured';
      readonly id: string;
      readonly before: Json;
      readonly witnesses: readonly Witness[];
    }
  | {
      readonly type: 'observed';
      readonly id: string;
      readonly phase: 'before' | 'after' | 'undo';
      readonly state: Observation['state'];
      readonly evidence: string;
      readonly outputs?: JsonObject;
      readonly witnesses?: readonly Witness[];
      /** With `not-applied`: a part of the effect is there. */
      readonly partial?: true;
      /** With `in-progress`: it will not come to a good end by itself. */
      readonly stuck?: true;
    }
  /** Synced before the effect may start. */
  | {
      readonly type: 'intended';
      readonly id: string;
      readonly operationKey: string;
      readonly attempt: number;
      readonly deadline: number;
      readonly undo: boolean;
    }
  | { readonly type: 'checkpoint'; readonly id: string; readonly data: Json }
  | { readonly type: 'result'; readonly id: string; readonly outputs: JsonObject; readonly undo: boolean }
  | {
      readonly type: 'attempt-failed';
      readonly id: string;
      readonly attempt: number;
      readonly error: RunError;
      readonly outcome: 'not-applied' | 'unknown';
      readonly retryAt?: number;
      readonly undo: boolean;
    }
  /** `until`: the deadline is set once; polls are not journaled. */
  | { readonly type: 'polling'; readonly id: string; readonly deadline: number }
  | {
      readonly type: 'suspended';
      readonly id: string;
      readonly until?: number;
      readonly approval?: { readonly text: string };
    }
  | { readonly type: 'approved'; readonly id: string; readonly actor: Actor; readonly reason: string }
  | { readonly type: 'verified'; readonly id: string; readonly evidence: string }
  | { readonly type: 'done'; readonly id: string; readonly outputs: JsonObject; readonly applied: boolean }
  | {
      readonly type: 'failed';
      readonly id: string;
      readonly error: RunError;
      readonly handling: 'stop' | 'rollback' | 'continue' | 'ask';
      /** The instance whose `onFailure` said so; absent: the default. */
      readonly by?: string;
    }
  | { readonly type: 'unknown'; readonly id: string; readonly error: RunError }
  | {
      readonly type: 'asked';
      readonly id: string;
      readonly question: string;
      readonly kind: 'confirm' | 'risk' | 'failure' | 'interrupt';
    }
  | {
      readonly type: 'answered';
      readonly id: string;
      readonly kind: 'confirm' | 'risk' | 'failure' | 'interrupt';
      readonly answer: string;
      readonly actor: Actor;
      readonly byYes: boolean;
    }
  | { readonly type: 'interrupted'; readonly signal: string; readonly count: number }
  | { readonly type: 'rollback-started'; readonly why: string }
  | { readonly type: 'undone'; readonly id: string; readonly evidence: string }
  | {
      readonly type: 'undo-skipped';
      readonly id: string;
      readonly why: string;
      readonly irreversible: boolean;
    }
  | { readonly type: 'undo-failed'; readonly id: string; readonly error: RunError }
  | { readonly type: 'warning'; readonly code: string; readonly message: string }
  | {
      readonly type: 'run-finished';
      readonly outcome: Outcome;
      readonly exitCode: number;
      readonly outputs: JsonObject;
      readonly text: string;
    };

/** Shown, never journaled. */
export type TransientEvent =
  | { readonly type: 'action-started'; readonly key: string; readonly id: string; readonly action: string }
  | { readonly type: 'action-ended'; readonly key: string; readonly id: string }
  | { readonly type: 'progress'; readonly id: string; readonly text: string; readonly line?: string };

/** The single stream. `time` is ISO 8601 in UTC, for people; order is `seq` (transient events carry the last one). */
export type RunEvent = (JournaledEvent | TransientEvent) & { readonly seq: number; readonly time: string };
