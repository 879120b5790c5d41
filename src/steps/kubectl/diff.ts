import type { Json, JsonObject } from '../../engine/json.ts';
import type { DiffLine } from '../../engine/step-type.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { looksSecret, MASK, masked } from './mask.ts';
import { isObject } from './touched.ts';

const noise = new Set([
  'managedFields',
  'resourceVersion',
  'uid',
  'generation',
  'creationTimestamp',
  'selfLink',
]);

/** What differs, field by field, as it may be shown: nothing that only the API server writes, no secret value. */
export function diffObjects(
  before: KubernetesObject | undefined,
  after: KubernetesObject | undefined,
): readonly DiffLine[] {
  return compare([], comparable(before) ?? {}, comparable(after) ?? {});
}

function compare(
  path: readonly string[],
  before: Json | undefined,
  after: Json | undefined,
  hidden = false,
): readonly DiffLine[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (before === undefined && isFlat(after)) return compare(path, {}, after, hidden);
  if (after === undefined && isFlat(before)) return compare(path, before, {}, hidden);
  if (before === undefined && isNamed(after)) return compare(path, [], after, hidden);
  if (after === undefined && isNamed(before)) return compare(path, before, [], hidden);
  if (isObject(before) && isObject(after)) {
    const literal = [before.name, after.name].find((name) => typeof name === 'string');
    const named = path.at(-1)?.endsWith(`[${literal}]`) === true;
    // The path says the name already.
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
      (key) => !named || key !== 'name',
    );
    return keys.flatMap((key) => {
      const hide = hidden || (key === 'value' && typeof literal === 'string' && looksSecret(literal));
      return compare([...path, key], before[key], after[key], hide);
    });
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const keyed = byName(before, after);
    if (keyed !== undefined) return compareNamed(path, keyed, hidden);
  }
  const show = (value: Json) => (hidden ? MASK : cleaned(value));
  return [
    {
      path: pathText(path),
      ...(before !== undefined && { before: show(before) }),
      ...(after !== undefined && { after: show(after) }),
    },
  ];
}

// The values of a Secret are left out: they are compared where they are known, and never shown.
function comparable(object: KubernetesObject | undefined): JsonObject | undefined {
  if (object === undefined) return undefined;
  const { status: _, ...rest } = object as unknown as { [key: string]: Json };
  const metadata = isObject(rest.metadata)
    ? Object.fromEntries(Object.entries(rest.metadata).filter(([key]) => !noise.has(key)))
    : {};
  const plain = { ...rest, metadata: masked({ metadata }).metadata ?? {} };
  if (object.kind !== 'Secret') return plain;
  return Object.fromEntries(Object.entries(plain).filter(([key]) => key !== 'data' && key !== 'stringData'));
}

/** Labels, annotations, data: read key by key, also when the first one comes or the last one goes. */
function isFlat(value: Json | undefined): value is JsonObject {
  return isObject(value) && Object.values(value).every((item) => item === null || typeof item !== 'object');
}

/** Variables, ports, volumes: read name by name, also when the first one comes or the last one goes. */
function isNamed(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value) && value.length > 0 && byName(value, []) !== undefined;
}

type Named = { readonly name: string; readonly before: Json | undefined; readonly after: Json | undefined };

function byName(before: readonly Json[], after: readonly Json[]): readonly Named[] | undefined {
  const nameOfItem = (item: Json) =>
    isObject(item) && typeof item.name === 'string' ? item.name : undefined;
  const names = [...before, ...after].map(nameOfItem);
  if (names.includes(undefined)) return undefined;
  return [...new Set(names as string[])].map((name) => ({
    name,
    before: before.find((item) => nameOfItem(item) === name),
    after: after.find((item) => nameOfItem(item) === name),
  }));
}

function compareNamed(
  path: readonly string[],
  items: readonly Named[],
  hidden: boolean,
): readonly DiffLine[] {
  const last = path.at(-1) ?? '';
  return items.flatMap(({ name, before, after }) =>
    compare([...path.slice(0, -1), `${last}[${name}]`], before, after, hidden),
  );
}

function pathText(path: readonly string[]): string {
  return path
    .map((key, index) => {
      if (/^[\w-]+(\[.*\])?$/.test(key)) return index === 0 ? key : `.${key}`;
      return `[${key}]`;
    })
    .join('');
}

// A whole object that comes or goes may hold masked parts.
function cleaned(value: Json): Json {
  return masked({ value }).value ?? null;
}
