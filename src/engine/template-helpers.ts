import type { Secret } from './secret.ts';
import type { Value } from './value.ts';

/** A function of templates: `{{lower inputs.name}}`. Pure, one argument. */
export interface Helper {
  readonly name: string;
  /** What it takes, for messages: 'text'. */
  readonly takes: string;
  /** Undefined when the value is of another kind; never called with a secret inside for `json`. */
  apply(value: Value): Exclude<Value, Secret> | undefined;
}

export const helpers: readonly Helper[] = [
  {
    name: 'lower',
    takes: 'text',
    apply: (value) => (typeof value === 'string' ? value.toLowerCase() : undefined),
  },
  {
    name: 'upper',
    takes: 'text',
    apply: (value) => (typeof value === 'string' ? value.toUpperCase() : undefined),
  },
  { name: 'json', takes: 'a value', apply: (value) => JSON.stringify(value) },
];
