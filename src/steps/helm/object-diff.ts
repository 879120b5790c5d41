import type { Json, JsonObject } from '../../engine/json.ts';
import type { DiffLine } from '../../engine/step-type.ts';
import type { HelmContent } from '../../services/helm.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { diffObjects } from '../kubectl/diff.ts';
import { at, textAt } from '../kubectl/fields.ts';
import { looksSecret, MASK } from '../kubectl/mask.ts';
import { isObject } from '../kubectl/touched.ts';
import { digest } from '../kubectl/witness.ts';

export interface ObjectChange {
  /** 'Deployment nvcf/nvcf-api' */
  readonly object: string;
  readonly kind: string;
  readonly change: 'added' | 'removed' | 'changed';
  readonly lines: readonly DiffLine[];
}

/** What a chart's objects become, object by object, with no value of a Secret and none that looks like one. */
export function diffContent(
  before: Pick<HelmContent, 'objects'>,
  after: Pick<HelmContent, 'objects'>,
): readonly ObjectChange[] {
  const old = byName(before.objects);
  const next = byName(after.objects);
  return [...new Set([...old.keys(), ...next.keys()])].flatMap((object): readonly ObjectChange[] => {
    const [one, other] = [old.get(object), next.get(object)];
    const kind = textAt(one ?? other, 'kind');
    if (one === undefined) return [{ object, kind, change: 'added', lines: [] }];
    if (other === undefined) return [{ object, kind, change: 'removed', lines: [] }];
    const lines = [...diffObjects(asObject(one), asObject(other)).map(hidden), ...secretLines(one, other)];
    return lines.length === 0 ? [] : [{ object, kind, change: 'changed', lines }];
  });
}

/** Lines for a plan: the object's name stands before each path. */
export function planLines(changes: readonly ObjectChange[]): readonly DiffLine[] {
  return changes.flatMap(({ object, change, lines }): readonly DiffLine[] => {
    if (change === 'added') return [{ path: object, after: 'added' }];
    if (change === 'removed') return [{ path: object, before: 'there', after: 'removed' }];
    return lines.map((line) => ({ ...line, path: `${object} ${line.path}` }));
  });
}

/** 'spec.replicas: 1 → 2' */
export function sayLine({ path, before, after }: DiffLine): string {
  if (before === undefined) return `${path}: ${sayValue(after)} (new)`;
  if (after === undefined) return `${path}: ${sayValue(before)} (removed)`;
  return `${path}: ${sayValue(before)} → ${sayValue(after)}`;
}

function sayValue(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

/** A digest of what may be shown: Secrets count with their names and keys alone. */
export function contentDigest({ objects, hooks }: Pick<HelmContent, 'objects' | 'hooks'>): string {
  const all = [...objects, ...hooks.map(({ object }) => object)];
  return digest([...byName(all).entries()].sort().map(([name, object]) => [name, withoutSecrets(object)]));
}

/** Whether an upgrade would change nothing at all: same objects, hooks and values, Secrets included. */
export function isSameContent(one: HelmContent, other: HelmContent): boolean {
  const whole = ({ objects, hooks }: HelmContent) =>
    digest([
      [...byName(objects).entries()].sort() as unknown as Json,
      [...byName(hooks.map(({ object }) => object)).entries()].sort() as unknown as Json,
    ]);
  return (
    one.chart === other.chart &&
    one.chartVersion === other.chartVersion &&
    whole(one) === whole(other) &&
    digest(valuesOf(one)) === digest(valuesOf(other))
  );
}

/** Only for comparing: values may be secrets. */
export function valuesOf({ values }: Pick<HelmContent, 'values'>): JsonObject {
  return values.revealText((text) => JSON.parse(text) as JsonObject);
}

/** 'Deployment nvcf/nvcf-api' → the object. */
export function byName(objects: readonly JsonObject[]): ReadonlyMap<string, JsonObject> {
  return new Map(objects.map((object) => [nameOfObject(object), object]));
}

export function nameOfObject(object: JsonObject): string {
  const namespace = textAt(object, 'metadata', 'namespace');
  const name = textAt(object, 'metadata', 'name');
  return `${textAt(object, 'kind')} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}

function asObject(object: JsonObject): KubernetesObject {
  return object as unknown as KubernetesObject;
}

function secretLines(before: JsonObject, after: JsonObject): readonly DiffLine[] {
  if (before.kind !== 'Secret') return [];
  return (['data', 'stringData'] as const).flatMap((field) => {
    const [one, other] = [fieldsOf(before[field]), fieldsOf(after[field])];
    const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])];
    return keys
      .filter((key) => JSON.stringify(one[key]) !== JSON.stringify(other[key]))
      .map((key) => ({
        path: `${field}.${key}`,
        ...(key in one && { before: MASK }),
        ...(key in other && { after: MASK }),
      }));
  });
}

function fieldsOf(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function hidden({ path, before, after }: DiffLine): DiffLine {
  const hide = looksSecret(path.slice(path.lastIndexOf('.') + 1));
  const show = (value: Json) => (hide ? MASK : shown(value));
  return {
    path,
    ...(before !== undefined && { before: show(before) }),
    ...(after !== undefined && { after: show(after) }),
  };
}

const longest = 120;

/** Long texts are files and templates: nobody reads them in a plan, and nobody knows what is in them. */
function shown(value: Json): Json {
  if (Array.isArray(value)) return value.map(shown);
  if (isObject(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, looksSecret(key) ? MASK : shown(item)]),
    );
  if (typeof value !== 'string') return value;
  const lines = value.split('\n').length;
  if (lines > 2 || value.length > longest) return `«text of ${lines} lines, ${digest(value).slice(0, 8)}»`;
  return value
    .replace(/\/\/[^/\s:@]+:[^/\s@]+@/g, `//${MASK}@`)
    .replace(/((?:pass\w*|secret|token|key)[=:]\s*)\S+/gi, `$1${MASK}`);
}

function withoutSecrets(object: JsonObject): Json {
  if (object.kind !== 'Secret') return object;
  const keys = (['data', 'stringData'] as const).map((field) =>
    Object.keys(fieldsOf(at(object, field) as Json)),
  );
  return { kind: 'Secret', name: textAt(object, 'metadata', 'name'), keys: keys.flat().sort() };
}
