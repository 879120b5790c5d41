import type { Json } from '../engine/json.ts';
import type { WorldFields } from '../sandbox/fields.ts';
import { isIgnored } from './ignored.ts';

/** One field that is not as it was; absent on the side where there is none. */
export interface Difference {
  /** 'Deployment nvcf/nvcf-api'. */
  readonly subject: string;
  /** 'spec.template.spec.containers[nvcf-api].env[LOG_LEVEL].value'. */
  readonly field: string;
  readonly before?: Json;
  readonly after?: Json;
}

type Scalar = null | boolean | number | string;
/** By field, then what it holds. */
export type Flat = ReadonlyMap<string, ReadonlyMap<string, Scalar>>;

/** How an item of a list is named in a path: by what tells it from the others, so that one that moved is still the same. */
function nameOf(item: Json, at: number): string {
  if (typeof item === 'object' && item !== null && !Array.isArray(item))
    for (const key of ['name', 'type', 'containerPort']) {
      const value = (item as { readonly [key: string]: Json })[key];
      if (typeof value === 'string' || typeof value === 'number') return String(value);
    }
  return String(at);
}

/** An empty list or object is the same as none, as it is to the API server. */
function flattenInto(found: Map<string, Scalar>, value: Json, path: string): void {
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) flattenInto(found, item, `${path}[${nameOf(item, at)}]`);
    return;
  }
  if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value as { readonly [key: string]: Json }))
      flattenInto(found, inner, path === '' ? name : `${path}.${name}`);
    return;
  }
  found.set(path, value as Scalar);
}

const made = new WeakMap<object, ReadonlyMap<string, Scalar>>();

function flattenOne(subject: string, content: WorldFields[string]): ReadonlyMap<string, Scalar> {
  const known = made.get(content);
  if (known !== undefined) return known;
  const all = new Map<string, Scalar>();
  flattenInto(all, content, '');
  const kept = new Map([...all].filter(([field]) => !isIgnored(subject, field)));
  made.set(content, kept);
  return kept;
}

/** Pods of one owner have no order: they get one by what they are. */
function inOrder(flat: Map<string, ReadonlyMap<string, Scalar>>): Flat {
  const groups = new Map<string, ReadonlyMap<string, Scalar>[]>();
  for (const [subject, fields] of flat) {
    const [, owner] = /^(Pod of .*) #\d+$/.exec(subject) ?? [];
    if (owner === undefined) continue;
    groups.set(owner, [...(groups.get(owner) ?? []), fields]);
    flat.delete(subject);
  }
  const text = (fields: ReadonlyMap<string, Scalar>) => JSON.stringify([...fields].sort());
  for (const [owner, each] of groups)
    for (const [at, fields] of each.sort((a, b) => (text(a) < text(b) ? -1 : 1)).entries())
      flat.set(`${owner} #${at + 1}`, fields);
  return flat;
}

/** What can be compared of a world: every field that is not ignored. */
export function flatten(fields: WorldFields): Flat {
  const flat = new Map<string, ReadonlyMap<string, Scalar>>();
  for (const [subject, content] of Object.entries(fields)) {
    if (isIgnored(subject, '')) continue;
    flat.set(subject, flattenOne(subject, content));
  }
  return inOrder(flat);
}

/** Every field that differs, in the order of subjects and fields. */
export function differences(before: Flat, after: Flat): readonly Difference[] {
  const found: Difference[] = [];
  const subjects = [...new Set([...before.keys(), ...after.keys()])].sort();
  for (const subject of subjects) {
    const [was, is] = [before.get(subject), after.get(subject)];
    if (was === is) continue;
    const fields = [...new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])])].sort();
    for (const field of fields) {
      const [old, now] = [was?.get(field), is?.get(field)];
      if (old === now && was?.has(field) === is?.has(field)) continue;
      found.push({
        subject,
        field,
        ...(old === undefined ? {} : { before: old }),
        ...(now === undefined ? {} : { after: now }),
      });
    }
  }
  return found;
}

/** A place that is the same in every rehearsal: ids and times that a run gives out differ, and so does which of several pods is which. */
export function placeOf({ subject, field }: Pick<Difference, 'subject' | 'field'>): string {
  return `${subject.replace(/ #\d+$/, '')} ${field.replace(/^#\d+\./, '')}`
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '*')
    .replace(/\b[\w-]{43}\b/g, '*')
    .replace(/\b\d{10,}\b/g, '*');
}
