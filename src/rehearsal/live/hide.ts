import type { Json, JsonObject } from '../../engine/json.ts';

/** What this program holds to be a secret. */
export interface SecretRule {
  /** A text that somebody may have written anything into, under this name. */
  free(name: string, text: string): boolean;
  /** A text of the API's own form, as a name or a path: only what it is tells. */
  content(text: string): boolean;
}

export interface Hider {
  /** The same with other texts in place of those that look secret. Equal ones stay equal, through all calls. */
  hide(value: Json): Json;
  /** How many were put in place of others. */
  madeUp(): number;
}

/** Lists of words that start a program: what one of them is, the one before may say. */
const WORDS = new Set(['command', 'args']);
/** Maps from names to texts of anybody's own. */
const TEXTS = new Set(['annotations', 'data', 'volumeAttributes', 'options']);
/** Annotations that other programs are led by, and that hold nothing else than these names say. */
const KEPT =
  /^(?:meta\.helm\.sh\/release-(?:name|namespace)|deployment\.kubernetes\.io\/[\w-]+|runbook\.io\/[\w-]+)$/;
const HEADER = /authorization|cookie/i;

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Nothing of a secret is in what stands in its place: it is numbered by when it was met. */
export function createHider(rule: SecretRule): Hider {
  const numbers = new Map<string, number>();
  let count = 0;
  const other = (text: string): string => {
    const number = numbers.get(text) ?? numbers.size + 1;
    numbers.set(text, number);
    count += 1;
    return `made-up-${number}`;
  };
  const free = (name: string, text: string): string =>
    text !== '' && (HEADER.test(name) || rule.free(name, text)) ? other(text) : text;
  const words = (list: readonly Json[]): Json => {
    const secret = list.some((word) => typeof word === 'string' && rule.free('', word));
    return secret ? list.map((word) => (typeof word === 'string' ? other(word) : word)) : list;
  };
  const texts = (map: JsonObject): Json =>
    Object.fromEntries(
      Object.entries(map).map(([name, text]) => [
        name,
        typeof text !== 'string' ? hide(text) : KEPT.test(name) ? text : free(name, text),
      ]),
    );
  const member = (parent: JsonObject, name: string, value: Json): Json => {
    if (typeof value === 'string') {
      if (name === 'value' && typeof parent.name === 'string') return free(parent.name, value);
      return rule.content(value) ? other(value) : value;
    }
    if (WORDS.has(name) && Array.isArray(value)) return words(value);
    if (name === 'binaryData' && isObject(value))
      return Object.fromEntries(
        Object.entries(value).map(([key, text]) => [
          key,
          Buffer.from(other(String(text))).toString('base64'),
        ]),
      );
    return TEXTS.has(name) && isObject(value) ? texts(value) : hide(value);
  };
  const hide = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(hide);
    if (typeof value === 'string') return rule.content(value) ? other(value) : value;
    if (!isObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, member(value, name, item)]));
  };
  return { hide, madeUp: () => count };
}
