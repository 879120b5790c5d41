import { Composer, isMap, isScalar, isSeq, type Node, type YAMLError, type Scalar as YamlScalar } from 'yaml';
import type { Diagnostic } from '../diagnostic.ts';
import type { Range, SourceFile } from '../source-file.ts';
import { maxDepth, scan, severalDocuments, tooDeep } from './parse-scan.ts';
import { syntaxDiagnostic } from './parse-words.ts';
import { diagnose, type MapEntry, type MapTree, type Problem, shorten, type Tree } from './tree.ts';

/** Longest single value, in characters. */
export const maxScalar = 256 * 1024;

export type Parsed =
  | { readonly ok: true; readonly tree: MapTree }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

const options = {
  version: '1.2',
  schema: 'core',
  strict: true,
  // Keys are compared below: one pass, and both places are known.
  uniqueKeys: false,
  stringKeys: true,
  prettyErrors: false,
  logLevel: 'silent',
} as const;

/**
 * YAML 1.2 core without anchors, aliases, tags, merge keys, directives and second documents. Reports everything the
 * profile refuses at once, and of the syntax errors the first: later ones are mostly its consequences.
 */
export function parseYaml(file: SourceFile): Parsed {
  const scanned = scan(file);
  if (scanned.aborted) return { ok: false, diagnostics: scanned.refused };
  const refused = [...scanned.refused];
  const documents = [];
  for (const document of new Composer(options).compose(scanned.tokens, true, file.text.length)) {
    documents.push(document);
    if (documents.length === 2) break;
  }
  const [document, second] = documents;
  const errors = document?.errors ?? [];
  const start = second?.contents?.range?.[0];
  if (start !== undefined && !refused.some(({ code }) => code === severalDocuments.code))
    refused.push(diagnose(file, { start, end: start + 1 }, severalDocuments));
  const syntax = firstSyntaxError(file, scanned.unclosed, errors, refused);
  if (syntax !== undefined) return failed([...refused, syntax]);
  if (errors.length > 0) return failed(refused);
  const conversion: Conversion = { file, problems: refused };
  const tree = document?.contents == null ? undefined : convert(document.contents as Node, 1, conversion);
  if (conversion.problems.length > 0) return failed(conversion.problems);
  if (tree?.kind === 'scalar' && tree.value === null) return failed([notAMap(file, undefined)]);
  if (tree?.kind === 'map') return { ok: true, tree };
  return failed([notAMap(file, tree)]);
}

function failed(diagnostics: readonly Diagnostic[]): Parsed {
  const sorted = [...diagnostics].sort((a, b) => a.location.range.start - b.location.range.start);
  return { ok: false, diagnostics: sorted };
}

function firstSyntaxError(
  file: SourceFile,
  unclosed: readonly Diagnostic[],
  errors: readonly YAMLError[],
  refused: readonly Diagnostic[],
): Diagnostic | undefined {
  // An unquoted template, and whatever it does to the rest, is one mistake.
  if (refused.some(({ code }) => code === 'unquoted-template')) return undefined;
  const [open] = unclosed;
  if (open !== undefined) return open;
  const lines = new Set(refused.map(({ location }) => file.positionAt(location.range.start).line));
  const directive = refused.some(({ code }) => code === 'yaml-directive');
  const own = errors.filter(
    (error) =>
      !lines.has(file.positionAt(error.pos[0]).line) && !(directive && error.code === 'MISSING_CHAR'),
  );
  const first = own.reduce<YAMLError | undefined>(
    (best, error) => (best === undefined || error.pos[0] < best.pos[0] ? error : best),
    undefined,
  );
  return first === undefined ? undefined : syntaxDiagnostic(file, first);
}

function notAMap(file: SourceFile, tree: Tree | undefined): Diagnostic {
  const range = tree === undefined ? { start: 0, end: 0 } : firstLine(file, tree.range);
  const what = tree?.kind === 'list' ? 'a list' : 'text';
  return diagnose(file, range, {
    code: tree === undefined ? 'empty-file' : 'wrong-type',
    message: tree === undefined ? 'the file is empty' : `the file holds ${what} instead of keys with values`,
    hint: "start with apiVersion: runbook/v1, or let 'runbook new' write the first lines",
  });
}

function firstLine(file: SourceFile, range: Range): Range {
  const end = file.text.indexOf('\n', range.start);
  return { start: range.start, end: end === -1 ? range.end : Math.min(range.end, end) };
}

interface Conversion {
  readonly file: SourceFile;
  readonly problems: Diagnostic[];
}

function convert(node: Node, depth: number, conversion: Conversion): Tree {
  const [start, end] = node.range ?? [0, 0];
  if (isScalar(node)) return scalar(node, { start, end }, conversion);
  if (depth > maxDepth) {
    if (!conversion.problems.some(({ code }) => code === 'too-deep'))
      conversion.problems.push(tooDeep(conversion.file, { start, end: start + 1 }));
    return { kind: 'list', items: [], range: { start, end } };
  }
  if (isSeq(node)) {
    const items = node.items.map((item) => convert(item as Node, depth + 1, conversion));
    return { kind: 'list', items, range: { start, end } };
  }
  const entries = new Map<string, MapEntry>();
  if (isMap(node))
    for (const pair of node.items) {
      const key = pair.key as YamlScalar;
      const keyRange = { start: key.range?.[0] ?? start, end: key.range?.[1] ?? start };
      const name = String(key.value ?? '');
      const value: Tree =
        pair.value === null
          ? { kind: 'scalar', value: null, range: { start: keyRange.end, end: keyRange.end }, style: 'plain' }
          : convert(pair.value as Node, depth + 1, conversion);
      if (checkKey(name, keyRange, entries, conversion)) entries.set(name, { key: name, keyRange, value });
    }
  return { kind: 'map', entries, range: { start, end } };
}

function checkKey(
  key: string,
  range: Range,
  entries: ReadonlyMap<string, MapEntry>,
  { file, problems }: Conversion,
): boolean {
  const first = entries.get(key);
  const refuse = (problem: Problem): boolean => {
    problems.push(diagnose(file, range, problem));
    return false;
  };
  if (first !== undefined)
    return refuse({
      code: 'duplicate-key',
      message: `the key "${shorten(key)}" stands here a second time`,
      hint: 'keep one of the two',
      related: [{ location: { file, range: first.keyRange }, message: 'the first one' }],
    });
  if (key === '<<')
    return refuse({
      code: 'yaml-merge-key',
      message: '"<<" is a merge key in YAML, which runbooks do not have',
      hint: 'write the keys out',
    });
  if (key === '__proto__')
    return refuse({ code: 'reserved-key', message: `"${key}" cannot be a key`, hint: 'choose another name' });
  return true;
}

const styles: Readonly<Record<string, 'single' | 'double' | 'block'>> = {
  QUOTE_SINGLE: 'single',
  QUOTE_DOUBLE: 'double',
  BLOCK_LITERAL: 'block',
  BLOCK_FOLDED: 'block',
};

function scalar(node: YamlScalar, range: Range, { file, problems }: Conversion): Tree {
  const value = node.value as null | boolean | number | string;
  const style = styles[node.type ?? ''] ?? 'plain';
  if (typeof value === 'string' && value.length > maxScalar)
    problems.push(
      diagnose(file, firstLine(file, range), {
        code: 'value-too-large',
        message: `the value has ${value.length} characters; ${maxScalar} are the limit`,
        hint: 'keep large content in a file of its own',
      }),
    );
  if (typeof value === 'number') {
    const problem = numberProblem(value, node.source ?? '');
    if (problem !== undefined) problems.push(diagnose(file, range, problem));
  }
  return { kind: 'scalar', value, range, style };
}

/** Numbers that a reader, another YAML version or a JavaScript number would take for something else. */
function numberProblem(value: number, source: string): Problem | undefined {
  const code = 'bad-number';
  if (!Number.isFinite(value))
    return {
      code,
      message: `${shorten(source)} is not a number that can be used`,
      hint: `for text, write "${shorten(source)}"`,
    };
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER)
    return {
      code,
      message: `${shorten(source)} is larger than 2^53 and would lose digits`,
      hint: `for text, write "${shorten(source)}"`,
    };
  if (/^[-+]?0[0-9]/.test(source))
    return {
      code,
      message: `${shorten(source)} starts with a zero: octal for some readers, decimal for others`,
      hint: `write ${Number(source)}, or "${shorten(source)}" for text`,
    };
  return undefined;
}
