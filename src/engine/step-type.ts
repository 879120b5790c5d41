import type { ReadServices, Services } from '../services/services.ts';
import type { Access } from './access.ts';
import type { Json, JsonObject } from './json.ts';
import type { Secret } from './secret.ts';

export type { Access } from './access.ts';

export type Effect = 'read' | 'change';

/**
 * One thing a step reads or touches, as a path from the coarse to the fine; a `*` segment stands for anything.
 * 'kubernetes/nvcf/deployments.apps/nvcf-api', 'kubernetes/nvcf/pods/*', 'openbao/vault-system/openbao-server-1', 'local/…'
 */
export interface Resource {
  readonly path: string;
  readonly mode: 'read' | 'write';
}

/** What a resource looked like: UID + generation + a digest of the fields that the step will touch. */
export interface Witness {
  readonly resource: string;
  /** Short and comparable by a human: 'Deployment nvcf/nvcf-api generation 7'. */
  readonly description: string;
  readonly digest: string;
}

export type Prediction =
  | {
      readonly predictable: true;
      /** False: already as wanted; the step would be skipped. */
      readonly changes: boolean;
      readonly diff: readonly DiffLine[];
      /** Outputs known before the run; the others are "known after". */
      readonly outputs?: JsonObject;
      /** Facts worth a line in the plan: an HPA owns it, Argo CD will revert it, two pods restart. */
      readonly notes?: readonly string[];
      /** Milliseconds that the effect and its verification are expected to take. */
      readonly duration?: { readonly min: number; readonly max: number };
    }
  | {
      readonly predictable: false;
      readonly why: string;
      readonly notes?: readonly string[];
      readonly duration?: { readonly min: number; readonly max: number };
    };

export interface DiffLine {
  /** JSON path within the object: 'spec.replicas'. */
  readonly path: string;
  readonly before?: Json;
  readonly after?: Json;
}

/** What `undo` and `observe` compare with; journaled before the effect. Never holds a secret. */
export interface Before {
  readonly state: Json;
  readonly witnesses: readonly Witness[];
}

export interface Observation {
  readonly state: 'applied' | 'not-applied' | 'in-progress' | 'conflict' | 'unknown';
  /** With `applied`: the step's outputs. */
  readonly outputs?: JsonObject;
  /** What was seen, in one line a human can check. */
  readonly evidence: string;
  /** With `in-progress`: it will not come to a good end by itself (a crash loop); waiting any longer is no use. */
  readonly stuck?: boolean;
  /** With `not-applied`: a part of the effect is there. Running again finishes it, and a rollback undoes it. */
  readonly partial?: boolean;
  /** The witnesses after our own change, with `applied`. */
  readonly witnesses?: readonly Witness[];
}

/** Shown while a step runs, never journaled. */
export interface Progress {
  /** What is awaited: '2 of 3 pods ready'. */
  readonly text: string;
  /** A line from a log or a program. */
  readonly line?: string;
}

export interface ReadContext {
  readonly services: ReadServices;
  /** Aborted on timeout and on the second Ctrl-C. */
  readonly signal: AbortSignal;
  readonly runId: string;
  /** Instance id of the step: 'restart', 'restart[nvcf-api]', 'all/restart'. */
  readonly instance: string;
  /** Milliseconds since the epoch on `services.clock`; the step must have answered by then. */
  readonly deadline: number;
  progress(progress: Progress): void;
  /** From now on nobody can print this value, in whatever encoding: for secrets that a step itself reads. */
  protect(secret: Secret): void;
  /** What this instance has kept by `keep` under a name, in this or an earlier process; undefined when nothing, and in a plan. */
  kept(name: string): Promise<Uint8Array | undefined>;
}

export interface RunContext extends ReadContext {
  readonly services: Services;
  /** One per step instance, the same over retries and resumes; travels in the target. */
  readonly operationKey: string;
  /** In a changing step: what `capture` found, as it was journaled before the first attempt. */
  readonly before?: Before;
  /** What the last `checkpoint` of this instance said, after a resume. */
  readonly resumed?: Json;
  /** Journaled and synced before it returns. */
  checkpoint(data: Json): Promise<void>;
  /** Appends to a side file of the run's folder (0600), durable before it returns: for what is too much for the journal. Never a secret. */
  keep(name: string, bytes: Uint8Array): Promise<void>;
}

/**
 * A step type: one plain object in `src/steps/<tool>/<action>.ts`, one line in `src/steps/index.ts`,
 * one schema in `schemas/steps/`. `With` and `Outputs` are generated from the schema.
 */
export type StepType<With, Outputs extends object> =
  | ReadStepType<With, Outputs>
  | ChangeStepType<With, Outputs>;

interface StepTypeBase<With> {
  readonly type: string;
  /** One line for plan and progress. In a plan, unknown values are strings such as '‹known after restart›'. */
  describe(input: With): string;
  resources(input: With): readonly Resource[];
  /** Everything the run and its undo need. */
  access(input: With): readonly Access[];
  /** Default time limit in milliseconds. */
  readonly timeout?: number;
  /** Further checks of a `with` that is fully literal; a message each. Runs at validation. */
  check?(
    input: With,
  ): readonly { readonly path: readonly string[]; readonly message: string; readonly hint?: string }[];
}

/** A line each, and what to do about it. */
export interface Findings {
  readonly details: readonly string[];
  readonly hint?: string;
}

export interface ReadStepType<With, Outputs extends object> extends StepTypeBase<With> {
  readonly effect: 'read';
  /** An output field that the schema marks `x-secret` is a `Secret`; it is never journaled, so `reread` must be able to get it again. */
  run(input: With, ctx: ReadContext): Promise<Outputs>;
  /** How long it takes, in milliseconds, where its input says so; `now` is in milliseconds since the epoch. */
  takes?(input: With, now: number): number | undefined;
  /** What was found, for people who are told that an `expect` about it does not hold. */
  findings?(outputs: Outputs): Findings;
  /** The same secret again, after a resume: exactly the one that `outputs` tells of, never a newer one. */
  readonly reread?: Reread<With, Outputs>;
}

export interface ChangeStepType<With, Outputs extends object> extends StepTypeBase<With> {
  readonly effect: 'change';
  /**
   * For the few types whose effect an author declares (`exec`, `kubectl.exec`): decides from `with` as written
   * (its field is `x-literal`). A use that reads runs through `run` with `RunContext` and none of the write protocol.
   */
  effectOf?(input: JsonObject): Effect;
  predict(input: With, ctx: ReadContext): Promise<Prediction>;
  capture(input: With, ctx: ReadContext): Promise<Before>;
  run(input: With, ctx: RunContext): Promise<Outputs>;
  observe(
    input: With,
    before: Before,
    ctx: ReadContext & { readonly operationKey: string },
  ): Promise<Observation>;
  readonly undo: { readonly irreversible: string } | Undo<With, Outputs>;
  /** What `undo` does, for the plan; unless told it puts back what the diff shows. */
  readonly undoes?: string;
}

type Reread<With, Outputs> = {
  reread(field: string, input: With, outputs: Outputs, ctx: ReadContext): Promise<Secret>;
}['reread'];

// A method's type, so that the registry can hold every step type whatever its outputs.
type Undo<With, Outputs> = {
  undo(input: With, before: Before, outputs: Outputs | undefined, ctx: RunContext): Promise<void>;
}['undo'];

/** A step type as the registry holds it; the schema proves at run time that an input fits. */
export type AnyStepType = StepType<never, object>;

export type StepRegistry = ReadonlyMap<string, AnyStepType>;

export interface StepErrorOptions {
  /** The failure is one that a repetition may cure; a retry observes first. */
  readonly retryable?: boolean;
  /** 'not-applied': the step knows that nothing changed. Otherwise the engine observes. */
  readonly outcome?: 'not-applied' | 'unknown';
  readonly hint?: string;
  /** Further lines for the operator: last log lines, events. */
  readonly details?: readonly string[];
  readonly cause?: unknown;
}

/** How a step says that it failed: place and cause in `message`, next step in `hint`. Codes are stable, kebab-case. */
export class StepError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly outcome: 'not-applied' | 'unknown';
  readonly hint: string | undefined;
  readonly details: readonly string[];

  constructor(code: string, message: string, options: StepErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StepError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.outcome = options.outcome ?? 'unknown';
    this.hint = options.hint;
    this.details = options.details ?? [];
  }
}

/** Thrown by `run` of a step that waits for a human or for a time; not a failure. The engine journals it and may exit 10. */
export class Suspend extends Error {
  readonly until: number | undefined;
  readonly approval: { readonly text: string } | undefined;

  constructor(reason: { readonly until: number } | { readonly approval: { readonly text: string } }) {
    super('suspended');
    this.name = 'Suspend';
    this.until = 'until' in reason ? reason.until : undefined;
    this.approval = 'approval' in reason ? reason.approval : undefined;
  }
}
