import type { Range, SourceFile } from '../source-file.ts';
import type { ScalarTree } from './tree.ts';

/** Where a part of a text value stands in the file: quotes, escapes, folding and block indentation lie between the two. */
export function partOf(file: SourceFile, scalar: ScalarTree, part: Range): Range {
  const { range, style } = scalar;
  const value = String(scalar.value ?? '');
  const quotes = style === 'single' || style === 'double' ? 1 : 0;
  const start = Math.min(part.start, value.length);
  const end = Math.min(Math.max(part.end, start), value.length);
  if (range.end - range.start === value.length + 2 * quotes && style !== 'block')
    return { start: range.start + quotes + start, end: range.start + quotes + end };
  const offsets = align(file.text.slice(range.start, range.end), value, style);
  const from = offsets[start] ?? 0;
  const to = end > start ? (offsets[end - 1] ?? from) + 1 : from;
  return { start: range.start + from, end: range.start + Math.max(to, from) };
}

/** For every character of the value the offset of its source; one more for the end. */
function align(source: string, value: string, style: ScalarTree['style']): readonly number[] {
  const offsets: number[] = [];
  let at = style === 'block' ? source.indexOf('\n') + 1 : style === 'plain' ? 0 : 1;
  while (offsets.length < value.length) {
    const character = value[offsets.length] ?? '';
    const sequence = escapeLength(source, at, style);
    if (sequence > 0) {
      const units = String.fromCodePoint(value.codePointAt(offsets.length) ?? 0).length;
      for (let unit = 0; unit < units; unit++) offsets.push(at);
      at += sequence;
      continue;
    }
    const blank = blanks(source, at, style);
    const written = source.slice(at, blank);
    if (!/\s/.test(character)) {
      // Indentation, and line breaks that were escaped away.
      if (source[at] !== character) at = blank;
      offsets.push(at);
      at += 1;
    } else if (/[\n\\]/.test(written) || written === '') {
      // A run of blanks over a line break reads as other blanks; both runs end before the same character.
      const run = /^\s+/.exec(value.slice(offsets.length))?.[0].length ?? 1;
      for (let index = 0; index < run; index++) offsets.push(Math.min(at + index, Math.max(at, blank - 1)));
      at = blank;
    } else {
      offsets.push(at);
      at += 1;
    }
  }
  return [...offsets, at].map((offset) => Math.min(offset, source.length));
}

/** Offset after the blanks, line breaks and escaped line breaks at an offset. */
function blanks(source: string, from: number, style: ScalarTree['style']): number {
  const pattern = style === 'double' ? /(?:\s|\\\r?\n)*/y : /\s*/y;
  pattern.lastIndex = from;
  return from + (pattern.exec(source)?.[0].length ?? 0);
}

/** Length of an escape sequence at an offset; 0 when there is none. */
function escapeLength(source: string, at: number, style: ScalarTree['style']): number {
  if (style === 'single') return source.startsWith("''", at) ? 2 : 0;
  if (style !== 'double' || source[at] !== '\\' || /[\r\n]/.test(source[at + 1] ?? '')) return 0;
  return { x: 4, u: 6, U: 10 }[source[at + 1] ?? ''] ?? 2;
}
