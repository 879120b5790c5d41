import type { Json, JsonObject } from '../../engine/json.ts';
import { isFields, mergeKey } from '../patch.ts';

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/**
 * The strategic merge patch that puts a manifest in place: all of it, and what the manifest before had and this one does not is removed.
 * What others have added to the object stays, as in Helm's three-way merge.
 */
export function upgradePatch(before: JsonObject | undefined, after: JsonObject): JsonObject {
  return mergeMaps(before ?? {}, after);
}

function mergeMaps(before: JsonObject, after: JsonObject): JsonObject {
  const removed = Object.keys(before).filter((key) => !(key in after));
  const kept = Object.entries(after).map(([key, value]) => [key, merged(key, before[key], value)] as const);
  return { ...Object.fromEntries(kept), ...Object.fromEntries(removed.map((key) => [key, null])) };
}

function merged(name: string, before: Json | undefined, after: Json): Json {
  if (isFields(after)) return mergeMaps(isFields(before) ? (before as JsonObject) : {}, after as JsonObject);
  if (!isList(after) || !isList(before)) return after;
  const key = mergeKey(name, [...before, ...after]);
  if (key === undefined) return after;
  const find = (list: readonly Json[], id: unknown) =>
    list.find((item) => isFields(item) && item[key] === id) as JsonObject | undefined;
  const items = after.map((item) => {
    const one = item as JsonObject;
    return mergeMaps(find(before, one[key]) ?? {}, one);
  });
  const removed = before
    .map((item) => item as JsonObject)
    .filter((item) => find(after, item[key]) === undefined)
    .map((item): JsonObject => ({ [key]: item[key] ?? null, $patch: 'delete' }));
  return [...items, ...removed];
}
