import type { Json, JsonObject } from './json.ts';

/**
 * One text for one value, in the spirit of RFC 8785: keys sorted by UTF-16 code units, no white space, numbers and strings as
 * ECMAScript writes them. Members that are undefined are left out. Throws a `TypeError` for what JSON cannot hold.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${value} is no JSON number`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && isPlain(value)) return canonicalObject(value);
  throw new TypeError(`a ${typeof value} is no JSON value`);
}

/** The value as canonical JSON would be read back: no undefined members, keys sorted. */
export function plainJson(value: unknown): Json {
  return JSON.parse(canonicalJson(value)) as Json;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function canonicalObject(object: object): string {
  const members: Readonly<Record<string, unknown>> = { ...object };
  const texts: string[] = [];
  for (const key of Object.keys(members).sort()) {
    const value = members[key];
    if (value !== undefined) texts.push(`${JSON.stringify(key)}:${canonicalJson(value)}`);
  }
  return `{${texts.join(',')}}`;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
