import type { Json, JsonObject } from './json.ts';

/**
 * One text for one value, in the spirit of RFC 8785: keys sorted by UTF-16 code units, no white space, numbers and strings as
 * ECMAScript writes them. Members that are undefined are left out. Throws a `TypeError` for what JSON cannot hold.
 */
export function canonicalJson(value: unknown): string {
  const chunks: string[] = [];
  write(value, chunks);
  return chunks.join('');
}

/** The value as canonical JSON would be read back: no undefined members, keys sorted. */
export function plainJson(value: unknown): Json {
  return JSON.parse(canonicalJson(value)) as Json;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function write(value: unknown, into: string[]): void {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') {
    into.push(JSON.stringify(value));
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${value} is no JSON number`);
    into.push(JSON.stringify(value));
  } else if (Array.isArray(value)) writeList(value, into);
  else if (typeof value === 'object' && isPlain(value)) writeObject(value, into);
  else throw new TypeError(`a ${typeof value} is no JSON value`);
}

function writeList(list: readonly unknown[], into: string[]): void {
  into.push('[');
  for (const [index, item] of list.entries()) {
    if (index > 0) into.push(',');
    write(item, into);
  }
  into.push(']');
}

function writeObject(object: object, into: string[]): void {
  const members = Object.entries(object)
    .filter(([, value]) => value !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  into.push('{');
  for (const [index, [key, value]] of members.entries()) {
    if (index > 0) into.push(',');
    into.push(JSON.stringify(key), ':');
    write(value, into);
  }
  into.push('}');
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
