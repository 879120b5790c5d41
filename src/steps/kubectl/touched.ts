import type { Json, JsonObject } from '../../engine/json.ts';

/** Where a change reaches into an object. A list is touched as a whole: its items have no stable place. */
export type FieldPath = readonly string[];

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The fields that a merge patch, a strategic patch or a manifest touches. */
export function touchedFields(change: JsonObject, prefix: FieldPath = []): readonly FieldPath[] {
  const directive = Object.keys(change).some((key) => key === '$patch' || key === '$retainKeys');
  if (directive) return [prefix];
  return Object.entries(change).flatMap(([key, value]): readonly FieldPath[] => {
    if (key.startsWith('$')) return [[...prefix, key.slice(key.indexOf('/') + 1)]];
    const path = [...prefix, key];
    return isObject(value) && Object.keys(value).length > 0 ? touchedFields(value, path) : [path];
  });
}

/** The fields that a JSON patch touches; inside a list that is the list. */
export function touchedByOperations(
  operations: readonly { readonly op: string; readonly path: string; readonly from?: string }[],
): readonly FieldPath[] {
  return operations
    .filter(({ op }) => op !== 'test')
    .flatMap(({ op, path, from }) => (op === 'move' && from !== undefined ? [path, from] : [path]))
    .map((pointer) => {
      const keys = pointer
        .split('/')
        .slice(1)
        .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
      const index = keys.findIndex((key) => /^(\d+|-)$/.test(key));
      return index === -1 ? keys : keys.slice(0, index);
    });
}

export function fieldAt(object: unknown, path: FieldPath): Json | undefined {
  let current: unknown = object;
  for (const key of path) {
    if (!isObject(current) || !Object.hasOwn(current, key)) return undefined;
    current = current[key];
  }
  return current as Json | undefined;
}

/** What stands at each path, or on the way to it where that is no object; a path that leads nowhere is left out. */
export function pick(object: unknown, paths: readonly FieldPath[]): Readonly<Record<string, Json>> {
  const picked: Record<string, Json> = {};
  for (const path of paths) {
    const end = path.findIndex((_, index) => {
      const above = fieldAt(object, path.slice(0, index));
      return above !== undefined && !isObject(above);
    });
    const reached = end === -1 ? path : path.slice(0, end);
    const value = fieldAt(object, reached);
    if (value !== undefined) picked[JSON.stringify(reached)] = value;
  }
  return picked;
}

/** The merge patch that puts back what `pick` found; what was not there is removed again. */
export function inversePatch(
  paths: readonly FieldPath[],
  picked: Readonly<Record<string, Json>>,
  current: unknown,
): JsonObject {
  const patch: { [key: string]: Json } = {};
  for (const touched of paths) {
    const path = recordedAt(touched, picked);
    const before = picked[JSON.stringify(path)];
    if (before === undefined && fieldAt(current, path) === undefined) continue;
    setAt(patch, path, before === undefined ? null : replaced(fieldAt(current, path), before));
  }
  return patch;
}

function recordedAt(path: FieldPath, picked: Readonly<Record<string, Json>>): FieldPath {
  for (let length = path.length; length > 0; length--) {
    const shorter = path.slice(0, length);
    if (Object.hasOwn(picked, JSON.stringify(shorter))) return shorter;
  }
  return path;
}

// A merge patch adds to an object: keys that are there now and were not before have to be named to go away.
function replaced(current: Json | undefined, before: Json): Json {
  if (!isObject(before) || !isObject(current)) return before;
  const gone = Object.keys(current).filter((key) => !Object.hasOwn(before, key));
  return {
    ...Object.fromEntries(gone.map((key) => [key, null])),
    ...Object.fromEntries(Object.entries(before).map(([key, value]) => [key, replaced(current[key], value)])),
  };
}

function setAt(target: { [key: string]: Json }, path: FieldPath, value: Json): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const inner = target[key];
  const next: { [key: string]: Json } = isObject(inner) ? { ...inner } : {};
  target[key] = next;
  setAt(next, rest, value);
}
