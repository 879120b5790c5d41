import type { ErrorObject, ValidateFunction } from 'ajv';
import type { Diagnostic } from '../diagnostic.ts';
import type { SourceFile } from '../source-file.ts';
import type { SchemaNode } from '../step-schema.ts';
import { suggest } from '../suggest.ts';
import { at, diagnose, jsonOf, type MapEntry, rangeOf, type Tree } from './tree.ts';
import { describeError } from './validate-words.ts';

/** A part of a document and the schema it has to fit. */
export interface Subject {
  readonly file: SourceFile;
  readonly tree: Tree;
  /** The entry that holds `tree`; undefined for a whole document. */
  readonly entry?: MapEntry | undefined;
  /** What it is, for messages: '"with" of kubectl.pods'. */
  readonly what: string;
  /** Hint for a key that the schema does not know, when a better one than the nearest name is at hand. */
  readonly misplaced?: (path: readonly string[], key: string) => string | undefined;
}

/** Every mistake once, at its key or value; those that follow from another one are left out. */
export function validateTree(subject: Subject, validate: ValidateFunction): readonly Diagnostic[] {
  if (validate(jsonOf(subject.tree))) return [];
  return explain(subject, validate.errors ?? []);
}

interface Place {
  readonly path: readonly string[];
  readonly errors: ErrorObject[];
}

function explain(subject: Subject, errors: readonly ErrorObject[]): readonly Diagnostic[] {
  const places = new Map<string, Place>();
  for (const error of errors) {
    // Both only say that an inner error stands beside them.
    if (error.keyword === 'if' || error.keyword === 'propertyNames') continue;
    const place = places.get(error.instancePath) ?? { path: pointer(error.instancePath), errors: [] };
    place.errors.push(error);
    places.set(error.instancePath, place);
  }
  return [...places.values()].flatMap((place) => explainPlace(subject, place));
}

function explainPlace(subject: Subject, { path, errors }: Place): readonly Diagnostic[] {
  const found = at(subject.tree, path);
  if (found === undefined) return [];
  const whole = path.length === 0;
  const place = { ...found, entry: whole ? subject.entry : found.entry };
  const names = errors.filter((error) => error.propertyName !== undefined);
  const unknown = errors.filter(({ keyword }) => keyword === 'additionalProperties');
  const others = errors.filter(
    (error) => error.propertyName === undefined && !/^(required|additionalProperties)$/.test(error.keyword),
  );
  const value = primary(others);
  // A value of the wrong type has no keys to speak of.
  if (value?.keyword === 'type') return [onValue(subject, place, value)];
  const misspelt = new Set<string>();
  const diagnostics = unknown.map((error) => unknownKey(subject, place.tree, path, error, misspelt));
  for (const error of names) diagnostics.push(onKey(subject, place.tree, error));
  for (const error of errors) {
    const name = missingKey(error);
    if (name !== undefined && !misspelt.has(name))
      diagnostics.push(missing(subject, place, path, error, name));
  }
  if (value !== undefined) diagnostics.push(onValue(subject, place, value));
  return diagnostics;
}

const ranks = ['false schema', 'type', 'const', 'enum', 'oneOf', 'anyOf', 'minLength', 'pattern'];

/** The error that says most about a value; the others are its consequences. */
function primary(errors: readonly ErrorObject[]): ErrorObject | undefined {
  const rank = ({ keyword }: ErrorObject) => (ranks.indexOf(keyword) + ranks.length + 1) % (ranks.length + 1);
  return [...errors].sort((a, b) => rank(a) - rank(b))[0];
}

interface Found {
  readonly tree: Tree;
  readonly entry: MapEntry | undefined;
}

function onValue(subject: Subject, { tree, entry }: Found, error: ErrorObject): Diagnostic {
  const forbidden = error.keyword === 'false schema';
  const range = forbidden && entry !== undefined ? entry.keyRange : rangeOf(tree, entry);
  const source = subject.file.text.slice(tree.range.start, tree.range.end);
  return diagnose(subject.file, range, describeError(error, { tree, name: entry?.key, source }));
}

function onKey(subject: Subject, tree: Tree, error: ErrorObject): Diagnostic {
  const name = error.propertyName ?? '';
  const range = keyRange(tree, name);
  const key: Tree = { kind: 'scalar', value: name, range, style: 'plain' };
  return diagnose(subject.file, range, describeError(error, { tree: key, name: undefined, source: name }));
}

function unknownKey(
  subject: Subject,
  tree: Tree,
  path: readonly string[],
  error: ErrorObject,
  misspelt: Set<string>,
): Diagnostic {
  const key = String((error.params as { additionalProperty: string }).additionalProperty);
  const known = Object.keys((error.parentSchema as SchemaNode | undefined)?.properties ?? {});
  const absent = known.filter((name) => tree.kind !== 'map' || !tree.entries.has(name));
  const near = suggest(key, absent) ?? suggest(key, known);
  if (near !== undefined) misspelt.add(near);
  const hint =
    commaInText(subject, tree, key) ??
    subject.misplaced?.(path, key) ??
    (near === undefined ? `it has: ${known.join(', ') || 'no keys'}` : `did you mean "${near}"?`);
  return diagnose(subject.file, keyRange(tree, key), {
    code: 'unknown-key',
    message: `there is no key "${key}" in ${owner(subject, path)}`,
    hint,
  });
}

/** `{text: one, two}` is two keys. */
function commaInText({ file }: Subject, tree: Tree, key: string): string | undefined {
  const flow = file.text[tree.range.start] === '{' && key.includes(' ');
  return flow ? 'inside { } a comma starts another key: put text with commas in quotes' : undefined;
}

function missingKey(error: ErrorObject): string | undefined {
  return error.keyword === 'required'
    ? String((error.params as { missingProperty: string }).missingProperty)
    : undefined;
}

function missing(
  subject: Subject,
  { tree, entry }: Found,
  path: readonly string[],
  error: ErrorObject,
  name: string,
): Diagnostic {
  const schema = (error.parentSchema as SchemaNode | undefined)?.properties?.[name];
  const description = schema?.description?.split(/(?<=\.) /, 1)[0];
  return diagnose(subject.file, rangeOf(tree, entry), {
    code: 'missing-key',
    message: `the key "${name}" is missing in ${owner(subject, path)}`,
    hint:
      name === 'uses' && description === undefined
        ? 'add uses: … with a step type or another runbook, or steps: … for a group'
        : `add ${name}: …${description === undefined ? '' : ` — ${description}`}`,
  });
}

/** The map that a path leads to, in words. */
function owner({ what, tree }: Subject, path: readonly string[]): string {
  const last = path.at(-1);
  if (last === undefined) return what;
  const list = path.at(-2);
  if (!/^\d+$/.test(last)) return list === 'inputs' ? `the input "${last}"` : `"${last}"`;
  const step = at(tree, path)?.tree;
  const id = step?.kind === 'map' ? step.entries.get('id')?.value : undefined;
  if (id?.kind === 'scalar' && typeof id.value === 'string') return `the step "${id.value}"`;
  return list === undefined ? 'this item' : `this item of "${list}"`;
}

function keyRange(tree: Tree, key: string): Diagnostic['location']['range'] {
  return (tree.kind === 'map' ? tree.entries.get(key)?.keyRange : undefined) ?? tree.range;
}

function pointer(path: string): readonly string[] {
  if (path === '') return [];
  return path
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}
