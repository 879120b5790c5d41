import { type ASTNode, serialize } from '@marcbachmann/cel-js';
import { evaluateExpression } from './expression-evaluate.ts';
import { ExpressionError, parseExpression } from './expression-syntax.ts';
import { accessKey, comprehension, type Loop, operands, rangeOf, sourceOf } from './expression-tree.ts';
import type { Json } from './json.ts';
import type { Value } from './value.ts';

const maxLines = 10;
const maxValueLength = 120;

/** A loop variable while one element is looked at. */
interface Bound {
  readonly value: Json;
  /** What stands for the variable in a line: 'outputs.pods[1]'. */
  readonly label: string;
  /** Says which element it is: its name, or the element itself. */
  readonly note: string | undefined;
}

interface Scope {
  readonly values: Readonly<Record<string, Value>>;
  readonly bound: ReadonlyMap<string, Bound>;
  readonly lines: Set<string>;
}

/** The values that decided it, a line each: 'outputs.pods[1].ready = false (nvcf-api-7d9c)'. At most ten lines. */
export function explainExpression(text: string, values: Readonly<Record<string, Value>>): readonly string[] {
  const parsed = parseExpression(text);
  if (!parsed.ok) return [parsed.message];
  const scope: Scope = { values, bound: new Map(), lines: new Set() };
  explain(parsed.program.ast, scope);
  const lines = [...scope.lines];
  if (lines.length <= maxLines) return lines;
  return [...lines.slice(0, maxLines - 1), `… and ${lines.length - maxLines + 1} more`];
}

function explain(node: ASTNode, scope: Scope): void {
  const loop = comprehension(node);
  switch (node.op) {
    case '&&':
    case '||':
      explainDeciding(node.args, evaluate(node, scope), scope);
      return;
    case '!_':
      explain(node.args, scope);
      return;
    case '?:':
      explain(node.args[0], scope);
      explain(evaluate(node.args[0], scope) === true ? node.args[1] : node.args[2], scope);
      return;
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case 'in':
      for (const side of node.args) if (!isLiteral(side)) show(side, scope);
      return;
    default:
      if (loop !== undefined && ['all', 'exists', 'exists_one'].includes(loop.name))
        explainLoop(node, loop, scope);
      else show(node, scope);
  }
}

/** Of `&&` and `||`: the sides that alone have the value of the whole; both when it takes both. */
function explainDeciding(sides: readonly ASTNode[], whole: Json | ExpressionError, scope: Scope): void {
  const deciding = sides.filter((side) => {
    const value = evaluate(side, scope);
    return value === whole || value instanceof ExpressionError;
  });
  for (const side of deciding.length === 0 ? sides : deciding) explain(side, scope);
}

function explainLoop(node: ASTNode, loop: Loop, scope: Scope): void {
  const [body] = loop.bodies;
  const list = evaluate(loop.list, scope);
  const value = evaluate(node, scope);
  if (body === undefined || list instanceof ExpressionError || typeof list !== 'object' || list === null) {
    show(node, scope);
    return;
  }
  const elements = Array.isArray(list) ? list : Object.keys(list);
  const label = labelOf(loop.list, scope);
  if (elements.length === 0) {
    scope.lines.add(`${label} is empty`);
    return;
  }
  const inner = elements.map((element, index) => withElement(scope, loop, element, index));
  const holds = inner.map((each) => evaluate(body, each));
  const wanted = loop.name === 'all' ? value === true : value !== false || loop.name === 'exists_one';
  const condition = sourceOf(body);
  if (loop.name === 'all' && value === true)
    scope.lines.add(`${condition} holds for all ${elements.length} elements of ${label}`);
  else if (loop.name === 'exists' && value === false)
    scope.lines.add(`${condition} holds for none of the ${elements.length} elements of ${label}`);
  else if (loop.name === 'exists_one')
    scope.lines.add(
      `${condition} holds for ${holds.filter((each) => each === true).length} of ${elements.length} elements of ${label}`,
    );
  if (loop.name === 'all' && wanted) return;
  for (const [index, each] of inner.entries())
    if (holds[index] === wanted || holds[index] instanceof ExpressionError) explain(body, each);
}

function withElement(scope: Scope, loop: Loop, element: Json, index: number): Scope {
  const name = elementName(element);
  const bound: Bound = isPath(loop.list)
    ? { value: element, label: `${labelOf(loop.list, scope)}[${index}]`, note: name }
    : { value: element, label: loop.variable, note: `${loop.variable} is ${name ?? short(element)}` };
  return { ...scope, bound: new Map(scope.bound).set(loop.variable, bound) };
}

function elementName(element: Json): string | undefined {
  if (typeof element !== 'object' || element === null || Array.isArray(element)) return undefined;
  const { name, id, pod } = element as { readonly [key: string]: Json };
  return [name, pod, id].find((candidate): candidate is string => typeof candidate === 'string');
}

/** 'outputs.pods[1].ready = false (nvcf-api-7d9c)'. */
function show(node: ASTNode, scope: Scope): void {
  if (isLiteral(node)) return;
  const value = evaluate(node, scope);
  const bound = node.op === 'id' ? [] : boundIn(node, scope);
  const notes = bound.flatMap(({ note }) => (note === undefined ? [] : [note]));
  const suffix = notes.length === 0 ? '' : ` (${[...new Set(notes)].join(', ')})`;
  const label = labelOf(node, scope);
  scope.lines.add(
    value instanceof ExpressionError
      ? `${label}: ${value.reason}${suffix}`
      : `${label} = ${short(value)}${suffix}`,
  );
}

function evaluate(node: ASTNode, scope: Scope): Json | ExpressionError {
  const values: Record<string, Value> = { ...scope.values };
  for (const [name, { value }] of scope.bound) values[name] = value;
  try {
    return evaluateExpression(serialize(node), values);
  } catch (error) {
    if (error instanceof ExpressionError) return error;
    throw error;
  }
}

/** A node's text in which loop variables are replaced by what they stand for. */
function labelOf(node: ASTNode, scope: Scope): string {
  const { start, end } = rangeOf(node);
  let label = '';
  let position = start;
  for (const name of names(node, new Set(scope.bound.keys()))) {
    label += node.input.slice(position, name.start) + (scope.bound.get(name.text)?.label ?? name.text);
    position = name.end;
  }
  return label + node.input.slice(position, end);
}

function boundIn(node: ASTNode, scope: Scope): readonly Bound[] {
  return names(node, new Set(scope.bound.keys())).flatMap(({ text }) => {
    const bound = scope.bound.get(text);
    return bound === undefined ? [] : [bound];
  });
}

/** Where the given variables stand in a node, unless a loop inside uses the same name for its own. */
function names(
  node: ASTNode,
  wanted: ReadonlySet<string>,
): readonly { readonly text: string; readonly start: number; readonly end: number }[] {
  if (node.op === 'id')
    return wanted.has(node.args) ? [{ text: node.args, start: node.start, end: node.end }] : [];
  const loop = comprehension(node);
  if (loop === undefined) return operands(node).flatMap((operand) => names(operand, wanted));
  const inner = new Set([...wanted].filter((name) => name !== loop.variable));
  return [...names(loop.list, wanted), ...loop.bodies.flatMap((body) => names(body, inner))];
}

function isPath(node: ASTNode): boolean {
  if (node.op === 'id') return true;
  return accessKey(node) !== undefined && (node.op === '.' || node.op === '[]') && isPath(node.args[0]);
}

function isLiteral(node: ASTNode): boolean {
  if (node.op === 'value') return true;
  return ['list', 'map', '-_'].includes(node.op) && operands(node).every(isLiteral);
}

function short(value: Json): string {
  const text = JSON.stringify(value);
  return text.length <= maxValueLength ? text : `${text.slice(0, maxValueLength)}…`;
}
