import { TypeError as CelTypeError } from '@marcbachmann/cel-js';
import { celSummary } from './expression-syntax.ts';
import { schemaType } from './expression-types.ts';
import type { SchemaNode } from './step-schema.ts';
import { nameHint } from './suggest.ts';

/** What the library said, in our own words. */
export interface Told {
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Functions that expressions may call; `matches` takes a literal pattern. */
export const functionNames: readonly string[] = [
  ...['all', 'exists', 'exists_one', 'filter', 'map', 'has', 'size', 'join', 'split'],
  ...['contains', 'startsWith', 'endsWith', 'matches', 'indexOf', 'lastIndexOf', 'substring'],
  ...['trim', 'lowerAscii', 'upperAscii', 'string', 'int', 'double', 'bool', 'dyn', 'type'],
  ...['duration', 'timestamp', 'getHours', 'getMinutes', 'getSeconds', 'getMilliseconds'],
  ...['getDate', 'getDayOfMonth', 'getDayOfWeek', 'getDayOfYear', 'getMonth', 'getFullYear'],
];

const compareFirst = 'compare it first: x == "…" or x > 0';

/** Patterns of the library's messages; the first that matches tells. */
const rules: readonly { readonly pattern: RegExp; tell(match: readonly string[]): Told }[] = [
  { pattern: /^no such overload: (.+?) (\S+) (.+)$/, tell: operatorProblem },
  {
    pattern: /^no such overload: ([-!])(.+)$/,
    tell: ([, operator, type = '']) => ({
      message: `"${operator}" does not apply to ${typeWords(type)}`,
      hint: operator === '!' ? 'compare it first: !(x > 0)' : undefined,
    }),
  },
  { pattern: /^found no matching overload for '(?:(.+?)\.)?(\w+)\((.*)\)'$/, tell: callProblem },
  {
    pattern: /^logical operator .*got '(.+)'$/,
    tell: ([, type = '']) => ({
      message: `&& and || join conditions, not ${typeWords(type)}`,
      hint: compareFirst,
    }),
  },
  {
    pattern: /must return bool, got '(.+)'$/,
    tell: ([, type = '']) => ({
      message: `the condition of a loop gives ${typeWords(type)}, but true or false is needed`,
      hint: compareFirst,
    }),
  },
  {
    pattern: /condition must be bool, got '(.+)'$/,
    tell: ([, type = '']) => ({
      message: `the condition before "?" is ${typeWords(type)}, not true or false`,
    }),
  },
  {
    pattern: /branches must .*got '(.+)' and '(.+)'$/,
    tell: ([, left = '', right = '']) => ({
      message: `both sides of ":" must be of one type, not ${typeWords(left)} and ${typeWords(right)}`,
    }),
  },
  {
    pattern: /cannot index type '(.+)'/,
    tell: ([, type = '']) => ({ message: `${typeWords(type)} has no fields` }),
  },
  {
    pattern: /list index must be int/,
    tell: () => ({
      message: 'a list is indexed with a whole number',
      hint: 'ask the elements: .exists(x, …), .all(x, …), .filter(x, …)',
    }),
  },
  {
    pattern: /index out of bounds, index (-?\d+) .*?(\d+)?$/,
    tell: ([, index, size = '0']) => ({ message: `there is no element ${index}: the list has ${size}` }),
  },
  { pattern: /no such key: (.+)$/, tell: ([, key]) => ({ message: `there is no "${key}"` }) },
  {
    pattern: /invalid duration string: '?(.*?)'?$/,
    tell: () => ({ message: 'this is no duration', hint: 'write a text such as "90s", "5m" or "1h30m"' }),
  },
  {
    pattern: /^timestamp\(\) requires/,
    tell: () => ({ message: 'this is no timestamp', hint: 'write a text such as "2026-01-31T12:00:00Z"' }),
  },
  { pattern: /unknown variable: (.+)$/, tell: ([, name]) => ({ message: `there is no "${name}"` }) },
  {
    pattern: /expression of type '(.+)' cannot be range/,
    tell: ([, type = '']) => ({ message: `only a list or a map has elements, not ${typeWords(type)}` }),
  },
];

/** An error of the library in our own words. */
export function explained(error: unknown): Told {
  const summary = celSummary(error)
    .replace(/dyn<([^<>]+)>/g, '$1')
    .replaceAll('matchesPattern', 'matches')
    .replaceAll('durationWithDays', 'duration');
  for (const { pattern, tell } of rules) {
    const match = pattern.exec(summary);
    if (match !== null) return tell(match);
  }
  return { message: summary };
}

/** A field that does not exist: the library's range is that of the field. */
export function isFieldError(error: unknown): boolean {
  return error instanceof CelTypeError && error.code === 'no_such_key';
}

/** A type of CEL in words. */
export function typeWords(type: string): string {
  if (type.startsWith('list')) return 'a list';
  if (type.startsWith('map') || /^Object\d+$/.test(type)) return 'an object';
  const words: Readonly<Record<string, string>> = {
    bool: 'true or false',
    double: 'a number',
    dyn: 'a value',
    'google.protobuf.Duration': 'a duration',
    'google.protobuf.Timestamp': 'a timestamp',
    int: 'a whole number',
    null: 'null',
    string: 'text',
  };
  return words[type] ?? type;
}

/** A type of a schema in words. */
export function schemaWords(schema: SchemaNode): string {
  const celTypes: Readonly<Record<string, string>> = {
    array: 'list',
    boolean: 'bool',
    integer: 'int',
    number: 'double',
    object: 'map',
    string: 'string',
  };
  return typeWords(celTypes[schemaType(schema) ?? ''] ?? 'dyn');
}

function operatorProblem([, left = '', operator = '', right = '']: readonly string[]): Told {
  const message = /^([=!]=|[<>]=?)$/.test(operator)
    ? `"${operator}" does not compare ${typeWords(left)} with ${typeWords(right)}`
    : operator === 'in'
      ? `"in" does not look for ${typeWords(left)} in ${typeWords(right)}`
      : `"${operator}" does not join ${typeWords(left)} and ${typeWords(right)}`;
  return { message, hint: operatorHint([left, right], operator) };
}

function operatorHint(sides: readonly string[], operator: string): string | undefined {
  const number = sides.some((side) => side === 'int' || side === 'double');
  const text = sides.includes('string');
  if (sides.includes('null'))
    return 'a value of this type is never null; ask has(…) for a field that may be absent';
  if (text && number && operator === '+') return 'write string(…) around the number';
  if (text && number) return 'write the number without quotes, or int(…) around the text';
  if (text && sides.includes('google.protobuf.Duration')) return 'write duration(…) around the text';
  if (text && sides.includes('google.protobuf.Timestamp')) return 'write timestamp(…) around the text';
  if (number && sides.some((side) => side.startsWith('list'))) return 'count the elements with size(…)';
  if (text && operator === 'in') return 'a part of a text is found with text.contains("part")';
  return undefined;
}

function callProblem([, receiver, name = '', given = '']: readonly string[]): Told {
  if (!functionNames.includes(name)) return unknownFunction(name);
  const types = given === '' ? 'no arguments' : given.split(', ').map(typeWords).join(', ');
  const on = receiver === undefined ? '' : ` on ${typeWords(receiver)}`;
  return { message: `${name}()${on} does not take ${types}` };
}

export function unknownFunction(name: string): Told {
  return { message: `unknown function ${name}()`, hint: nameHint(name, functionNames, 'functions') };
}
