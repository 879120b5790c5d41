import type { Json } from './json.ts';
import { containsSecret, Secret } from './secret.ts';
import { type ParsedTemplate, parsedTemplate, type Segment } from './template-syntax.ts';
import type { Lookup, Resolved, Value } from './value.ts';

export type { ParsedTemplate, TemplateReference } from './template-syntax.ts';

/**
 * The references of a template, or what is wrong with it. Text without `{{` is a template without references.
 * `\{{` stands for a literal `{{`.
 */
export function parseTemplate(text: string): ParsedTemplate {
  return parsedTemplate(text).parsed;
}

/**
 * One string. A template that is exactly one expression keeps the value's type (null and the empty string included);
 * text that mixes in a secret is a secret. Inside text, null, the empty string, objects and lists are errors.
 * A missing value wins over an unknown one: it will not get better by waiting.
 */
export function renderTemplate(text: string, lookup: Lookup): Resolved {
  if (!text.includes('{{')) return { state: 'known', value: text };
  const template = parsedTemplate(text);
  if (!template.parsed.ok) return missing(template.parsed.message);
  const segments = template.segments.map((segment) => resolveSegment(segment, lookup));
  const [only] = segments;
  if (template.parsed.exact && only !== undefined) return only;
  const failed = firstFailure(segments);
  if (failed !== undefined) return failed;
  const pieces: (string | Secret)[] = [];
  const problems: string[] = [];
  for (const [index, segment] of segments.entries()) {
    if (segment.state !== 'known') continue;
    const piece = pieceOf(segment.value);
    if (typeof piece === 'string' || piece instanceof Secret) pieces.push(piece);
    else problems.push(`${nameOf(template.segments[index])} ${piece.problem}`);
  }
  if (problems.length > 0) return missing(problems.join('; '));
  const secret = pieces.some((piece) => piece instanceof Secret);
  return { state: 'known', value: secret ? Secret.concat(pieces) : pieces.join('') };
}

/** A whole tree: every string is a template, keys are not. Unknown when any part is; all missing parts are named. */
export function renderValue(value: Json, lookup: Lookup): Resolved {
  if (typeof value === 'string') return renderTemplate(value, lookup);
  if (typeof value !== 'object' || value === null) return { state: 'known', value };
  const entries = Object.entries(value).map(([key, item]) => [key, renderValue(item, lookup)] as const);
  const failed = firstFailure(entries.map(([, item]) => item));
  if (failed !== undefined) return failed;
  const known = entries.flatMap(([key, item]) =>
    item.state === 'known' ? [[key, item.value] as const] : [],
  );
  if (Array.isArray(value)) return { state: 'known', value: known.map(([, item]) => item) };
  return { state: 'known', value: Object.fromEntries(known) };
}

/**
 * A whole tree for people: unknown parts become '‹known after x›', missing ones '‹missing: why›', secrets their mask.
 * `after` names, once each, what the unknown parts wait for.
 */
export function renderForDisplay(
  value: Json,
  lookup: Lookup,
): { readonly value: Json; readonly after: readonly string[] } {
  const after = new Set<string>();
  return { value: displayTree(value, lookup, after), after: [...after] };
}

/** '‹known after restart›', as plans show it. */
function knownAfter(after: readonly string[]): string {
  return `‹known after ${after.join(', ')}›`;
}

/** The value at a path, by own properties and list indices only; undefined when there is none. */
export function descend(value: Value, path: readonly string[]): Value | undefined {
  let current: Value | undefined = value;
  for (const part of path) {
    if (typeof current !== 'object' || current === null || current instanceof Secret) return undefined;
    if (Array.isArray(current)) current = /^(0|[1-9]\d{0,8})$/.test(part) ? current[Number(part)] : undefined;
    else current = Object.hasOwn(current, part) ? (current as Record<string, Value>)[part] : undefined;
  }
  return current;
}

function displayTree(value: Json, lookup: Lookup, after: Set<string>): Json {
  if (typeof value === 'string') return displayText(value, lookup, after);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => displayTree(item, lookup, after));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, displayTree(item, lookup, after)]),
  );
}

function displayText(text: string, lookup: Lookup, after: Set<string>): Json {
  if (!text.includes('{{')) return text;
  const template = parsedTemplate(text);
  if (!template.parsed.ok) return text;
  const shown = template.segments.map((segment): Json => {
    const resolved = resolveSegment(segment, lookup);
    if (resolved.state === 'missing') return `‹missing: ${resolved.why}›`;
    if (resolved.state === 'known') return masked(resolved.value);
    for (const id of resolved.after) after.add(id);
    return knownAfter(resolved.after);
  });
  if (template.parsed.exact) return shown[0] ?? '';
  return shown.map((piece) => (typeof piece === 'string' ? piece : JSON.stringify(piece))).join('');
}

function masked(value: Value): Json {
  if (value instanceof Secret) return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(masked);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, masked(item)]));
}

function resolveSegment(segment: Segment, lookup: Lookup): Resolved {
  if (segment.kind === 'text') return { state: 'known', value: segment.text };
  const resolved = lookup(segment.reference.path);
  if (segment.helper === undefined || resolved.state !== 'known') return resolved;
  if (containsSecret(resolved.value) && segment.helper.name === 'json')
    return missing(`${nameOf(segment)} holds a secret, which cannot become JSON text`);
  const changed = segment.helper.apply(resolved.value);
  return changed === undefined
    ? missing(`${nameOf(segment)} is not ${segment.helper.takes}`)
    : { state: 'known', value: changed };
}

/** All missing parts in one; else everything that is waited for; undefined when all is known. */
function firstFailure(parts: readonly Resolved[]): Resolved | undefined {
  const why = parts.flatMap((part) => (part.state === 'missing' ? [part.why] : []));
  if (why.length > 0) return missing([...new Set(why)].join('; '));
  const after = parts.flatMap((part) => (part.state === 'unknown' ? part.after : []));
  return parts.some((part) => part.state === 'unknown')
    ? { state: 'unknown', after: [...new Set(after)] }
    : undefined;
}

function pieceOf(value: Value): string | Secret | { readonly problem: string } {
  if (value instanceof Secret) return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number')
    return Number.isFinite(value) ? JSON.stringify(value) : { problem: 'is not a finite number' };
  if (typeof value === 'string')
    return value === '' ? { problem: 'is empty, and would leave a hole in the text' } : value;
  if (value === null) return { problem: 'is null, and would leave a hole in the text' };
  return { problem: `is ${Array.isArray(value) ? 'a list' : 'an object'}, which does not render as text` };
}

function nameOf(segment: Segment | undefined): string {
  return segment?.kind === 'expression' ? segment.reference.path.join('.') : 'the text';
}

function missing(why: string): Resolved {
  return { state: 'missing', why };
}
