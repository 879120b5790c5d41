import type { Json, JsonObject } from './json.ts';

/** A rendered value: JSON, in which secrets may stand. Only steps see the secrets inside. */
export type Value =
  | null
  | boolean
  | number
  | string
  | Secret
  | readonly Value[]
  | { readonly [key: string]: Value };

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
  #bytes: Uint8Array | undefined;
  readonly #fetch: (() => Promise<Uint8Array>) | undefined;
  #loading: Promise<void> | undefined;

  constructor(name: string, value: Uint8Array | (() => Promise<Uint8Array>), parts?: readonly SecretPart[]) {
    this.name = name;
    this.parts = parts;
    this.#bytes = typeof value === 'function' ? undefined : Uint8Array.from(value);
    this.#fetch = typeof value === 'function' ? value : undefined;
  }

  /** A secret that is fetched when a step first needs it, and never before: most runs need none. */
  static deferred(name: string, fetch: () => Promise<Secret>): Secret {
    return new Secret(name, async () => (await fetch()).reveal((bytes) => bytes));
  }

  /**
   * Fetches a deferred secret; rejects with what its source says, and tries again when asked again. Steps that need it
   * at the same time wait for one fetch: nobody is asked twice.
   */
  async load(): Promise<void> {
    const fetch = this.#fetch;
    if (this.#bytes !== undefined || fetch === undefined) return;
    this.#loading ??= fetch()
      .then((bytes) => {
        this.#bytes = Uint8Array.from(bytes);
      })
      .finally(() => {
        this.#loading = undefined;
      });
    await this.#loading;
  }

  #loaded(): Uint8Array {
    if (this.#bytes === undefined) throw new Error(`the secret ${this.name} was not loaded before its use`);
    return this.#bytes;
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
    const join = () => {
      const chunks = pieces.map((piece) =>
        typeof piece === 'string' ? encoder.encode(piece) : piece.#loaded(),
      );
      const bytes = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
      let offset = 0;
      for (const chunk of chunks) {
        bytes.set(chunk, offset);
        offset += chunk.length;
      }
      return bytes;
    };
    const waiting = pieces.filter(
      (piece) => typeof piece !== 'string' && piece.#bytes === undefined,
    ) as readonly Secret[];
    if (waiting.length === 0) return new Secret([...names].join('+'), join(), parts);
    return new Secret(
      [...names].join('+'),
      async () => {
        for (const piece of waiting) await piece.load();
        return join();
      },
      parts,
    );
  }

  /** Hands a copy of the bytes to `use`. What `use` returns must not be the value. */
  reveal<T>(use: (bytes: Uint8Array) => T): T {
    return use(Uint8Array.from(this.#loaded()));
  }

  /** As `reveal`, for values that are UTF-8 text. */
  revealText<T>(use: (text: string) => T): T {
    return use(decoder.decode(this.#loaded()));
  }

  get byteLength(): number {
    return this.#loaded().length;
  }

  /** Same bytes; takes the same time wherever they differ. */
  equals(other: Secret): boolean {
    const [mine, theirs] = [this.#loaded(), other.#loaded()];
    let difference = mine.length ^ theirs.length;
    for (let index = 0; index < Math.max(mine.length, theirs.length); index++)
      difference |= (mine[index] ?? 0) ^ (theirs[index] ?? 0);
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

/** Fetches every deferred secret inside; called right before a step gets its input. */
export async function loadSecrets(value: unknown): Promise<void> {
  if (value instanceof Secret) await value.load();
  else if (typeof value === 'object' && value !== null)
    for (const item of Object.values(value)) await loadSecrets(item);
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
