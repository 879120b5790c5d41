import type { Location } from '../diagnostic.ts';
import type { Json, JsonObject } from '../json.ts';
import type { SourceFile } from '../source-file.ts';
import type { Effect } from '../step-type.ts';

export type Risk = 'low' | 'medium' | 'high';
export type InputType =
  | 'string'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'duration'
  | 'enum'
  | 'list'
  | 'map'
  | 'service'
  | 'secret';

/** Where a secret comes from; the value itself is never part of a runbook, plan or journal. */
export type SecretSource =
  | { readonly env: string }
  | { readonly file: string }
  | { readonly prompt: string }
  | { readonly kubernetes: { readonly namespace: string; readonly name: string; readonly key: string } }
  | { readonly openbao: { readonly path: string; readonly field: string; readonly version?: number } };

export interface InputSpec {
  readonly type: InputType;
  readonly description: string;
  readonly required?: boolean;
  readonly default?: Json;
  readonly pattern?: string;
  readonly min?: number | string;
  readonly max?: number | string;
  readonly examples?: readonly Json[];
  /** For `enum`. */
  readonly values?: readonly string[];
  /** For `list` and `map`: the type of an element; 'string' unless told. */
  readonly of?: Exclude<InputType, 'list' | 'map' | 'secret' | 'enum'>;
  /** For `secret`. */
  readonly from?: SecretSource;
}

export interface ForEach {
  /** A CEL expression that gives a list, or the list itself (elements may hold templates). */
  readonly items: string | readonly Json[];
  /** Name of the element in templates and CEL; 'item' unless told. */
  readonly as: string;
  /** CEL over the element giving the instance's key; for scalars the element itself. */
  readonly key?: string;
  /** How many instances at once; 1 = one after the other, 0 = no limit. */
  readonly parallel: number;
}

export interface Retry {
  readonly attempts: number;
  readonly delay: string;
  readonly backoff: number;
  readonly maxDelay: string;
  /** Error codes to retry; absent: what the step type calls retryable. */
  readonly on?: readonly string[];
}

interface NodeBase {
  /** As written: unique within its document. */
  readonly id: string;
  /** Templated. */
  readonly name?: string;
  /** CEL; false skips. */
  readonly when?: string;
  readonly forEach?: ForEach;
  /** Templated sentence shown to a human before the step. */
  readonly confirm?: string;
  readonly onFailure?: 'stop' | 'rollback' | 'continue';
  /** Where it stands, for messages long after reading: 'restart-service.yaml:17:5'. */
  readonly at: string;
}

/** What is left of an effect on purpose. `undo`: the step type's own undo runs all the same, and brings back the rest. */
export interface Irreversible {
  readonly irreversible: string;
  readonly undo?: true;
}

export interface StepNode extends NodeBase {
  readonly kind: 'step';
  readonly uses: string;
  /** Of this use of the step type. */
  readonly effect: Effect;
  /** As written: strings may hold templates. Durations stay strings. */
  readonly with: JsonObject;
  /** CEL over `outputs`. */
  readonly expect?: string;
  readonly until?: { readonly within: string; readonly every: string };
  readonly retry?: Retry;
  /** A duration; templated. */
  readonly timeout?: string;
  readonly verify?: readonly Node[];
  readonly rollback?: readonly Node[] | Irreversible;
}

export interface GroupNode extends NodeBase {
  readonly kind: 'group';
  readonly children: readonly Node[];
  /** How many children at once; 1 = in order, 0 = no limit. */
  readonly parallel: number;
  readonly rollback?: readonly Node[] | Irreversible;
}

/** Another runbook as one step; it has a scope of its own for `inputs` and `steps`. */
export interface IncludeNode extends NodeBase {
  readonly kind: 'include';
  readonly path: string;
  readonly title: string;
  readonly with: JsonObject;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  readonly preconditions: readonly Node[];
  readonly children: readonly Node[];
  readonly verifications: readonly Node[];
  readonly rollback: readonly Node[];
  readonly outputs: Readonly<Record<string, Json>>;
  readonly locks: readonly string[];
  readonly risk: Risk;
}

export type Node = StepNode | GroupNode | IncludeNode;

/** The validated document: plain data, but for `files`. Exists only after read found no error. */
export interface Runbook {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly risk: Risk;
  /** Templated lock names, of the document itself; includes carry their own. */
  readonly locks: readonly string[];
  readonly inputs: Readonly<Record<string, InputSpec>>;
  readonly preconditions: readonly Node[];
  readonly steps: readonly Node[];
  readonly verifications: readonly Node[];
  readonly rollback: readonly Node[];
  /** Scalars with templates; a scalar that is one expression keeps its type. */
  readonly outputs: Readonly<Record<string, Json>>;
  /** The document first, then its includes. */
  readonly files: readonly SourceFile[];
  /** Of each input's declaration, for diagnostics about values. */
  readonly inputLocations: ReadonlyMap<string, Location>;
}
