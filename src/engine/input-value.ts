import { durationForm, formatDuration, parseDuration } from './duration.ts';
import type { Json } from './json.ts';
import { compilePattern } from './pattern.ts';
import { nameHint } from './suggest.ts';

/** What an input declares about its values; `InputSpec` of the reader has this shape. */
export interface ValueSpec {
  readonly type: string;
  readonly pattern?: string;
  readonly min?: number | string;
  readonly max?: number | string;
  readonly values?: readonly string[];
  /** Of a `list` or `map`: the type of an element; 'string' unless told. */
  readonly of?: string;
}

export interface ValueProblem {
  /** Continues a sentence that starts with the value: 'is shorter than 3 characters'. */
  readonly message: string;
  readonly hint?: string;
  /** Way to the element of a list or map that is wrong. */
  readonly path: readonly string[];
}

/**
 * What keeps a value from being one of an input; undefined when nothing does. Pure: a `service` has to be a name, whether the
 * inventory knows it is asked elsewhere; of a `secret` nothing can be said.
 */
export function valueProblem(value: Json, spec: ValueSpec): ValueProblem | undefined {
  if (spec.type === 'list' || spec.type === 'map') return collectionProblem(value, spec);
  const problem = scalarProblem(value, spec);
  return problem === undefined ? undefined : { ...problem, path: [] };
}

type Problem = Omit<ValueProblem, 'path'>;

function collectionProblem(value: Json, spec: ValueSpec): ValueProblem | undefined {
  const list = Array.isArray(value);
  if (typeof value !== 'object' || value === null || list !== (spec.type === 'list'))
    return { message: `is ${nameOf(value)}, not a ${spec.type}`, path: [] };
  const elements: readonly (readonly [string, Json])[] = Object.entries(value);
  const size = bounds(elements.length, spec, (count) => `${count} element${count === 1 ? '' : 's'}`);
  if (size !== undefined) return { ...size, path: [] };
  const { pattern } = spec;
  const element: ValueSpec = { type: spec.of ?? 'string', ...(pattern === undefined ? {} : { pattern }) };
  for (const [key, item] of elements) {
    const problem = scalarProblem(item, element);
    if (problem !== undefined) return { ...problem, path: [key] };
  }
  return undefined;
}

function scalarProblem(value: Json, spec: ValueSpec): Problem | undefined {
  switch (spec.type) {
    case 'integer':
      if (!Number.isSafeInteger(value))
        return { message: `is ${nameOf(value)}, not a whole number`, hint: 'write digits, without quotes' };
      return bounds(value as number, spec, String);
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value))
        return { message: `is ${nameOf(value)}, not a number`, hint: 'write digits, without quotes' };
      return bounds(value, spec, String);
    case 'boolean':
      if (typeof value === 'boolean') return undefined;
      return {
        message: `is ${nameOf(value)}, not true or false`,
        hint: 'write true or false, without quotes',
      };
    case 'duration':
      return durationProblem(value, spec);
    case 'enum':
      return enumProblem(value, spec.values ?? []);
    case 'secret':
      return undefined;
    default:
      return textProblem(value, spec);
  }
}

function textProblem(value: Json, spec: ValueSpec): Problem | undefined {
  if (typeof value !== 'string') {
    const plain = typeof value === 'number' || typeof value === 'boolean';
    return {
      message: `is ${nameOf(value)}, not text`,
      ...(plain ? { hint: `write "${value}" in quotes` } : {}),
    };
  }
  if (spec.type === 'service') return value === '' ? { message: 'is empty' } : undefined;
  const size = bounds([...value].length, spec, (count) => `${count} character${count === 1 ? '' : 's'}`);
  if (size !== undefined) return size;
  if (spec.pattern === undefined) return undefined;
  const pattern = compilePattern(`^(?:${spec.pattern})$`);
  if (!pattern.ok) return { message: `cannot be compared with ${spec.pattern}: ${pattern.message}` };
  if (pattern.test(value)) return undefined;
  return { message: `does not match ${spec.pattern}`, hint: `it has to match ${spec.pattern}` };
}

function durationProblem(value: Json, spec: ValueSpec): Problem | undefined {
  const length = typeof value === 'string' ? parseDuration(value) : undefined;
  if (length === undefined) return { message: 'is no duration', hint: `write ${durationForm}` };
  const limit = (bound: number | string | undefined) =>
    typeof bound === 'string' ? parseDuration(bound) : undefined;
  const [min, max] = [limit(spec.min), limit(spec.max)];
  return bounds(
    length,
    { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) },
    formatDuration,
  );
}

function enumProblem(value: Json, values: readonly string[]): Problem | undefined {
  if (typeof value === 'string' && values.includes(value)) return undefined;
  const hint = nameHint(String(value), values, 'values');
  return { message: 'is none of the values', ...(hint === undefined ? {} : { hint }) };
}

function bounds(
  size: number,
  { min, max }: Pick<ValueSpec, 'min' | 'max'>,
  say: (size: number) => string,
): Problem | undefined {
  if (typeof min === 'number' && size < min)
    return { message: `is less than ${say(min)}`, hint: `at least ${say(min)}` };
  if (typeof max === 'number' && size > max)
    return { message: `is more than ${say(max)}`, hint: `at most ${say(max)}` };
  return undefined;
}

function nameOf(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? `the text "${value}"` : String(value);
}
