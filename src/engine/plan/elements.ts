import { ExpressionError, evaluateExpression, explainExpression } from '../expression.ts';
import type { Json } from '../json.ts';
import type { Node } from '../read/runbook.ts';
import { containsSecret } from '../secret.ts';
import { renderValue } from '../template.ts';
import type { Value } from '../value.ts';
import { expressionValues, lookupFor, type ScopeSource } from './scope.ts';

/** What an expression gave; `values` are those it read, for explanations. */
export type Decided<T> =
  | { readonly state: 'known'; readonly value: T; readonly values: Readonly<Record<string, Value>> }
  | { readonly state: 'unknown'; readonly after: readonly string[] }
  /** It cannot be decided, now or later. */
  | { readonly state: 'invalid'; readonly why: string };

export interface Element {
  readonly key: string;
  readonly value: Json;
}

/** CEL in the scope of an instance. */
export function decide(
  source: ScopeSource,
  instance: string,
  expression: { readonly text: string; readonly own?: Readonly<Record<string, Value>> },
): Decided<Json> {
  const found = expressionValues(source, instance, expression.text, expression.own);
  if (found.state === 'missing') return { state: 'invalid', why: found.why };
  if (found.state === 'unknown') return found;
  try {
    return {
      state: 'known',
      value: evaluateExpression(expression.text, found.values),
      values: found.values,
    };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return { state: 'invalid', why: `${error.message} in ${expression.text}` };
  }
}

/** A condition; anything but true or false is invalid. */
export function decideCondition(
  source: ScopeSource,
  instance: string,
  expression: { readonly text: string; readonly own?: Readonly<Record<string, Value>> },
): Decided<boolean> {
  const found = decide(source, instance, expression);
  if (found.state !== 'known') return found;
  if (typeof found.value === 'boolean') return { ...found, value: found.value };
  return { state: 'invalid', why: `${expression.text} gives no true or false` };
}

/** The values that made a condition what it is, in one line; the expression itself when there are none. */
export function because(text: string, values: Readonly<Record<string, Value>>): string {
  const lines = explainExpression(text, values);
  return lines.length === 0 ? text : lines.join('; ');
}

/** The elements of a node's `forEach`, in order, each with a key of its own. */
export function elementsOf(source: ScopeSource, expansion: string, node: Node): Decided<readonly Element[]> {
  const forEach = node.forEach;
  if (forEach === undefined) return { state: 'invalid', why: 'there is no forEach here' };
  const items = itemsOf(source, expansion, forEach.items);
  if (items.state !== 'known') return items;
  const elements: Element[] = [];
  const seen = new Set<string>();
  for (const [index, value] of items.value.entries()) {
    const own = { [forEach.as]: value };
    const key =
      forEach.key === undefined
        ? { state: 'known' as const, value, values: own }
        : decide(source, expansion, { text: forEach.key, own });
    if (key.state !== 'known') return key;
    if (typeof key.value === 'object' || key.value === '')
      return { state: 'invalid', why: noKey(index, forEach.key, forEach.as) };
    const text = String(key.value);
    if (seen.has(text)) return { state: 'invalid', why: `two elements of forEach have the key "${text}"` };
    seen.add(text);
    elements.push({ key: text, value });
  }
  return { state: 'known', value: elements, values: items.values };
}

function itemsOf(
  source: ScopeSource,
  expansion: string,
  items: string | readonly Json[],
): Decided<readonly Json[]> {
  if (typeof items === 'string') {
    const found = decide(source, expansion, { text: items });
    if (found.state !== 'known') return found;
    if (Array.isArray(found.value)) return { ...found, value: found.value as readonly Json[] };
    return { state: 'invalid', why: `forEach: ${items} gives no list` };
  }
  const found = renderValue(items, lookupFor(source, expansion));
  if (found.state === 'missing') return { state: 'invalid', why: found.why };
  if (found.state === 'unknown') return found;
  if (containsSecret(found.value))
    return { state: 'invalid', why: 'an element of forEach cannot be a secret: its key would show it' };
  return { state: 'known', value: found.value as readonly Json[], values: {} };
}

function noKey(index: number, key: string | undefined, as: string): string {
  const which = `element ${index + 1} of forEach`;
  return key === undefined
    ? `${which} is no text or number, so it needs "key", such as key: ${as}.name`
    : `${which} has no key: ${key} gives no text`;
}
