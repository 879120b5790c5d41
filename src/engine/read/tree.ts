import type { Diagnostic, Location } from '../diagnostic.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Range, SourceFile } from '../source-file.ts';

export type Scalar = null | boolean | number | string;

export interface ScalarTree {
  readonly kind: 'scalar';
  readonly value: Scalar;
  /** Of the value as written, quotes and block header included; empty for a value that was left out. */
  readonly range: Range;
  readonly style: 'plain' | 'single' | 'double' | 'block';
}

export interface ListTree {
  readonly kind: 'list';
  readonly items: readonly Tree[];
  readonly range: Range;
}

export interface MapEntry {
  readonly key: string;
  readonly keyRange: Range;
  readonly value: Tree;
}

export interface MapTree {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, MapEntry>;
  readonly range: Range;
}

/** A YAML document without its syntax: values, and where they stand. */
export type Tree = ScalarTree | ListTree | MapTree;

export function jsonOf(tree: Tree): Json {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(jsonOf);
  const object: Record<string, Json> = {};
  for (const [key, entry] of tree.entries) object[key] = jsonOf(entry.value);
  return object;
}

export function jsonObjectOf(tree: MapTree): JsonObject {
  return jsonOf(tree) as JsonObject;
}

/** Where a path leads, and the entry it came through last (undefined for an element of a list). */
export function at(
  tree: Tree,
  path: readonly string[],
): { readonly tree: Tree; readonly entry: MapEntry | undefined } | undefined {
  let current = tree;
  let entry: MapEntry | undefined;
  for (const part of path) {
    if (current.kind === 'scalar') return undefined;
    entry = current.kind === 'map' ? current.entries.get(part) : undefined;
    const next = current.kind === 'map' ? entry?.value : current.items[Number(part)];
    if (next === undefined) return undefined;
    current = next;
  }
  return { tree: current, entry };
}

export function entryOf(tree: Tree, key: string): MapEntry | undefined {
  return tree.kind === 'map' ? tree.entries.get(key) : undefined;
}

export function valueAt(tree: Tree, key: string): Tree | undefined {
  return entryOf(tree, key)?.value;
}

/** A text value; undefined when it is absent or something else. */
export function textOf(tree: Tree | undefined): string | undefined {
  return tree?.kind === 'scalar' && typeof tree.value === 'string' ? tree.value : undefined;
}

/** The characters to underline for a value: for one that was left out its key; for a collection its first line or key. */
export function rangeOf(tree: Tree, entry: MapEntry | undefined): Range {
  if (tree.kind === 'scalar') {
    if (tree.range.end === tree.range.start && entry !== undefined) return entry.keyRange;
    return tree.range;
  }
  if (entry !== undefined) return entry.keyRange;
  if (tree.kind === 'map') {
    const [first] = tree.entries.values();
    if (first !== undefined) return first.keyRange;
  }
  return tree.range;
}

/** One document on its way through the layers. */
export interface ParsedFile {
  readonly file: SourceFile;
  readonly tree: MapTree;
}

export function locationOf(file: SourceFile, range: Range): Location {
  return { file, range };
}

export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly severity?: 'error' | 'warning';
  readonly related?: Diagnostic['related'];
}

export function diagnose(file: SourceFile, range: Range, problem: Problem): Diagnostic {
  return {
    code: problem.code,
    severity: problem.severity ?? 'error',
    message: problem.message,
    location: { file, range: clamped(range, file.text.length) },
    ...(problem.hint === undefined ? {} : { hint: problem.hint }),
    ...(problem.related === undefined || problem.related.length === 0 ? {} : { related: problem.related }),
  };
}

/** Places are worked out from what a parser says; none may lie outside the text. */
function clamped({ start, end }: Range, length: number): Range {
  const from = Math.max(0, Math.min(start, length));
  return { start: from, end: Math.max(from, Math.min(end, length)) };
}

/** Text of an author inside a message: at most 60 characters of one line. */
export function shorten(text: string): string {
  const line = text.split('\n', 1)[0] ?? '';
  return line.length <= 60 && line.length === text.length ? text : `${line.slice(0, 59)}…`;
}
