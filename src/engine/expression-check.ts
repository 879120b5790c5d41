import { type ASTNode, TypeError as CelTypeError } from '@marcbachmann/cel-js';
import type { ExpressionProblem } from './expression-lint.ts';
import { checkNames } from './expression-names.ts';
import { celSummary, parseExpression } from './expression-syntax.ts';
import { type Reference, sourceOf } from './expression-tree.ts';
import { needsOf, typedEnvironment } from './expression-types.ts';
import type { SchemaNode } from './step-schema.ts';
import { nameHint } from './suggest.ts';

export interface ExpressionCheck {
  readonly problems: readonly ExpressionProblem[];
  /** Every path it reads, longest first form: ['steps','restart','outputs','revision']. */
  readonly references: readonly Reference[];
}

export type ExpectedType = 'boolean' | 'list' | 'string' | 'any';

/**
 * Static check of a CEL expression. `names`: root variables and their types as JSON Schema (`x-secret` marks what only
 * `has()` may ask). All unknown names and fields are reported at once; type errors only when there are none of those.
 */
export function checkExpression(
  text: string,
  names: Readonly<Record<string, SchemaNode>>,
  expected: ExpectedType,
): ExpressionCheck {
  const parsed = parseExpression(text);
  if (!parsed.ok) {
    const { message, start, end, hint } = parsed;
    const problem = { code: 'cel-syntax', severity: 'error', message, start, end } as const;
    return { problems: [hint === undefined ? problem : { ...problem, hint }], references: [] };
  }
  const { problems, references } = checkNames(parsed.program.ast, names);
  if (problems.some((problem) => problem.severity === 'error')) return { problems, references };
  const needs = needsOf(references.map((reference) => reference.path));
  const typed = typedEnvironment(names, needs).parse(text);
  const result = typed.check();
  if (!result.valid) return { problems: [...problems, typeProblem(text, result.error)], references };
  const unexpected = unexpectedResult(text, result.type ?? 'dyn', expected);
  return { problems: unexpected === undefined ? problems : [...problems, unexpected], references };
}

function unexpectedResult(text: string, type: string, expected: ExpectedType): ExpressionProblem | undefined {
  const celTypes: Readonly<Record<ExpectedType, RegExp>> = {
    any: /^/,
    boolean: /^(bool|dyn)$/,
    list: /^(list\b|dyn$)/,
    string: /^(string|dyn)$/,
  };
  if (celTypes[expected].test(type)) return undefined;
  const words = { any: 'a value', boolean: 'true or false', list: 'a list', string: 'text' }[expected];
  const start = text.length - text.trimStart().length;
  const hint = resultHint(text.trim(), type, expected);
  return {
    code: 'cel-type',
    severity: 'error',
    message: `this gives ${typeWords(type)}, but ${words} is needed`,
    start,
    end: text.trimEnd().length,
    ...(hint === undefined ? {} : { hint }),
  };
}

function resultHint(text: string, type: string, expected: ExpectedType): string | undefined {
  if (expected === 'string' && /^(int|double|bool)$/.test(type)) return `write string(${text})`;
  if (expected !== 'boolean') return undefined;
  if (type === 'string') return `compare it: ${text} == "…"`;
  if (type.startsWith('list')) return `ask it: size(${text}) > 0, or .all(x, …)`;
  return type === 'int' || type === 'double' ? `compare it: ${text} == 0` : undefined;
}

/** A type error of the library in our own words. */
function typeProblem(text: string, error: Error | undefined): ExpressionProblem {
  const node = error instanceof CelTypeError ? error.node : undefined;
  const range = (error instanceof CelTypeError ? error.range : undefined) ?? { start: 0, end: text.length };
  const start = node !== undefined && !isFieldError(error) ? node.start : range.start;
  const told = explained(node, error);
  return {
    code: told.unknownField === true ? 'cel-unknown-field' : 'cel-type',
    severity: 'error',
    message: told.message,
    start,
    end: Math.max(range.end, start + 1),
    ...(told.hint === undefined ? {} : { hint: told.hint }),
  };
}

interface Told {
  readonly message: string;
  readonly hint?: string | undefined;
  readonly unknownField?: boolean;
}

function isFieldError(error: unknown): boolean {
  return error instanceof CelTypeError && error.code === 'no_such_key';
}

function explained(node: ASTNode | undefined, error: Error | undefined): Told {
  const summary = celSummary(error);
  const overload = /^no such overload: (.+?) (\S+) (.+)$/.exec(summary);
  if (overload !== null) return operatorProblem(overload);
  const unary = /^no such overload: ([-!])(.+)$/.exec(summary);
  if (unary !== null)
    return {
      message: `"${unary[1]}" does not apply to ${typeWords(unary[2] ?? '')}`,
      hint: unary[1] === '!' ? 'compare it first: !(x > 0)' : undefined,
    };
  if (isFieldError(error))
    return { message: summary.replace('no such key:', 'there is no field'), unknownField: true };
  if (/^found no matching overload/.test(summary)) return callProblem(node, summary);
  const operand = /got '(.+)'$/.exec(summary)?.[1];
  if (/logical operator/.test(summary))
    return {
      message: `&& and || join conditions, not ${typeWords(operand ?? '')}`,
      hint: 'compare it first: x == "…" or x > 0',
    };
  if (/must return bool/.test(summary))
    return {
      message: `the condition of a loop gives ${typeWords(operand ?? '')}, but true or false is needed`,
      hint: 'compare it first: x == "…" or x > 0',
    };
  if (/condition must be bool/.test(summary))
    return { message: `the condition before "?" is ${typeWords(operand ?? '')}, not true or false` };
  const branches = /got '(.+)' and '(.+)'$/.exec(summary);
  if (branches !== null)
    return {
      message: `both sides of ":" must be of one type, not ${typeWords(branches[1] ?? '')} and ${typeWords(branches[2] ?? '')}`,
    };
  const indexed = /cannot index type '(.+)'/.exec(summary)?.[1];
  if (indexed !== undefined) return { message: `${typeWords(indexed)} has no fields` };
  if (/list index must be int/.test(summary))
    return {
      message: 'a list is indexed with a whole number',
      hint: 'ask all elements: .exists(x, …), .all(x, …), .filter(x, …)',
    };
  const range = /expression of type '(.+)' cannot be range/.exec(summary)?.[1];
  if (range !== undefined) return { message: `only a list or a map has elements, not ${typeWords(range)}` };
  return { message: summary };
}

function operatorProblem(overload: RegExpExecArray): Told {
  const [, left = '', operator = '', right = ''] = overload;
  const message = /^([=!]=|[<>]=?)$/.test(operator)
    ? `"${operator}" does not compare ${typeWords(left)} with ${typeWords(right)}`
    : `"${operator}" does not join ${typeWords(left)} and ${typeWords(right)}`;
  const sides = [left, right];
  const number = sides.some((side) => side === 'int' || side === 'double');
  if (sides.includes('null'))
    return { message, hint: 'a value of this type is never null; ask has(…) for a field that may be absent' };
  if (sides.includes('string') && number)
    return {
      message,
      hint:
        operator === '+'
          ? 'write string(…) around the number'
          : 'write the number without quotes, or int(…) around the text',
    };
  if (sides.includes('google.protobuf.Duration'))
    return { message, hint: 'write duration("5m") around the text' };
  if (sides.some((side) => side.startsWith('list')) && number)
    return { message, hint: 'count the elements with size(…)' };
  return { message };
}

const functions = [
  'all',
  'bool',
  'contains',
  'double',
  'duration',
  'endsWith',
  'exists',
  'exists_one',
  'filter',
  'has',
  'indexOf',
  'int',
  'join',
  'lowerAscii',
  'map',
  'matches',
  'size',
  'split',
  'startsWith',
  'string',
  'substring',
  'timestamp',
  'trim',
  'upperAscii',
];

function callProblem(node: ASTNode | undefined, summary: string): Told {
  const call = /'(?:(.+?)\.)?(\w+)\((.*)\)'$/.exec(summary);
  const [, receiver, name = '', given = ''] = call ?? [];
  const types = given === '' ? 'no arguments' : given.split(', ').map(typeWords).join(', ');
  const known = functions.includes(name);
  const text = node === undefined ? name : sourceOf(node);
  if (!known) return { message: `unknown function ${name}()`, hint: nameHint(name, functions, 'functions') };
  const on = receiver === undefined ? '' : ` on ${typeWords(receiver)}`;
  return { message: `${name}()${on} does not take ${types}: ${text}` };
}

/** A type of CEL in words. */
function typeWords(type: string): string {
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
