import type { Json, JsonObject } from '../json.ts';

/** What is known about an instance: from the journal in a run, from predictions in a plan. */
export interface InstanceFacts {
  readonly state: 'applied' | 'skipped' | 'notRun' | 'failed';
  /** In a plan: the instance will only run later. `state` is then still unknown, and so is every output that is not given. */
  readonly pending?: true;
  readonly outputs?: JsonObject;
  /** What was captured before the effect; `steps.<own id>.before` in the step's own rollback. */
  readonly before?: Json;
  /** Of an include: the rendered inputs of its inner scope, without secrets. */
  readonly with?: JsonObject;
  /** Of a forEach instance: its element. */
  readonly item?: { readonly name: string; readonly value: Json };
  /** Of a forEach node's expansion: its keys in order. */
  readonly keys?: readonly string[];
  /** Of a forEach node whose list is not known yet: what it waits for. */
  readonly after?: readonly string[];
}

/**
 * Instance ids as text. A segment is a node's id with, for one element of a `forEach`, its key in brackets; segments are joined by
 * '/' (child), '~verify/' and '~undo/'. Keys are data, so the characters that have a meaning here are percent-encoded inside brackets.
 */
export type Separator = '/' | '~verify/' | '~undo/';

export interface Segment {
  /** What joins it to the segment before; '' for the first. */
  readonly separator: Separator | '';
  readonly id: string;
  /** As the data has it, decoded. */
  readonly key?: string;
  /** The whole instance id up to and including this segment. */
  readonly instance: string;
}

export interface ParsedInstance {
  /** The root container: 'steps' for everything without a prefix. */
  readonly recheck: boolean;
  readonly segments: readonly Segment[];
  /** 'deploy/', 'restart~undo': the inside of the last segment, rather than itself. */
  readonly inside: boolean;
}

const RECHECK = '@recheck';

/** The id of one element of a `forEach`: 'restart' and 'nvcf-api' → 'restart[nvcf-api]'. */
export function itemOf(expansion: string, key: string): string {
  return `${expansion}[${encodeKey(key)}]`;
}

/** The id of a child in a group or include; a root container ('@steps') gives no prefix, but for '@recheck'. */
export function childOf(parent: string, id: string): string {
  if (parent === RECHECK) return `${RECHECK}/${id}`;
  if (parent === '' || (parent.startsWith('@') && !parent.includes('/'))) return id;
  return parent.endsWith('/') ? `${parent}${id}` : `${parent}/${id}`;
}

/** An instance without the keys of elements: the same for all instances of one node. */
export function nodeIdOf(instance: string): string {
  return instance.replace(/\[[^\]]*\]/g, '');
}

/** What an id adds to the one it stands under: 'all[nvcf]/restart' → 'restart', 'restart[a]' → 'restart[a]'. */
export function localIdOf(instance: string): string {
  const segments = parseInstance(instance)?.segments ?? [];
  const [above, own] = [segments.at(-2), segments.at(-1)];
  return above === undefined || own === undefined
    ? instance
    : instance.slice(above.instance.length + own.separator.length);
}

/** The container of an instance's `verify` steps. */
export function verifyOf(instance: string): string {
  return `${instance}~verify`;
}

/** The container of an instance's `rollback` steps; for an include its `rollback` block. */
export function undoOf(instance: string): string {
  return `${instance}~undo`;
}

/** Undefined when the text is no instance id. Root containers ('@steps', '') have no segments. */
export function parseInstance(text: string): ParsedInstance | undefined {
  let at = 0;
  let recheck = false;
  if (text.startsWith('@')) {
    const slash = text.indexOf('/');
    recheck = text.slice(0, slash === -1 ? text.length : slash) === RECHECK;
    if (slash === -1) return { recheck, segments: [], inside: true };
    if (!recheck) return undefined;
    at = slash + 1;
  }
  const segments: Segment[] = [];
  let separator: Separator | '' = '';
  while (at < text.length) {
    const end = endOfId(text, at);
    const id = text.slice(at, end);
    if (id === '') return undefined;
    let key: string | undefined;
    at = end;
    if (text[at] === '[') {
      const close = text.indexOf(']', at);
      if (close === -1) return undefined;
      key = decodeKey(text.slice(at + 1, close));
      at = close + 1;
    }
    segments.push({ separator, id, ...(key === undefined ? {} : { key }), instance: text.slice(0, at) });
    if (at === text.length) return { recheck, segments, inside: false };
    const next = separatorAt(text, at);
    if (next === undefined) return undefined;
    separator = next.separator;
    at = next.end;
  }
  return { recheck, segments, inside: true };
}

/** The instance one level up: 'all[nvcf]/restart' → 'all[nvcf]' → 'all' → undefined. */
export function parentOf(instance: string): string | undefined {
  if (instance.endsWith(']')) return instance.slice(0, instance.lastIndexOf('['));
  const close = instance.lastIndexOf(']');
  const slash = instance.indexOf('/', close + 1) === -1 ? -1 : instance.lastIndexOf('/');
  if (slash === -1) return undefined;
  const parent = instance.slice(0, slash);
  for (const container of ['~verify', '~undo'])
    if (parent.endsWith(container)) return parent.slice(0, -container.length);
  return parent.startsWith('@') && !parent.includes('/') ? undefined : parent;
}

function endOfId(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    const char = text[at];
    if (char === '[' || char === '/' || char === '~') return at;
  }
  return text.length;
}

function separatorAt(text: string, at: number): { separator: Separator; end: number } | undefined {
  if (text[at] === '/') return { separator: '/', end: at + 1 };
  for (const name of ['~verify', '~undo'] as const) {
    if (!text.startsWith(name, at)) continue;
    const end = at + name.length;
    if (end === text.length) return { separator: `${name}/`, end };
    return text[end] === '/' ? { separator: `${name}/`, end: end + 1 } : undefined;
  }
  return undefined;
}

function encodeKey(key: string): string {
  return /^[\w.:/ -]*$/.test(key)
    ? key
    : Array.from(key, (char) => (isSpecial(char) ? percent(char) : char)).join('');
}

function isSpecial(char: string): boolean {
  const code = char.codePointAt(0) ?? 0;
  return char === '%' || char === '[' || char === ']' || code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

function percent(char: string): string {
  return `%${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0').toUpperCase()}`;
}

function decodeKey(text: string): string {
  return text.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));
}
