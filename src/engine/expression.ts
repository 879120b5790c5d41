import type { Json } from './json.ts';
import type { SchemaNode } from './step-schema.ts';
import type { Value } from './value.ts';

export interface ExpressionProblem {
  readonly code: 'cel-syntax' | 'cel-type' | 'cel-unknown-name' | 'cel-unknown-field';
  readonly severity: 'error' | 'warning';
  readonly message: string;
  /** Offsets into the expression's text. */
  readonly start: number;
  readonly end: number;
  readonly hint?: string;
}

export interface ExpressionCheck {
  readonly problems: readonly ExpressionProblem[];
  /** Every path it reads, longest first form: ['steps','restart','outputs','revision']. */
  readonly references: readonly {
    readonly path: readonly string[];
    readonly start: number;
    readonly end: number;
  }[];
}

/** Static check of a CEL expression. `names`: root variables and their types as JSON Schema. */
export declare function checkExpression(
  text: string,
  names: Readonly<Record<string, SchemaNode>>,
  expected: 'boolean' | 'list' | 'string' | 'any',
): ExpressionCheck;
/** Paths that an expression reads; empty when it does not parse. */
export declare function expressionReferences(text: string): readonly (readonly string[])[];
/** Evaluates. Integers are CEL ints, secrets answer only to has(). Throws `ExpressionError`. */
export declare function evaluateExpression(text: string, values: Readonly<Record<string, Value>>): Json;
/** The values that decided it, a line each: 'outputs.pods[1].ready = false'. At most ten lines. */
export declare function explainExpression(
  text: string,
  values: Readonly<Record<string, Value>>,
): readonly string[];

export class ExpressionError extends Error {}
