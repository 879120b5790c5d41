import { type ASTNode, TypeError as CelTypeError, Environment, EvaluationError } from '@marcbachmann/cel-js';
import { celSummary, ExpressionError, environmentOptions, parseExpression } from './expression-syntax.ts';
import { nesting, type Reference, sourceOf, visitNodes, visitReferences } from './expression-tree.ts';
import { type Needs, needsOf, withOperators } from './expression-types.ts';
import { fromCel, HiddenValue, largestCollection, toCel } from './expression-values.ts';
import { explained } from './expression-words.ts';
import type { Json } from './json.ts';
import { once } from './once.ts';
import { compilePattern } from './pattern.ts';
import { containsSecret, Secret } from './secret.ts';
import type { Value } from './value.ts';

/** Steps of all loops together that one evaluation may take. */
const maxSteps = 10_000_000;
const cacheLimit = 5000;

interface Program {
  readonly run: (values: ReadonlyMap<string, unknown>) => unknown;
  /** What it reads outside of `has()`. */
  readonly read: readonly Reference[];
  readonly paths: readonly (readonly string[])[];
  readonly needs: Needs;
  readonly nesting: number;
  readonly splits: boolean;
}

const environment = once(() =>
  withOperators(new Environment({ ...environmentOptions, unlistedVariablesAreDyn: true }))
    .registerType('Secret', { ctor: HiddenValue, fields: {} })
    .registerFunction('string.matchesPattern(string): bool', matchesPattern)
    .registerFunction('durationWithDays(string): google.protobuf.Duration', durationWithDays),
);

const programs = new Map<string, Program>();

/** Paths that an expression reads; empty when it does not parse. */
export function expressionReferences(text: string): readonly (readonly string[])[] {
  const parsed = parseExpression(text);
  if (!parsed.ok) return [];
  const paths = new Map<string, readonly string[]>();
  visitReferences(parsed.program.ast, ({ path }) => paths.set(JSON.stringify(path), path));
  return [...paths.values()];
}

/**
 * Evaluates. Safe whole numbers are CEL ints, secrets answer only to `has()`, and the work is bounded. The result is
 * JSON: durations become '90s', timestamps ISO 8601. Throws `ExpressionError`, which names the part that failed.
 */
export function evaluateExpression(text: string, values: Readonly<Record<string, Value>>): Json {
  const program = programOf(text);
  refuseSecrets(program.read, values);
  refuseHugeWork(program, values);
  const context = new Map<string, unknown>();
  for (const [name, below] of program.needs)
    if (Object.hasOwn(values, name)) context.set(name, toCel(values[name] ?? null, below));
  try {
    return fromCel(program.run(context));
  } catch (error) {
    throw evaluationFailure(error);
  }
}

function programOf(text: string): Program {
  const known = programs.get(text);
  if (known !== undefined) return known;
  const program = compile(text);
  if (programs.size >= cacheLimit) programs.clear();
  programs.set(text, program);
  return program;
}

function compile(text: string): Program {
  const parsed = parseExpression(text, environment());
  if (!parsed.ok) throw new ExpressionError(parsed.message, text);
  const { ast } = parsed.program;
  const read: Reference[] = [];
  const paths: (readonly string[])[] = [];
  visitReferences(ast, (reference, guarded) => {
    paths.push(reference.path);
    if (!guarded) read.push(reference);
  });
  let splits = false;
  visitNodes(ast, (node) => {
    if (node.op === 'rcall' && node.args[0] === 'split') splits = true;
    useOurFunctions(node);
  });
  return { run: parsed.program, read, paths, needs: needsOf(paths), nesting: nesting(ast), splits };
}

/** The library's `matches` runs a backtracking engine, ours takes linear time; its `duration` knows no days. */
function useOurFunctions(node: ASTNode): void {
  if (node.op === 'rcall' && node.args[0] === 'matches') node.args[0] = 'matchesPattern';
  if (node.op === 'call' && node.args[0] === 'duration') node.args[0] = 'durationWithDays';
}

const parseHours = once(() => new Environment().registerVariable('text', 'string').parse('duration(text)'));

function durationWithDays(text: string): unknown {
  const hours = text.replace(/^(\d+)d/, (_, days: string) => `${BigInt(days) * 24n}h`);
  try {
    return parseHours()({ text: hours });
  } catch (error) {
    // Without the inner node: the library attaches the call that the author wrote.
    throw new EvaluationError(celSummary(error));
  }
}

function matchesPattern(text: string, source: string): boolean {
  const pattern = compilePattern(source);
  if (!pattern.ok) throw new ExpressionError(pattern.message, `pattern ${JSON.stringify(source)}`);
  return pattern.test(text);
}

function refuseSecrets(read: readonly Reference[], values: Readonly<Record<string, Value>>): void {
  for (const { path } of read)
    if (containsSecret(reached(values, path)))
      throw new ExpressionError('a secret, which an expression may only ask has() about', path.join('.'));
}

/** The value at a path, or what the path meets on its way: a secret, or nothing. */
function reached(values: Readonly<Record<string, Value>>, path: readonly string[]): Value {
  let current: Value = values;
  for (const part of path) {
    if (typeof current !== 'object' || current === null || current instanceof Secret) return current;
    const entries: Readonly<Record<string, Value>> = current as Readonly<Record<string, Value>>;
    current = Object.hasOwn(entries, part) ? (entries[part] ?? null) : null;
  }
  return current;
}

function refuseHugeWork(program: Program, values: Readonly<Record<string, Value>>): void {
  if (program.nesting < 2 && !program.splits) return;
  const read = program.paths.map((path) => reached(values, path));
  const steps = largestCollection(read, program.splits) ** program.nesting;
  if (steps > maxSteps)
    throw new ExpressionError(
      `loops inside one another would take ${steps} steps; at most ${maxSteps} are allowed`,
    );
}

function evaluationFailure(error: unknown): ExpressionError {
  if (error instanceof ExpressionError) return error;
  const node = error instanceof EvaluationError || error instanceof CelTypeError ? error.node : undefined;
  return new ExpressionError(explained(error).message, node === undefined ? undefined : sourceOf(node));
}
