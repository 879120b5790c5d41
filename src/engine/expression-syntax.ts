import { TypeError as CelTypeError, Environment, EvaluationError, ParseError } from '@marcbachmann/cel-js';
import { nesting } from './expression-tree.ts';
import { once } from './once.ts';

/** An expression that cannot be evaluated. The message names the failing part and the reason, never a secret. */
export class ExpressionError extends Error {
  /** Without the failing part. */
  readonly reason: string;

  constructor(reason: string, part?: string) {
    super(part === undefined ? reason : `${part}: ${reason}`);
    this.name = 'ExpressionError';
    this.reason = reason;
  }
}

/** Longest expression; a longer one belongs into several steps. */
const maxLength = 4000;

/** Most comprehensions (`all`, `exists`, `filter`, `map`) inside one another. */
const maxNesting = 3;

const limits = {
  maxAstNodes: 2000,
  maxDepth: 60,
  maxListElements: 500,
  maxMapEntries: 500,
  maxCallArguments: 8,
};

/** Of every environment. Mixed literals are allowed: open objects give elements of any type. */
export const environmentOptions = { homogeneousAggregateLiterals: false, limits } as const;

export interface SyntaxProblem {
  readonly message: string;
  readonly start: number;
  readonly end: number;
  readonly hint?: string;
}

const parser = once(() => new Environment({ ...environmentOptions, unlistedVariablesAreDyn: true }));

/** Parsed with `environment`, or what is wrong with it. Checking and evaluating write into the tree. */
export function parseExpression(
  text: string,
  environment: Environment = parser(),
):
  | { readonly ok: true; readonly program: ReturnType<Environment['parse']> }
  | ({ readonly ok: false } & SyntaxProblem) {
  const whole = { start: 0, end: text.length };
  if (text.trim() === '') return { ok: false, message: 'an empty expression', ...whole };
  if (text.length > maxLength)
    return {
      ok: false,
      message: `${text.length} characters; an expression has at most ${maxLength}`,
      ...whole,
    };
  let program: ReturnType<Environment['parse']>;
  try {
    program = environment.parse(text);
  } catch (error) {
    return { ok: false, ...syntaxProblem(text, error) };
  }
  if (nesting(program.ast) > maxNesting)
    return { ok: false, message: `more than ${maxNesting} loops inside one another`, ...whole };
  return { ok: true, program };
}

/** The library's own words, without its code frame. */
export function celSummary(error: unknown): string {
  const summary =
    error instanceof ParseError || error instanceof CelTypeError || error instanceof EvaluationError
      ? error.summary
      : error instanceof Error
        ? error.message
        : String(error);
  return summary.charAt(0).toLowerCase() + summary.slice(1);
}

/** Mistakes with a well-known cure: a pattern for the text from the error on, one for the text before it. */
const cures: readonly {
  readonly at?: RegExp;
  readonly before?: RegExp;
  readonly message: string;
  readonly hint: string;
}[] = [
  { at: /^=/, before: /==$/, message: '"===" is no operator', hint: 'write ==' },
  { at: /^=/, message: '"=" does not compare', hint: 'write ==' },
  { at: /^>/, before: /<$/, message: '"<>" is no operator', hint: 'write !=' },
  { at: /^and\b/i, message: '"and" is no operator', hint: 'write &&' },
  { at: /^or\b/i, message: '"or" is no operator', hint: 'write ||' },
  { before: /\bnot\s+$/i, message: '"not" is no operator', hint: 'write ! in front of what is negated' },
  { at: /^&/, message: '"&" is no operator', hint: 'write &&' },
  { at: /^\|/, message: '"|" is no operator', hint: 'write ||, or call a function' },
  { at: /^matches\b/, message: '"matches" is a function', hint: 'write text.matches("pattern")' },
  { at: /^contains\b/, message: '"contains" is a function', hint: 'write text.contains("part")' },
  { at: /^\$/, message: 'names have no $', hint: 'write the bare name: inputs.name' },
];

/** What the parser expected, in words. */
const tokenWords: Readonly<Record<string, string>> = {
  COLON: '":"',
  COMMA: '","',
  DOT: '"."',
  IDENTIFIER: 'a name',
  RBRACE: '"}"',
  RBRACKET: '"]"',
  RPAREN: '")"',
};

function syntaxProblem(text: string, error: unknown): SyntaxProblem {
  const template = text.indexOf('{{');
  if (template !== -1)
    return {
      message: 'a template does not stand in an expression',
      start: template,
      end: template + 2,
      hint: 'write the bare name: inputs.name',
    };
  const range = error instanceof ParseError ? error.range : undefined;
  const start = Math.min(range?.start ?? 0, text.length);
  const end = Math.max(Math.min(range?.end ?? text.length, text.length), Math.min(start + 1, text.length));
  const cure = cures.find(
    ({ at, before }) => (at?.test(text.slice(start)) ?? true) && (before?.test(text.slice(0, start)) ?? true),
  );
  if (cure !== undefined) return { message: cure.message, hint: cure.hint, start, end };
  return { message: syntaxMessage(text, start, end, error), start, end };
}

function syntaxMessage(text: string, start: number, end: number, error: unknown): string {
  const found = text.slice(start, end);
  const summary = celSummary(error);
  const expected = tokenWords[/^expected (\w+)/.exec(summary)?.[1] ?? ''];
  if (found.trim() === '')
    return expected === undefined ? 'the expression ends too early' : `${expected} is missing at the end`;
  if (summary.startsWith('reserved')) return `"${found}" is a reserved word of CEL and cannot be a name`;
  if (summary.startsWith('unterminated')) return 'the text in quotes does not end';
  if (expected !== undefined) return `${expected} was expected here, not "${found}"`;
  if (summary.startsWith('unexpected')) return `"${found}" cannot stand here`;
  return summary;
}
