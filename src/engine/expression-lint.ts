import type { ASTNode } from '@marcbachmann/cel-js';
import { rangeOf, sourceOf } from './expression-tree.ts';
import { schemaType } from './expression-types.ts';
import { compilePattern } from './pattern.ts';
import type { SchemaNode } from './step-schema.ts';
import { suggest } from './suggest.ts';

export interface ExpressionProblem {
  readonly code: 'cel-syntax' | 'cel-type' | 'cel-unknown-name' | 'cel-unknown-field';
  readonly severity: 'error' | 'warning';
  readonly message: string;
  /** Offsets into the expression's text. */
  readonly start: number;
  readonly end: number;
  readonly hint?: string;
}

type Schema = SchemaNode | undefined;

/** Mistakes that types alone do not show. `schemas`: of the node's operands. */
export function lintNode(node: ASTNode, schemas: readonly Schema[]): readonly ExpressionProblem[] {
  if (node.op === '==' || node.op === '!=') return enumComparison(node.args, schemas);
  if (node.op === 'in') return enumMembership(node.args, schemas);
  if (node.op === '/') return division(node, node.args, schemas);
  if (node.op === 'rcall' && node.args[0] === 'matches') return pattern(node.args[2][0]);
  if (node.op === 'call' && node.args[0] === 'duration') return durationText(node.args[1][0]);
  return [];
}

/** `outputs.verdict == "complet"`: a value that cannot occur. */
function enumComparison(
  sides: readonly [ASTNode, ASTNode],
  schemas: readonly Schema[],
): readonly ExpressionProblem[] {
  const [left, right] = sides;
  return [...impossible(left, schemas[0], right), ...impossible(right, schemas[1], left)];
}

function enumMembership(
  sides: readonly [ASTNode, ASTNode],
  schemas: readonly Schema[],
): readonly ExpressionProblem[] {
  const [element, list] = sides;
  return list.op === 'list' ? list.args.flatMap((item) => impossible(element, schemas[0], item)) : [];
}

function impossible(of: ASTNode, schema: Schema, literal: ASTNode): readonly ExpressionProblem[] {
  const values = schema?.const === undefined ? schema?.enum : [schema.const];
  if (values === undefined || literal.op !== 'value' || typeof literal.args !== 'string') return [];
  const texts = values.filter((value): value is string => typeof value === 'string');
  if (texts.length !== values.length || texts.includes(literal.args)) return [];
  const meant = suggest(literal.args, texts);
  return [
    {
      code: 'cel-type',
      severity: 'error',
      message: `${sourceOf(of)} is never "${literal.args}"`,
      ...rangeOf(literal),
      hint: meant === undefined ? `it is one of ${texts.join(', ')}` : `did you mean "${meant}"?`,
    },
  ];
}

/**
 * Whole numbers divide without a remainder, and a `number` may happen to be whole: unless one side is fractional for
 * sure, the result is not what was meant, or differs from run to run.
 */
function division(
  node: ASTNode,
  sides: readonly [ASTNode, ASTNode],
  schemas: readonly Schema[],
): readonly ExpressionProblem[] {
  if (sides.some(isFractional) || sides.every(isWhole)) return [];
  const whole = schemas.every((schema) => schema !== undefined && schemaType(schema) === 'integer');
  const [left, right] = sides;
  return [
    {
      code: 'cel-type',
      severity: whole ? 'warning' : 'error',
      message: `${whole ? 'whole numbers divide' : 'these may be whole numbers, which divide'} without a remainder: 1 / 2 is 0`,
      ...rangeOf(node),
      hint: `write double(${sourceOf(left)}) / ${sourceOf(right)}, or int(…) around both sides`,
    },
  ];
}

/** A double whatever the values are. */
function isFractional(node: ASTNode): boolean {
  if (node.op === 'value') return typeof node.args === 'number';
  if (node.op === 'call') return node.args[0] === 'double';
  if (node.op === '-_') return isFractional(node.args);
  if (node.op === '+' || node.op === '-' || node.op === '*' || node.op === '/')
    return node.args.some(isFractional);
  return false;
}

/** Whole, and visibly so to whoever reads the expression. */
function isWhole(node: ASTNode): boolean {
  if (node.op === 'value') return typeof node.args === 'bigint';
  if (node.op === 'call') return node.args[0] === 'int' || node.args[0] === 'size';
  return node.op === 'rcall' && node.args[0] === 'size';
}

function pattern(argument: ASTNode | undefined): readonly ExpressionProblem[] {
  if (argument === undefined) return [];
  const place = { code: 'cel-type', severity: 'error', ...rangeOf(argument) } as const;
  if (argument.op !== 'value' || typeof argument.args !== 'string')
    return [{ ...place, message: 'the pattern of matches() is a text in quotes' }];
  const compiled = compilePattern(argument.args);
  return compiled.ok ? [] : [{ ...place, message: `pattern: ${compiled.message}` }];
}

/** A literal that no run could read. */
function durationText(argument: ASTNode | undefined): readonly ExpressionProblem[] {
  if (argument?.op !== 'value' || typeof argument.args !== 'string') return [];
  if (/^[-+]?(\d+d)?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))*$/.test(argument.args) && /\d/.test(argument.args))
    return [];
  return [
    {
      code: 'cel-type',
      severity: 'error',
      message: `"${argument.args}" is no duration`,
      ...rangeOf(argument),
      hint: 'write a text such as "90s", "5m" or "1h30m"',
    },
  ];
}

const resultTypes: Readonly<Record<string, string>> = {
  bool: 'boolean',
  contains: 'boolean',
  double: 'number',
  endsWith: 'boolean',
  indexOf: 'integer',
  int: 'integer',
  join: 'string',
  lastIndexOf: 'integer',
  lowerAscii: 'string',
  matches: 'boolean',
  size: 'integer',
  startsWith: 'boolean',
  string: 'string',
  substring: 'string',
  trim: 'string',
  upperAscii: 'string',
};

/** The schema of what a node gives, from those of its operands; undefined when it is not evident. */
export function resultSchema(node: ASTNode, schemas: readonly Schema[]): Schema {
  switch (node.op) {
    case 'value':
      return typeof node.args === 'bigint' ? { type: 'integer' } : literalSchema(node.args);
    case 'call':
    case 'rcall': {
      const type = Object.hasOwn(resultTypes, node.args[0]) ? resultTypes[node.args[0]] : undefined;
      return type === undefined ? undefined : { type };
    }
    case '+':
    case '-':
    case '*':
    case '/':
    case '%': {
      const types = schemas.map((schema) => (schema === undefined ? undefined : schemaType(schema)));
      if (types.every((type) => type === 'integer')) return { type: 'integer' };
      return types.every((type) => type === 'integer' || type === 'number') ? { type: 'number' } : undefined;
    }
    case '?:':
      return schemas[1] === schemas[2] ? schemas[1] : undefined;
    default:
      return undefined;
  }
}

function literalSchema(value: unknown): Schema {
  if (typeof value === 'number') return { type: 'number' };
  if (typeof value === 'string') return { type: 'string' };
  return typeof value === 'boolean' ? { type: 'boolean' } : undefined;
}
