import { isBlank } from './redactor-scan.ts';

/** Shorter patterns would hit innocent text. */
export const minPatternLength = 8;

/** Keys of a JSON Web Key, key set or token header whose values are no secret: operators need them. */
const publicKeys: ReadonlySet<string> = new Set([
  ...['alg', 'crv', 'current_kid', 'enc', 'key_ops', 'kid', 'kty', 'typ', 'use'],
]);

/** What to look for, as byte strings. */
export interface SecretPatterns {
  /** Found exactly as they are. */
  readonly exact: readonly Uint8Array[];
  /** Found in the `percent` lens: any character may be percent-encoded, a blank may be `+`. */
  readonly percent: readonly Uint8Array[];
  /** Found however blanks, line breaks and backslashes are spread over them: wrapped base64, folded YAML. */
  readonly spread: readonly Uint8Array[];
}

/** Every form in which a secret may show: the list of encodings a program, a shell or an API wraps text in. */
export function secretPatterns(bytes: Uint8Array): SecretPatterns {
  const exact = new PatternSet();
  const percent = new PatternSet();
  const spread = new PatternSet();
  for (const unit of unitsOf(bytes)) {
    exact.add(unit);
    for (const text of textForms(unit)) exact.add(Buffer.from(text));
    for (const text of byteForms(unit)) exact.add(Buffer.from(text));
    percent.add(unit.map((byte) => (byte === 0x2b ? 0x20 : byte)));
    spread.add(withoutBlanks(unit));
    for (const text of base64Forms(unit)) spread.add(Buffer.from(text));
    for (const line of wrappedLines(unit)) exact.add(Buffer.from(line));
  }
  return { exact: exact.patterns(), percent: percent.patterns(), spread: spread.patterns() };
}

/** Patterns of a useful length, each once. */
class PatternSet {
  readonly #patterns = new Map<string, Uint8Array>();

  add(pattern: Uint8Array): void {
    if (pattern.length >= minPatternLength)
      this.#patterns.set(Buffer.from(pattern).toString('latin1'), Uint8Array.from(pattern));
  }

  patterns(): readonly Uint8Array[] {
    return [...this.#patterns.values()];
  }
}

/** The value, and the parts of it that are secrets of their own: lines, and the texts of a JSON document. */
function unitsOf(bytes: Uint8Array): readonly Uint8Array[] {
  const text = decode(bytes);
  if (text === undefined) return [bytes];
  const document = parseJson(text);
  const parts =
    document === undefined
      ? text.split(/\r?\n/).filter((line) => !line.startsWith('-----'))
      : leaves(document);
  const units = new Set([text, text.trim(), ...parts, ...parts.map((part) => part.trim())]);
  return [...units].map((unit) => Buffer.from(unit)).filter((unit) => unit.length >= minPatternLength);
}

function leaves(json: unknown): readonly string[] {
  if (typeof json === 'string') return [json];
  if (typeof json !== 'object' || json === null) return [];
  return Object.entries(json).flatMap(([key, value]) =>
    publicKeys.has(key) && !Array.isArray(json) ? [] : leaves(value),
  );
}

function textForms(unit: Uint8Array): readonly string[] {
  const text = decode(unit);
  if (text === undefined) return [];
  const once = jsonEscaped(text);
  const ascii = once.replace(/[^\x20-\x7e]/g, unicodeEscape);
  const quoted = [once, ascii, ascii.replace(/\\u[0-9a-f]{4}/g, upperDigits)];
  return [
    ...quoted,
    ...quoted.map((form) => form.replaceAll('/', '\\/')),
    ...quoted.map(jsonEscaped),
    ...htmlForms(text),
    ...shellForms(text),
    goQuoted(text),
  ];
}

/** Hexadecimal, and UTF-16LE where it survives as text. */
function byteForms(unit: Uint8Array): readonly string[] {
  const buffer = Buffer.from(unit);
  const hex = buffer.toString('hex');
  if (unit.some((byte) => byte > 0x7f)) return [hex, hex.toUpperCase()];
  const wide = Buffer.from(buffer.toString('latin1'), 'utf16le').toString('latin1');
  return [hex, hex.toUpperCase(), wide];
}

/** Base64 and base64url wherever the value begins in the encoded text, and base64 of base64. */
function base64Forms(unit: Uint8Array): readonly string[] {
  const plain = Buffer.from(Buffer.from(unit).toString('base64'));
  const url = Buffer.from(Buffer.from(unit).toString('base64url'));
  const forms = [unit, plain, url].flatMap((bytes) => [0, 1, 2].map((offset) => base64At(bytes, offset)));
  return forms.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}

/** The characters of a base64 text that the value alone decides when `offset` (0-2) bytes stand before it. */
function base64At(bytes: Uint8Array, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
}

/** Lines of wrapped base64 alone: sinks that see one line at a time never see the whole. */
function wrappedLines(unit: Uint8Array): readonly string[] {
  const encoded = Buffer.from(unit).toString('base64').replace(/=+$/, '');
  return [64, 76].flatMap((width) => encoded.match(new RegExp(`.{1,${width}}`, 'g')) ?? []);
}

function htmlForms(text: string): readonly string[] {
  const basic = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return [
    basic,
    basic.replaceAll('"', '&quot;'),
    basic.replaceAll('"', '&quot;').replaceAll("'", '&#39;'),
    basic.replaceAll('"', '&quot;').replaceAll("'", '&#x27;'),
    basic.replaceAll('"', '&quot;').replaceAll("'", '&apos;'),
    basic.replaceAll('"', '&#34;').replaceAll("'", '&#39;'),
  ];
}

function shellForms(text: string): readonly string[] {
  return [text.replaceAll("'", "'\\''"), text.replaceAll("'", `'"'"'`), text.replace(/["$`\\]/g, '\\$&')];
}

/** Go's %q: as JSON, but control characters as \a, \v, \x00. */
function goQuoted(text: string): string {
  return jsonEscaped(text).replace(/\\u00([01][0-9a-f])/g, (_, code: string) =>
    code === '07' ? '\\a' : code === '0b' ? '\\v' : `\\x${code}`,
  );
}

function jsonEscaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function upperDigits(sequence: string): string {
  return `\\u${sequence.slice(2).toUpperCase()}`;
}

function withoutBlanks(bytes: Uint8Array): Uint8Array {
  return bytes.filter((byte) => !isBlank(byte));
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null ? json : undefined;
  } catch {
    return undefined;
  }
}
