import { minPatternLength, secretPatterns } from './redactor-encodings.ts';
import { buildScanner, type Found, type Pattern, type Scanner, scan } from './redactor-scan.ts';
import type { Secret } from './secret.ts';

export interface RedactedStream {
  /** What can be shown of the text so far: all of it but for an end that may still become a secret. */
  push(chunk: string): string;
  /** The rest. */
  end(): string;
}

/**
 * The second wall in front of every sink (the first is the type `Secret`): replaces registered secrets, in the encodings
 * that programs and APIs put them in, by `«secret name»`. It cannot see through compression, encryption or hashing.
 */
export interface Redactor {
  /** Throws `ShortSecretError` for a value that is too short to be told from innocent text. */
  add(secret: Secret): void;
  text(text: string): string;
  /** For text that comes in pieces: no split hides a secret. */
  stream(): RedactedStream;
}

/**
 * Passwords of an installation that nobody changed, which are also the names of things. Masking the word wherever a pod or a
 * namespace bears it would tell everybody that it is the password, and leave no output that can be used. In other encodings it is hidden.
 */
const namesToo: readonly string[] = ['cassandra'];

export class ShortSecretError extends Error {
  constructor(name: string) {
    super(
      `the secret "${name}" is shorter than ${minPatternLength} bytes: it could not be hidden in output without hiding other text too`,
    );
    this.name = 'ShortSecretError';
  }
}

export function createRedactor(): Redactor {
  const patterns = { exact: [] as Pattern[], percent: [] as Pattern[], spread: [] as Pattern[] };
  const secrets: Secret[] = [];
  let scanner: Scanner | undefined;

  const current = (): Scanner => {
    scanner ??= buildScanner(patterns);
    return scanner;
  };
  return {
    add(secret) {
      if (secret.byteLength < minPatternLength) throw new ShortSecretError(secret.name);
      if (secrets.some((known) => known.equals(secret))) return;
      secrets.push(secret);
      const label = secret.toString();
      const own = secret.reveal(secretPatterns);
      for (const lens of ['exact', 'percent', 'spread'] as const)
        patterns[lens].push(...own[lens].filter(isNoName).map((bytes) => ({ bytes, label })));
      scanner = undefined;
    },
    text(text) {
      if (secrets.length === 0) return text;
      const bytes = Buffer.from(text);
      const { found } = scan(bytes, current());
      return found.length === 0 ? text : masked(bytes, found, { end: bytes.length, covered: 0 }).text;
    },
    stream() {
      return createStream(() => (secrets.length === 0 ? undefined : current()));
    },
  };
}

function isNoName(bytes: Uint8Array): boolean {
  return !namesToo.includes(Buffer.from(bytes).toString());
}

function createStream(scanner: () => Scanner | undefined): RedactedStream {
  let pending: Buffer = Buffer.alloc(0);
  /** Bytes at the start of `pending` that a mask already shown stands for. */
  let covered = 0;
  /** Half of a character that the last chunk ended in. */
  let half = '';

  const release = (bytes: Buffer, found: readonly Found[], end: number): string => {
    const shown = masked(bytes, found, { end, covered });
    pending = Buffer.from(bytes.subarray(end));
    covered = shown.covered;
    return shown.text;
  };
  return {
    push(chunk) {
      const text = half + chunk;
      half = /[\ud800-\udbff]$/.exec(text)?.[0] ?? '';
      const whole = half === '' ? text : text.slice(0, -1);
      const current = scanner();
      if (current === undefined) return whole;
      const bytes = Buffer.concat([pending, Buffer.from(whole)]);
      const { found, open } = scan(bytes, current);
      return release(bytes, found, characterStart(bytes, open));
    },
    end() {
      const bytes = Buffer.concat([pending, Buffer.from(half)]);
      half = '';
      const current = scanner();
      return release(bytes, current === undefined ? [] : scan(bytes, current).found, bytes.length);
    },
  };
}

/** The text up to `end` with its secrets masked, and how much of the rest the last mask stands for. */
function masked(
  bytes: Buffer,
  found: readonly Found[],
  from: { readonly end: number; readonly covered: number },
): { readonly text: string; readonly covered: number } {
  let text = '';
  let position = Math.min(from.covered, from.end);
  let hidden = from.covered;
  for (const secret of found) {
    const start = characterStart(bytes, secret.start);
    if (start >= from.end) break;
    if (start >= hidden) text += bytes.toString('utf8', position, start) + secret.label;
    hidden = Math.max(hidden, characterEnd(bytes, secret.end));
    position = Math.min(hidden, from.end);
  }
  if (position < from.end) text += bytes.toString('utf8', position, from.end);
  return { text, covered: Math.max(0, hidden - from.end) };
}

function characterStart(bytes: Buffer, offset: number): number {
  let start = offset;
  while (start > 0 && start < bytes.length && isContinuation(bytes[start])) start -= 1;
  return start;
}

function characterEnd(bytes: Buffer, offset: number): number {
  let end = offset;
  while (end < bytes.length && isContinuation(bytes[end])) end += 1;
  return end;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
