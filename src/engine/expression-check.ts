import { type ASTNode, TypeError as CelTypeError } from '@marcbachmann/cel-js';
import type { ExpressionProblem } from './expression-lint.ts';
import { checkNames } from './expression-names.ts';
import { parseExpression } from './expression-syntax.ts';
import { operands, type Reference, rangeOf } from './expression-tree.ts';
import { needsOf, typedEnvironment } from './expression-types.ts';
import { explained, isFieldError, typeWords } from './expression-words.ts';
import type { SchemaNode } from './step-schema.ts';

export interface ExpressionCheck {
  readonly problems: readonly ExpressionProblem[];
  /** Every path it reads, longest first form: ['steps','restart','outputs','revision']. */
  readonly references: readonly Reference[];
  /** Of the result, as far as it is known: what the elements of a `forEach` are. */
  readonly schema?: SchemaNode;
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
  const { problems, references, schema } = checkNames(parsed.program.ast, names);
  const known = schema === undefined ? { references } : { references, schema };
  if (problems.some((problem) => problem.severity === 'error')) return { problems, ...known };
  const needs = needsOf(references.map((reference) => reference.path));
  const typed = typedEnvironment(names, needs).parse(text);
  const result = typed.check();
  if (!result.valid) return { problems: [...problems, typeProblem(text, result.error)], ...known };
  const unexpected = unexpectedResult(text, result.type ?? 'dyn', expected);
  return { problems: unexpected === undefined ? problems : [...problems, unexpected], ...known };
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

/** A type error of the library, at the part that it is about. */
function typeProblem(text: string, error: unknown): ExpressionProblem {
  const cel = error instanceof CelTypeError ? error : undefined;
  const whole = { start: 0, end: text.length };
  const node = cel?.code === 'invalid_logical_operand' ? wrongOperand(cel.node) : cel?.node;
  const range = node === undefined || isFieldError(error) ? cel?.range : rangeOf(node);
  const { message, hint } = explained(error);
  return {
    code: isFieldError(error) ? 'cel-unknown-field' : 'cel-type',
    severity: 'error',
    message,
    ...(range ?? whole),
    ...(hint === undefined ? {} : { hint }),
  };
}

/** Of `&&` and `||`: the side that is not a condition. */
function wrongOperand(node: ASTNode | undefined): ASTNode | undefined {
  if (node === undefined) return undefined;
  const condition = /^(bool|dyn)/;
  const wrong = operands(node).find(
    (side: ASTNode & { readonly checkedType?: { readonly name: string } }) =>
      side.checkedType !== undefined && !condition.test(side.checkedType.name),
  );
  return wrong ?? node;
}
