import { stripVTControlCharacters } from 'node:util';

/** Something that must be seen nowhere, in every form in which a careless program shows it. */
export interface Canary {
  readonly name: string;
  readonly forms: readonly Buffer[];
}

/** A part of a secret is a leak, too: this many of its characters. */
const PART = 16;
const STRIDE = 4;
const SHORTEST = 8;

/** A secret text; pieces of every form count as well. */
export function secretText(name: string, text: string): Canary {
  const forms = [...textForms(text), ...byteForms(Buffer.from(text))];
  return { name, forms: unique([...forms, ...forms.flatMap(partsOf)]) };
}

/** Key bytes, and the base64url text that a JWK has of them. */
export function secretKey(name: string, bytes: Uint8Array): Canary {
  const forms = byteForms(Buffer.from(bytes));
  const text = secretText(name, Buffer.from(bytes).toString('base64url'));
  return { name, forms: unique([...text.forms, ...forms, ...forms.slice(1).flatMap(partsOf)]) };
}

/** One of thousands of keys: every form of it, and pieces of its text alone. */
export function secretKeyOfMany(name: string, bytes: Uint8Array): Canary {
  const text = Buffer.from(Buffer.from(bytes).toString('base64url'));
  return { name, forms: unique([...byteForms(Buffer.from(bytes)), ...byteForms(text), ...partsOf(text)]) };
}

function textForms(text: string): readonly Buffer[] {
  const json = JSON.stringify(text).slice(1, -1);
  const ascii = json.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const percent = encodeURIComponent(text);
  const html = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return [
    text,
    json,
    json.replaceAll('/', '\\/'),
    JSON.stringify(json).slice(1, -1),
    ascii,
    ascii.replace(/\\u[0-9a-f]{4}/g, (code) => `\\u${code.slice(2).toUpperCase()}`),
    percent,
    percent.replace(/%../g, (code) => code.toLowerCase()),
    percent.replaceAll('%20', '+'),
    [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
    html,
    html.replaceAll('"', '&quot;').replaceAll("'", '&#39;'),
    text.replaceAll("'", "'\\''"),
    text.replace(/["$`\\]/g, '\\$&'),
  ].map((form) => Buffer.from(form));
}

/** The bytes themselves come first. */
function byteForms(bytes: Buffer): readonly Buffer[] {
  const hex = bytes.toString('hex');
  const pairs = hex.match(/../g) ?? [];
  const base64 = [0, 1, 2].flatMap((shift) => base64At(bytes, shift));
  const twice = base64.flatMap((form) => [0, 1, 2].flatMap((shift) => base64At(Buffer.from(form), shift)));
  return [
    bytes,
    Buffer.from(bytes.toString('latin1'), 'utf16le'),
    ...[
      hex,
      hex.toUpperCase(),
      pairs.join(' '),
      pairs.join(':'),
      [...bytes].join(','),
      [...bytes].join(', '),
      ...base64,
      ...twice,
    ].map((form) => Buffer.from(form)),
  ];
}

/** The characters of base64 and base64url that the bytes alone decide when `shift` bytes stand before them. */
function base64At(bytes: Buffer, shift: number): readonly string[] {
  const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
  const own = encoded.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
  return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
}

function partsOf(form: Buffer): readonly Buffer[] {
  const count = Math.max(0, Math.floor((form.length - PART) / STRIDE) + 1);
  return Array.from({ length: count }, (_, at) => form.subarray(at * STRIDE, at * STRIDE + PART));
}

function unique(forms: readonly Buffer[]): readonly Buffer[] {
  const known = new Map(forms.map((form) => [form.toString('latin1'), form]));
  return [...known.values()].filter((form) => form.length >= SHORTEST);
}

export interface CanaryScanner {
  /** How many forms are looked for. */
  readonly size: number;
  /** More to look for; one of the same name is not added again. */
  add(canaries: readonly Canary[]): void;
  /** The names of the canaries in a text, each once; blanks and line breaks inside do not hide them, nor do a terminal's sequences. */
  find(haystack: string | Uint8Array): readonly string[];
}

/** Looks for all of them in one pass: a table of the first four bytes, then the whole form. */
export function canaryScanner(canaries: readonly Canary[]): CanaryScanner {
  const names = new Set<string>();
  const table = new Map<number, { readonly name: string; readonly form: Buffer }[]>();
  const known = new Uint8Array(1 << 22);
  let size = 0;
  const addForm = (name: string, form: Buffer): void => {
    const start = form.readUInt32BE(0);
    known[slot(start)] = 1;
    const same = table.get(start);
    if (same === undefined) table.set(start, [{ name, form }]);
    else same.push({ name, form });
    size += 1;
  };
  const add: CanaryScanner['add'] = (more) => {
    for (const { name, forms } of more) {
      if (names.has(name)) continue;
      names.add(name);
      for (const form of unique([...forms, ...forms.map(compact)])) addForm(name, form);
    }
  };
  const search = (bytes: Buffer, found: Set<string>): void => {
    let start = 0;
    for (let index = 0; index < bytes.length; index += 1) {
      start = ((start << 8) | (bytes[index] ?? 0)) >>> 0;
      if (index < 3 || known[slot(start)] === 0) continue;
      for (const { name, form } of table.get(start) ?? [])
        if (bytes.subarray(index - 3, index - 3 + form.length).equals(form)) found.add(name);
    }
  };
  add(canaries);
  return {
    get size() {
      return size;
    },
    add,
    find(haystack) {
      const bytes = Buffer.from(haystack as Uint8Array);
      const found = new Set<string>();
      search(bytes, found);
      search(compact(bytes), found);
      return [...found].sort();
    },
  };
}

function slot(start: number): number {
  return (Math.imul(start, 0x9e3779b1) >>> 10) & 0x3fffff;
}

/** Without what wraps, folds, indents and colours a text. */
function compact(bytes: Buffer): Buffer {
  return Buffer.from(
    stripVTControlCharacters(bytes.toString('latin1')).replace(/(?:\s|\\|\||\u00e2\u0094\u0082)+/g, ''),
    'latin1',
  );
}
