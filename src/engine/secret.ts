import type { Json, JsonObject } from './json.ts';
import type { Value } from './value.ts';

/** What a derived secret is made of: literal text, and secrets by name. */
export type SecretPart = string | { readonly secret: string };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * A value that cannot be printed, serialised or interpolated: every way to turn it into text gives `«secret name»`.
 * `reveal` is the only way in.
 */
export class Secret {
  readonly name: string;
  /** Absent: a secret of its own. Present: text made of other secrets, which can be made again from them. */
  readonly parts: readonly SecretPart[] | undefined;
  readonly #bytes: Uint8Array;

  constructor(name: string, bytes: Uint8Array, parts?: readonly SecretPart[]) {
    this.name = name;
    this.parts = parts;
    this.#bytes = Uint8Array.from(bytes);
  }

  static fromText(name: string, text: string): Secret {
    return new Secret(name, encoder.encode(text));
  }

  /** Text that mixes in secrets: a secret named after them. */
  static concat(pieces: readonly (string | Secret)[]): Secret {
    const parts = pieces.flatMap((piece): readonly SecretPart[] =>
      typeof piece === 'string' ? [piece] : (piece.parts ?? [{ secret: piece.name }]),
    );
    const names = new Set(parts.flatMap((part) => (typeof part === 'string' ? [] : [part.secret])));
    const chunks = pieces.map((piece) => (typeof piece === 'string' ? encoder.encode(piece) : piece.#bytes));
    const bytes = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
    let offset = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    return new Secret([...names].join('+'), bytes, parts);
  }

  /** Hands a copy of the bytes to `use`. What `use` returns must not be the value. */
  reveal<T>(use: (bytes: Uint8Array) => T): T {
    return use(Uint8Array.from(this.#bytes));
  }

  /** As `reveal`, for values that are UTF-8 text. */
  revealText<T>(use: (text: string) => T): T {
    return use(decoder.decode(this.#bytes));
  }

  get byteLength(): number {
    return this.#bytes.length;
  }

  /** Same bytes; takes the same time wherever they differ. */
  equals(other: Secret): boolean {
    const length = Math.max(this.#bytes.length, other.#bytes.length);
    let difference = this.#bytes.length ^ other.#bytes.length;
    for (let index = 0; index < length; index++)
      difference |= (this.#bytes[index] ?? 0) ^ (other.#bytes[index] ?? 0);
    return difference === 0;
  }

  toString(): string {
    return `«secret ${this.name}»`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.toPrimitive](): string {
    return this.toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** What stands for a secret in a journal or plan: `{"$secret": "token"}`, or its parts when it is derived. */
export function secretPlaceholder(secret: Secret): JsonObject {
  return { $secret: secret.parts ?? secret.name };
}

export function isSecretPlaceholder(
  json: Json,
): json is { readonly $secret: string | readonly SecretPart[] } {
  if (!isObject(json) || Object.keys(json).length !== 1) return false;
  const content = json.$secret;
  return typeof content === 'string' || (Array.isArray(content) && content.every(isPart));
}

/**
 * Every secret inside replaced by its placeholder. An object of the user's with a key `$secret` is escaped
 * (`$secret` → `$$secret`, and so on), so that a placeholder can only come from a secret.
 */
export function sealSecrets(value: Value): Json {
  if (value instanceof Secret) return secretPlaceholder(value);
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map(sealSecrets);
  return mapObject(value, sealSecrets, (key) => (/^\$+secret$/.test(key) ? `$${key}` : key));
}

/** The reverse of `sealSecrets`; `resolve` gives the secret of a name or throws. */
export function unsealSecrets(json: Json, resolve: (name: string) => Secret): Value {
  if (Array.isArray(json)) return json.map((item) => unsealSecrets(item, resolve));
  if (!isObject(json)) return json;
  if (isSecretPlaceholder(json)) return resolvePlaceholder(json.$secret, resolve);
  return mapObject<Json, Value>(
    json,
    (item) => unsealSecrets(item, resolve),
    (key) => (/^\$\$+secret$/.test(key) ? key.slice(1) : key),
  );
}

/** True when a secret stands anywhere inside. */
export function containsSecret(value: Value): boolean {
  if (value instanceof Secret) return true;
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(containsSecret);
}

function resolvePlaceholder(
  content: string | readonly SecretPart[],
  resolve: (name: string) => Secret,
): Secret {
  if (typeof content === 'string') return resolve(content);
  return Secret.concat(content.map((part) => (typeof part === 'string' ? part : resolve(part.secret))));
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function isPart(json: Json): boolean {
  return typeof json === 'string' || (isObject(json) && typeof json.secret === 'string');
}

function isObject(json: Json): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function mapObject<From, To>(
  object: { readonly [key: string]: From },
  change: (item: From) => To,
  rename: (key: string) => string,
): { readonly [key: string]: To } {
  return Object.fromEntries(Object.entries(object).map(([key, item]) => [rename(key), change(item)]));
}
