import {
  checkExpression,
  type ExpectedType,
  type ExpressionCheck,
  type ExpressionProblem,
  expressionReferences,
} from '../expression.ts';
import type { SchemaNode } from '../step-schema.ts';
import { nameHint } from '../suggest.ts';
import { outputsHint, stepProblem } from './check-template.ts';
import { type Context, report } from './context.ts';
import { lookFrom, rootNames, type Site, stepSchema } from './names.ts';
import type { Problem, ScalarTree } from './tree.ts';
import { partOf } from './value-position.ts';
import type { Visible } from './visibility.ts';

/** Checks a CEL expression at its place. Gives the type of its result, as far as it is known. */
export function checkCel(
  context: Context,
  scalar: ScalarTree,
  place: { readonly site: Site; readonly expected: ExpectedType },
): SchemaNode | undefined {
  const text = scalar.value;
  if (typeof text !== 'string') return undefined;
  const braces = text.indexOf('{{');
  if (braces !== -1) {
    report(context, partOf(context.file, scalar, braceRange(text, braces)), templateProblem(text, braces));
    return undefined;
  }
  const hidden = new Map<string, Visible & { readonly ok: false }>();
  const steps = stepNames(context, text, { site: place.site, hidden });
  const names = { ...rootNames(context, place.site), steps };
  const check = checkOnce(context, { text, names, expected: place.expected });
  reportSteps(context, scalar, { check, hidden });
  for (const problem of check.problems)
    report(
      context,
      partOf(context.file, scalar, problem),
      reworded(context, { text, problem, expected: place.expected }),
    );
  for (const { path } of check.references) useInputs(context, path);
  return check.schema;
}

/** The same condition stands at many steps; where it names no step, and all else is the same, one check serves them all. */
function checkOnce(
  { checked }: Context,
  question: {
    readonly text: string;
    readonly names: Readonly<Record<string, SchemaNode>>;
    readonly expected: ExpectedType;
  },
): ExpressionCheck {
  const { text, names, expected } = question;
  const key = `${expected} ${text}`;
  const known = checked.get(key);
  if (known !== undefined && sameNames(known.names, names)) return known.check;
  const check = checkExpression(text, names, expected);
  if (!check.references.some(({ path }) => path[0] === 'steps')) checked.set(key, { names, check });
  return check;
}

function sameNames(
  one: Readonly<Record<string, SchemaNode>>,
  other: Readonly<Record<string, SchemaNode>>,
): boolean {
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => key === 'steps' || one[key] === other[key])
  );
}

function braceRange(text: string, start: number): { readonly start: number; readonly end: number } {
  const close = text.indexOf('}}', start);
  return { start, end: close === -1 ? text.length : close + 2 };
}

function templateProblem(text: string, start: number): Problem {
  const inner = text.slice(start + 2, braceRange(text, start).end - 2).trim();
  return {
    code: 'template-in-expression',
    message: 'this is CEL, in which there are no templates',
    hint: `write ${inner === '' ? 'inputs.name' : inner} without the braces`,
  };
}

/** `steps` with the ids that the expression names: those that can be read have their types, the others none. */
function stepNames(
  context: Context,
  text: string,
  { site, hidden }: { readonly site: Site; readonly hidden: Map<string, Visible & { readonly ok: false }> },
): SchemaNode {
  const properties: Record<string, SchemaNode> = {};
  for (const [root, id] of expressionReferences(text)) {
    if (root !== 'steps' || id === undefined || Object.hasOwn(properties, id)) continue;
    const visible = lookFrom(context, id, site);
    if (!visible.ok) hidden.set(id, visible);
    const schema = visible.ok ? stepSchema(context, visible, site.reader) : {};
    Object.defineProperty(properties, id, { value: schema, enumerable: true });
  }
  return { type: 'object', additionalProperties: false, properties };
}

function reportSteps(
  context: Context,
  scalar: ScalarTree,
  {
    check,
    hidden,
  }: {
    readonly check: ExpressionCheck;
    readonly hidden: ReadonlyMap<string, Visible & { readonly ok: false }>;
  },
): void {
  const text = String(scalar.value);
  const seen = new Set<number>();
  for (const { path, start, end } of check.references) {
    const [root, id] = path;
    const visible = root === 'steps' && id !== undefined ? hidden.get(id) : undefined;
    if (visible === undefined || id === undefined) continue;
    const found = text.indexOf(id, start + 'steps'.length);
    const at = found === -1 || found >= end ? start : found;
    if (seen.has(at)) continue;
    seen.add(at);
    report(
      context,
      partOf(context.file, scalar, { start: at, end: at + id.length }),
      stepProblem(context, visible),
    );
  }
}

const fallbacks: Readonly<Record<ExpectedType, string>> = {
  any: 'write CEL, such as item.name',
  boolean: 'write a condition in CEL, such as outputs.count > 0',
  list: 'write a list in CEL, such as inputs.names',
  string: 'write CEL that gives text, such as item.name',
};

function reworded(
  context: Context,
  {
    text,
    problem,
    expected,
  }: { readonly text: string; readonly problem: ExpressionProblem; readonly expected: ExpectedType },
): Problem {
  const { code, message, severity, hint, start, end } = problem;
  const name = text.slice(start, end).replace(/^['"](.*)['"]$/, '$1');
  if (
    code === 'cel-unknown-field' &&
    severity === 'error' &&
    /\binputs\s*[.[]\s*$/.test(text.slice(0, start))
  )
    return {
      code: 'unknown-input',
      message: `there is no input "${name}"`,
      hint: nameHint(name, Object.keys(context.inputs), 'inputs'),
    };
  if (code === 'cel-unknown-name') {
    if (Object.hasOwn(context.inputs, name)) return { code, message, hint: `write inputs.${name}` };
    if (context.directory.byId.has(name)) return { code, message, hint: `write steps.${name}.outputs.…` };
    if (name === 'outputs') return { code, message, hint: outputsHint };
  }
  return { code, message, severity, hint: hint ?? fallbacks[expected] };
}

function useInputs(context: Context, path: readonly string[]): void {
  if (path[0] !== 'inputs') return;
  const used = path[1] === undefined ? Object.keys(context.inputs) : [path[1]];
  for (const name of used) context.usedInputs.add(name);
}
