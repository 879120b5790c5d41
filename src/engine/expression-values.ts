import { ExpressionError } from './expression-syntax.ts';
import type { Needs } from './expression-types.ts';
import type { Json } from './json.ts';
import { Secret } from './secret.ts';
import type { Value } from './value.ts';

/** What a secret looks like to an expression: something that is there. */
export class HiddenValue {
  readonly kind = 'secret';
}

/**
 * Safe whole numbers become CEL ints, objects become Maps: a key such as `constructor` is a key like any other. Of an
 * object only what `needs` names is taken; an empty `needs` takes all.
 */
export function toCel(value: Value, needs: Needs): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Secret) return new HiddenValue();
  if (Array.isArray(value)) return value.map((item: Value) => toCel(item, nothing));
  const copy = new Map<string, unknown>();
  for (const [key, item] of Object.entries(value))
    if (item !== undefined && (needs.size === 0 || needs.has(key)))
      copy.set(key, toCel(item, needs.get(key) ?? nothing));
  return copy;
}

const nothing: Needs = new Map();

/** Back to JSON: ints become numbers, durations '90s', timestamps ISO 8601. */
export function fromCel(value: unknown): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'bigint') {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new ExpressionError(`the whole number ${value} is too large`);
    return number;
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new ExpressionError('the result is not a finite number');
    return value;
  }
  if (Array.isArray(value)) return value.map(fromCel);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [String(key), fromCel(item)]));
  if (typeof value === 'object' && isPlain(value))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromCel(item)]));
  if (typeof value === 'object' && /Duration/.test(Object.prototype.toString.call(value)))
    return String(value);
  throw new ExpressionError('the result is not a value that can be recorded');
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** The longest list or map anywhere inside; texts count when `texts` is set, since they can be split. */
export function largestCollection(values: readonly Value[], texts: boolean): number {
  let largest = 0;
  const pending: Value[] = [...values];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (typeof value === 'string' && texts) largest = Math.max(largest, value.length);
    if (typeof value !== 'object' || value === null || value instanceof Secret) continue;
    const children = Object.values(value);
    largest = Math.max(largest, children.length);
    for (const child of children) pending.push(child);
  }
  return largest;
}
