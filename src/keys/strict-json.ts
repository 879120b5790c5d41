import { isUtf8 } from 'node:buffer';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonMembers;

export interface JsonMembers {
  readonly [name: string]: JsonValue;
}

export type StrictJson =
  | { readonly ok: true; readonly value: JsonValue }
  /** Says where and why; never quotes the text, which may hold keys. */
  | { readonly ok: false; readonly problem: string };

const deepest = 32;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 §7 forbids exactly these in a string.
const string = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const space = /[ \t\n\r]*/y;
const word = /true|false|null/y;

class Mistake extends Error {}

/**
 * RFC 8259, less what would be lost silently: a member name twice, a number that does not print as it was written, bytes that are
 * not UTF-8, nesting deeper than 32. What it reads is what `JSON.stringify` writes again.
 */
export function parseStrictJson(bytes: Uint8Array): StrictJson {
  if (!isUtf8(bytes)) return { ok: false, problem: 'not UTF-8' };
  try {
    return {
      ok: true,
      value: new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)).document(),
    };
  } catch (error) {
    if (error instanceof Mistake) return { ok: false, problem: error.message };
    throw error;
  }
}

export function isMembers(value: JsonValue | undefined): value is JsonMembers {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#text = bytes.toString('utf8');
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#match(space);
    if (this.#at < this.#text.length) this.#fail('text after the end');
    return value;
  }

  #fail(what: string): never {
    throw new Mistake(`${what}, at character ${this.#at + 1}`);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #take(character: string): boolean {
    this.#match(space);
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #value(depth: number): JsonValue {
    if (depth > deepest) this.#fail('nested too deep');
    if (this.#take('{')) return this.#members(depth);
    if (this.#take('[')) return this.#items(depth);
    if (this.#text[this.#at] === '"') return this.#string();
    const literal = this.#match(word);
    if (literal !== undefined) return literal === 'null' ? null : literal === 'true';
    return this.#number();
  }

  #members(depth: number): JsonMembers {
    const members = new Map<string, JsonValue>();
    if (this.#take('}')) return {};
    do {
      this.#match(space);
      const name = this.#string();
      if (members.has(name)) this.#fail('the same member name twice');
      if (!this.#take(':')) this.#fail('no colon after a member name');
      members.set(name, this.#value(depth + 1));
    } while (this.#take(','));
    if (!this.#take('}')) this.#fail('an object that does not end');
    return Object.fromEntries(members);
  }

  #items(depth: number): readonly JsonValue[] {
    const items: JsonValue[] = [];
    if (this.#take(']')) return items;
    do items.push(this.#value(depth + 1));
    while (this.#take(','));
    if (!this.#take(']')) this.#fail('a list that does not end');
    return items;
  }

  #string(): string {
    const token = this.#match(string);
    if (token === undefined) this.#fail('no JSON string where one is needed');
    return JSON.parse(token) as string;
  }

  #number(): number {
    const token = this.#match(number);
    if (token === undefined) this.#fail('no JSON value');
    if (String(Number(token)) !== token) this.#fail('a number that would change when it is written again');
    return Number(token);
  }
}
