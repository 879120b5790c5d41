import type { Clock } from '../../services/clock.ts';
import type { Prompt } from '../../services/prompt.ts';
import type { ReadServices, Services } from '../../services/services.ts';
import type { Plan } from '../plan/plan.ts';
import type { Secret } from '../secret.ts';
import type { StepSchema } from '../step-schema.ts';
import type { StepRegistry } from '../step-type.ts';
import type { Value } from '../value.ts';
import type { Actor, JournaledEvent } from './event.ts';
import type { Keepsakes } from './keepsake.ts';
import type { RunLock } from './lock.ts';
import type { RunState } from './state.ts';

export type Fault = 'error' | 'timeout' | 'crash-before' | 'crash-after' | 'lost-answer';

/** What goes wrong on purpose, in the sandbox. Each fault is handed out once in the life of a run. */
export interface Faults {
  take(instance: string, point: 'before' | 'after' | 'answer'): Fault | undefined;
}

/** What actions work with. Given by the caller of `drive`. */
export interface World {
  readonly plan: Plan;
  readonly steps: StepRegistry;
  readonly schemas: Readonly<Record<string, StepSchema>>;
  readonly services: Services;
  /** The same world for one instance: the sandbox puts faults into its changing calls. */
  readonly servicesFor?: (instance: string) => Services;
  /** The same world without its changing methods: for reads, `capture` and `observe`. */
  readonly readServices: ReadServices;
  readonly prompt: Prompt;
  readonly clock: Clock;
  readonly lock: RunLock;
  readonly actor: Actor;
  /** Root inputs; a secret is its `Secret`. */
  readonly inputs: Readonly<Record<string, Value>>;
  /** Takes secrets out of a text; everything that is journaled passes it. */
  readonly redact?: (text: string) => string;
  /** Makes `redact` know a secret that a step has read. */
  readonly protect?: (secret: Secret) => void;
  /** Side files of the run's folder; absent where there is none, as in tests. */
  readonly keepsakes?: Keepsakes;
  readonly faults?: Faults;
  /** Ends this process at once; what the faults 'crash-before' and 'crash-after' do. */
  readonly crash?: () => void;
}

/** A world with the run in it. */
export interface Runtime extends World {
  state(): RunState;
  /** Appends to the journal, synced when asked, folds, and shows; in this order. */
  record(events: readonly JournaledEvent[], options?: { readonly sync: boolean }): void;
  progress(id: string, progress: { readonly text: string; readonly line?: string }): void;
  /** Aborted at the first interrupt, and when the journal cannot be written: nothing new, no more polls or sleeps. */
  readonly stopping: AbortSignal;
  /** Aborted as soon as the way forward has ended, by an interrupt or by a failure elsewhere: polls and sleeps need not go on. */
  readonly halting: AbortSignal;
  /** Aborted at the second: running operations are asked to stop. */
  readonly aborting: AbortSignal;
}
