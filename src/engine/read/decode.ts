import type { Diagnostic } from '../diagnostic.ts';
import { SourceFile } from '../source-file.ts';
import { diagnose } from './tree.ts';

/** Largest document, in bytes. */
export const maxBytes = 1024 * 1024;

/** Characters that are reported before the rest is left unsaid. */
const maxReported = 20;

export type Decoded =
  | { readonly ok: true; readonly file: SourceFile }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Bytes as text: UTF-8 without a byte order mark, without characters that hide something from a reader. */
export function decode(path: string, bytes: Uint8Array): Decoded {
  if (bytes.length > maxBytes) return failed(tooLarge(path));
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (utf16) return failed(notUtf8(path, bytes, 0, 'the file is UTF-16'));
  const invalid = firstInvalidByte(bytes);
  if (invalid !== undefined) {
    const byte = (bytes[invalid] ?? 0).toString(16).padStart(2, '0');
    return failed(notUtf8(path, bytes, invalid, `the byte 0x${byte} is not UTF-8`));
  }
  const file = new SourceFile(path, new TextDecoder('utf-8').decode(bytes));
  const diagnostics = hiddenCharacters(file);
  return diagnostics.length === 0 ? { ok: true, file } : { ok: false, diagnostics };
}

function failed(diagnostic: Diagnostic): Decoded {
  return { ok: false, diagnostics: [diagnostic] };
}

function tooLarge(path: string): Diagnostic {
  return diagnose(
    new SourceFile(path, ''),
    { start: 0, end: 0 },
    {
      code: 'file-too-large',
      message: `the file has more than ${maxBytes} bytes (1 MiB)`,
      hint: 'split the procedure and include the parts with uses: ./part.yaml',
    },
  );
}

function notUtf8(path: string, bytes: Uint8Array, offset: number, message: string): Diagnostic {
  // The replacement character stands where the bytes are wrong, so that a frame can be drawn.
  const file = new SourceFile(path, new TextDecoder('utf-8').decode(bytes));
  const start = new TextDecoder('utf-8').decode(bytes.subarray(0, offset)).length;
  const hint = 'save the file as UTF-8';
  return diagnose(file, { start, end: start + 1 }, { code: 'not-utf8', message, hint });
}

/** Offset of the first byte that is not part of well-formed UTF-8 (Unicode 15, table 3-7). */
function firstInvalidByte(bytes: Uint8Array): number | undefined {
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) return at;
    at += length;
  }
  return undefined;
}

function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  for (let index = 1; index < length; index++) {
    const byte = bytes[at + index] ?? 0;
    if (byte < 0x80 || byte > 0xbf) return 0;
  }
  const second = bytes[at + 1] ?? 0;
  const overlong = (lead === 0xe0 && second < 0xa0) || (lead === 0xf0 && second < 0x90);
  const outside = (lead === 0xed && second > 0x9f) || (lead === 0xf4 && second > 0x8f);
  return overlong || outside ? 0 : length;
}

const hidden =
  /\t+|\r+(?!\n)|(?:(?![\t\r\n])\p{Cc})+|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+|[\p{Cf}\p{Zl}\p{Zp}]+/gu;

function hiddenCharacters(file: SourceFile): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  let count = 0;
  for (const match of file.text.matchAll(hidden)) {
    count += 1;
    if (count > maxReported) continue;
    const start = match.index;
    const problem = describe(match[0], file.text.slice(0, start));
    found.push(diagnose(file, { start, end: start + match[0].length }, problem));
  }
  const last = found.at(-1);
  if (last !== undefined && count > maxReported)
    found[found.length - 1] = { ...last, message: `${last.message}; ${count - maxReported} more follow` };
  return found;
}

function describe(text: string, before: string): { code: string; message: string; hint: string } {
  const code = text.codePointAt(0) ?? 0;
  const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  const written =
    code < 0x100 ? `\\x${hex(code, 2)}` : code < 0x1_0000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
  if (text.startsWith('\t')) {
    const indentation = /(?:^|\n) *$/.test(before.slice(-1000));
    return indentation
      ? { code: 'tab', message: 'a tab in the indentation', hint: 'indent with spaces' }
      : { code: 'tab', message: 'a tab', hint: 'use spaces, or \\t inside double quotes' };
  }
  if (text.startsWith('\r'))
    return {
      code: 'control-character',
      message: 'a carriage return without a line feed',
      hint: 'end lines with LF or CRLF',
    };
  if (/\p{Cc}/u.test(text))
    return {
      code: 'control-character',
      message: `the control character ${name}`,
      hint: `remove it, or write ${written} inside double quotes`,
    };
  if (/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(text))
    return {
      code: 'bidi-character',
      message: `the invisible character ${name}, which changes the order in which text is shown`,
      hint: `remove it, or write ${written} inside double quotes`,
    };
  return {
    code: 'invisible-character',
    message: `the invisible character ${name}`,
    hint: `remove it, or write ${written} inside double quotes`,
  };
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
