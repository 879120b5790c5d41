import { CST, Lexer, Parser } from 'yaml';
import type { Diagnostic } from '../diagnostic.ts';
import type { Range, SourceFile } from '../source-file.ts';
import { diagnose, type Problem, shorten } from './tree.ts';

/** Deepest nesting of maps and lists. */
export const maxDepth = 64;

// Marks that the lexer puts between lexemes; they have no length in the text.
const DOCUMENT = '\u0002';
const FLOW_END = '\u0018';
const SCALAR = '\u001f';

export interface Scan {
  readonly tokens: readonly CST.Token[];
  /** What the profile does not have, each at its place. */
  readonly refused: readonly Diagnostic[];
  /** Brackets and quotes that are never closed. */
  readonly unclosed: readonly Diagnostic[];
  /** The parse was given up: nothing after it can be trusted. */
  readonly aborted: boolean;
}

interface Walk {
  readonly file: SourceFile;
  readonly refused: Diagnostic[];
  readonly unclosed: Diagnostic[];
  /** Offsets of the brackets that are open. */
  readonly open: number[];
  /** Something other than comments came before. */
  content: boolean;
  started: boolean;
}

/** One pass over the lexemes: builds the syntax tree and refuses, with positions, what the profile leaves out. */
export function scan(file: SourceFile): Scan {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  const walk: Walk = { file, refused: [], unclosed: [], open: [], content: false, started: false };
  let before = '';
  for (const lexeme of new Lexer().lex(file.text)) {
    inspect(walk, lexeme, parser.offset, before);
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length > maxDepth + 8) {
      const deep = tooDeep(file, { start: parser.offset - 1, end: parser.offset });
      return { tokens, refused: [deep], unclosed: [], aborted: true };
    }
    before = lexeme;
  }
  for (const token of parser.end()) tokens.push(token);
  return { tokens, refused: walk.refused, unclosed: walk.unclosed, aborted: false };
}

export function tooDeep(file: SourceFile, range: Range): Diagnostic {
  return diagnose(file, range, {
    code: 'too-deep',
    message: `maps and lists are nested more than ${maxDepth} deep`,
    hint: 'move inner steps to a file of their own and include it with uses: ./part.yaml',
  });
}

function inspect(walk: Walk, lexeme: string, start: number, before: string): void {
  const end = start + lexeme.length;
  if (before === SCALAR) {
    walk.content = true;
    return;
  }
  if (lexeme === FLOW_END) {
    const bracket = walk.open.pop();
    if (bracket !== undefined) unclosedBracket(walk, bracket);
    return;
  }
  if (lexeme === DOCUMENT || lexeme === SCALAR) return;
  switch (CST.tokenType(lexeme)) {
    case 'flow-map-start':
      if (before === '{' && walk.file.text[start - 2] !== '{') unquotedTemplate(walk, start - 1);
      walk.open.push(start);
      break;
    case 'flow-seq-start':
      walk.open.push(start);
      break;
    case 'flow-map-end':
    case 'flow-seq-end':
      walk.open.pop();
      break;
    case 'double-quoted-scalar':
    case 'single-quoted-scalar':
      unclosedQuote(walk, lexeme, start);
      break;
    case 'anchor':
    case 'alias':
    case 'tag':
      refuse(walk, { start, end }, indicator(lexeme));
      break;
    case 'directive-line':
      refuse(
        walk,
        { start, end },
        {
          code: 'yaml-directive',
          message: 'YAML directives are not used here',
          hint: 'remove the line: every runbook is YAML 1.2',
        },
      );
      return;
    case 'doc-start':
      if (walk.content || walk.started) refuse(walk, { start, end }, severalDocuments);
      walk.started = true;
      return;
    case 'space':
    case 'newline':
    case 'comment':
      return;
    default:
  }
  walk.content = true;
}

export const severalDocuments: Problem = {
  code: 'several-documents',
  message: 'a second document starts here; a file holds one runbook',
  hint: 'put it into a file of its own',
};

function refuse(walk: Walk, range: Range, problem: Problem): void {
  walk.refused.push(diagnose(walk.file, range, problem));
}

const indicators: Readonly<Record<string, readonly [string, string, string]>> = {
  '&': ['yaml-anchor', 'an anchor', 'repeat the value, or make it an input'],
  '*': ['yaml-alias', 'an alias', 'repeat the value, or make it an input'],
  '!': ['yaml-tag', 'a tag', 'leave it out'],
};

function indicator(text: string): Problem {
  const sign = text.slice(0, 1);
  const [code, name, instead] = indicators[sign] ?? ['yaml-tag', 'a tag', 'leave it out'];
  return {
    code,
    message: `"${shorten(text)}" is ${name} in YAML, which runbooks do not have`,
    hint: `${instead}; if it is text or CEL that starts with "${sign}", put the whole value in quotes`,
  };
}

function unquotedTemplate(walk: Walk, start: number): void {
  const line = walk.file.text.slice(start, lineEnd(walk.file.text, start));
  const template = /^\{\{.*?\}\}/.exec(line)?.[0] ?? line;
  const value = walk.open.length > 1 ? template : line.trimEnd();
  refuse(
    walk,
    { start, end: start + template.length },
    {
      code: 'unquoted-template',
      message: 'a value that starts with {{ is a map in YAML',
      hint: `put the whole value in quotes: "${shorten(value.replace(/ +#.*$/, ''))}"`,
    },
  );
}

function unclosedBracket(walk: Walk, start: number): void {
  const sign = walk.file.text.slice(start, start + 1);
  const close = sign === '[' ? ']' : '}';
  walk.unclosed.push(
    diagnose(
      walk.file,
      { start, end: start + 1 },
      {
        code: 'yaml-syntax',
        message: `this "${sign}" is never closed`,
        hint: `close it with "${close}"; inside brackets every line is indented deeper than the key`,
      },
    ),
  );
}

function unclosedQuote(walk: Walk, lexeme: string, start: number): void {
  const quote = lexeme.slice(0, 1);
  if (lexeme.length > 1 && lexeme.endsWith(quote)) return;
  walk.unclosed.push(
    diagnose(
      walk.file,
      { start, end: lineEnd(walk.file.text, start) },
      {
        code: 'yaml-syntax',
        message: `this text is never closed with ${quote}`,
        hint: `end it with ${quote}, or leave the quotes out`,
      },
    ),
  );
}

export function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  const stop = end === -1 ? text.length : end;
  return text[stop - 1] === '\r' ? stop - 1 : stop;
}
