import type { ValidateFunction } from 'ajv';
import type { JsonObject } from './json.ts';

/** A JSON Schema node (draft-07) plus our annotations. */
export interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly oneOf?: readonly SchemaNode[];
  readonly anyOf?: readonly SchemaNode[];
  readonly allOf?: readonly SchemaNode[];
  readonly minLength?: number;
  readonly pattern?: string;
  /** A secret may stand here; the step receives a `Secret`. */
  readonly 'x-secret'?: true;
  /** No template may stand here: the engine reads the field before anything is rendered. */
  readonly 'x-literal'?: true;
  /** What a string means: 'duration', 'namespace', 'name', 'selector', 'cel', … */
  readonly 'x-kind'?: string;
}

/** The content of `schemas/steps/<type>.schema.json`. */
export interface StepSchemaFile {
  readonly title: string;
  readonly description: string;
  readonly properties: { readonly with: SchemaNode; readonly outputs: SchemaNode };
  /** Whole steps as an author writes them. */
  readonly examples: readonly { readonly title: string; readonly step: JsonObject }[];
}

/** A step type's schema with what reading a runbook checks; compiled at build time. */
export interface ReadStepSchema {
  readonly schema: StepSchemaFile;
  /** `with` as written: a template is allowed on every scalar that is not `x-literal`. */
  readonly template: ValidateFunction;
}

/** Apart, because checking a runbook must not pay for what only a run needs. */
export interface StepSchema extends ReadStepSchema {
  /** Rendered `with`; secrets are validated as strings. */
  readonly with: ValidateFunction;
}
