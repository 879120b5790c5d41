import type { YAMLError } from 'yaml';
import type { Diagnostic } from '../diagnostic.ts';
import type { Range, SourceFile } from '../source-file.ts';
import { lineEnd } from './parse-scan.ts';
import { diagnose, shorten } from './tree.ts';

type Words = readonly [message: string, hint: string, range?: Range];

const indentation = 'indent keys and items that belong together with the same number of spaces';

/** The parser's error in our words, at the characters a reader should look at. */
export function syntaxDiagnostic(file: SourceFile, error: YAMLError): Diagnostic {
  const [message, hint, range] = words(file.text, error);
  return diagnose(file, range ?? visible(file.text, error.pos), { code: 'yaml-syntax', message, hint });
}

function words(text: string, error: YAMLError): Words {
  const [start, end] = error.pos;
  const sign = text.slice(start, start + 1);
  switch (error.code) {
    case 'BAD_DQ_ESCAPE':
      return [
        `"${text.slice(start, start + 2)}" is no escape inside double quotes`,
        'write \\\\ for a backslash, or use single quotes, in which it stands for itself',
        { start, end: start + 2 },
      ];
    case 'BAD_SCALAR_START':
      return [`a value cannot start with "${sign}"`, 'put the whole value in quotes'];
    case 'BLOCK_AS_IMPLICIT_KEY':
      return nestedKey(text, start);
    case 'MULTILINE_IMPLICIT_KEY':
      return brokenKey(text, start, end);
    case 'BAD_INDENT':
      return ['the indentation of this line fits nothing above it', indentation, wholeLine(text, start)];
    case 'BLOCK_IN_FLOW':
      return [
        'inside brackets, maps and lists are written with brackets too',
        'write {key: value} or [a, b]',
      ];
    case 'NON_STRING_KEY':
      return ['a key has to be text', 'write key: value', toLineEnd(text, start)];
    case 'KEY_OVER_1024_CHARS':
      return ['a key has at most 1024 characters', 'is a line break missing?', toLineEnd(text, start)];
    case 'MISSING_CHAR':
      return missing(text, start);
    default:
      return unexpected(text, start, end);
  }
}

/** 'a: b: c', or a key indented below a value. */
function nestedKey(text: string, start: number): Words {
  const line = text.slice(start, lineEnd(text, start));
  if (/^ *- /.test(line))
    return ['this item is indented differently from the items above', indentation, trimmed(text, start)];
  if (/: |:$/.test(line))
    return [
      'this value contains ": ", which would start another key',
      'put the whole value in quotes',
      toLineEnd(text, start),
    ];
  return belowValue(text, start);
}

function belowValue(text: string, start: number): Words {
  const next = lineEnd(text, start) + (text[lineEnd(text, start)] === '\r' ? 2 : 1);
  return [
    'this key is indented below a value',
    'indent it like the key above, or remove the value above if this belongs under it',
    next < text.length ? trimmed(text, next) : toLineEnd(text, start),
  ];
}

function brokenKey(text: string, start: number, end: number): Words {
  const glued = /^[\w.-]+:\S/.exec(text.slice(start, lineEnd(text, start)));
  if (glued !== null) return ['a space is missing after ":"', 'write key: value', toLineEnd(text, start)];
  if (text.slice(start, start + 1) === '-')
    return ['this item is indented differently from the items above', indentation, trimmed(text, start)];
  return ['a line without ":"', 'write key: value', toLineEnd(text, Math.min(start, end))];
}

function missing(text: string, start: number): Words {
  const begin = text.lastIndexOf('\n', start - 1) + 1;
  const line = trimmed(text, begin);
  const content = text.slice(line.start, line.end);
  if (/^[\w.-]+:\S/.test(content)) return ['a space is missing after ":"', 'write key: value', line];
  if (/:( |$)/.test(content))
    return ['the indentation of this line fits nothing above it', indentation, line];
  return ['":" is missing here', 'write key: value, or - item in a list', line];
}

function unexpected(text: string, start: number, end: number): Words {
  const found = text.slice(start, Math.min(end, lineEnd(text, start)));
  const before = text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
  const quoted = /(['"])[^'"]*\1 *$/.exec(before);
  if (quoted !== null)
    return [
      'text goes on after the closing quote',
      quoted[1] === '"'
        ? 'put the whole value in single quotes, or write \\" for each quote inside'
        : "write '' for a quote inside, or put the whole value in double quotes",
      toLineEnd(text, start),
    ];
  if (/^\s*$/.test(before) && /^[\w-]/.test(found))
    return ['the indentation of this line fits nothing above it', indentation, toLineEnd(text, start)];
  if (found === '-') return ['a list starts on a line of its own', 'put "- " on the next line, indented'];
  return [
    found === '' ? 'something is missing here' : `"${shorten(found)}" does not belong here`,
    'put text with special characters in quotes',
  ];
}

function toLineEnd(text: string, start: number): Range {
  return { start, end: Math.max(start + 1, lineEnd(text, start)) };
}

/** The line at an offset without the blanks around it. */
function trimmed(text: string, from: number): Range {
  const end = lineEnd(text, from);
  const line = text.slice(from, end);
  return {
    start: from + line.length - line.trimStart().length,
    end: Math.max(from + 1, from + line.trimEnd().length),
  };
}

function wholeLine(text: string, start: number): Range {
  return trimmed(
    text,
    text.lastIndexOf('\n', Math.max(0, start - 1)) + 1 > start ? start : lineBegin(text, start),
  );
}

function lineBegin(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1;
}

/** At least one character, and not a line break: an error at the end of the text points at its last character. */
function visible(text: string, [start, end]: readonly [number, number]): Range {
  let from = Math.min(start, Math.max(0, text.length - 1));
  while (from > 0 && /\s/.test(text[from] ?? '')) from -= 1;
  const stop = Math.min(Math.max(end, from + 1), Math.max(from + 1, lineEnd(text, from)));
  return { start: from, end: stop };
}
