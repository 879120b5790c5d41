import type { Json, JsonObject } from '../../src/engine/json.ts';
import type { KubernetesObject, PatchOptions } from '../../src/services/kubernetes.ts';

/** As the API server would, as far as our patches go: lists of named items merge by name in a strategic patch. */
export function patched(object: KubernetesObject, patch: PatchOptions): KubernetesObject {
  const json = object as unknown as Json;
  const result =
    patch.type === 'json'
      ? (patch.body as readonly JsonObject[]).reduce(operate, json)
      : merged(json, patch.body, patch.type === 'strategic');
  return result as unknown as KubernetesObject;
}

/** A manifest laid over an object: its fields win, lists as wholes. */
export function replaceIn(object: Json, manifest: JsonObject): Json {
  return merged(object, manifest, false);
}

function merged(target: Json | undefined, patch: Json, strategic: boolean): Json {
  if (Array.isArray(patch))
    return strategic && patch.every(isNamed) && Array.isArray(target) ? mergedItems(target, patch) : patch;
  if (!isObject(patch)) return patch;
  const { $patch: directive, ...fields } = patch;
  const base = isObject(target) && directive !== 'replace' ? target : {};
  const result: { [key: string]: Json } = { ...base };
  for (const [key, value] of Object.entries(fields))
    if (value === null) delete result[key];
    else result[key] = merged(base[key], value, strategic);
  return result;
}

function mergedItems(target: readonly Json[], patch: readonly Json[]): Json {
  const items = [...target];
  for (const item of patch) {
    if (!isNamed(item)) continue;
    const index = items.findIndex((other) => isNamed(other) && other.name === item.name);
    if (item.$patch === 'delete') {
      if (index !== -1) items.splice(index, 1);
    } else if (index === -1) items.push(merged({}, item, true));
    else items[index] = merged(items[index], item, true);
  }
  return items;
}

function operate(object: Json, operation: JsonObject): Json {
  const keys = String(operation.path)
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  const copy = structuredClone(object);
  let at = copy as Record<string, Json>;
  for (const key of keys.slice(0, -1)) at = at[key] as unknown as Record<string, Json>;
  const last = keys.at(-1) ?? '';
  const value = operation.value ?? null;
  if (Array.isArray(at)) {
    if (operation.op === 'remove') at.splice(Number(last), 1);
    else if (operation.op === 'add') at.splice(last === '-' ? at.length : Number(last), 0, value);
    else at[Number(last)] = value;
  } else if (operation.op === 'remove') delete at[last];
  else at[last] = value;
  return copy;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNamed(value: Json): value is JsonObject & { readonly name: string } {
  return isObject(value) && typeof value.name === 'string';
}

export function hasLabels(object: KubernetesObject, selector: string | undefined): boolean {
  const pairs = selector === undefined ? [] : selector.split(',').map((pair) => pair.split('='));
  return pairs.every(([key = '', value]) => object.metadata.labels?.[key] === value);
}

export function hasFields(object: KubernetesObject, selector: string | undefined): boolean {
  const pairs = selector === undefined ? [] : selector.split(',').map((pair) => pair.split('='));
  return pairs.every(([path = '', value]) => {
    let at: unknown = object;
    for (const key of path.split('.')) at = (at as Record<string, unknown> | undefined)?.[key];
    return at === value;
  });
}

/** The API server moves stringData into data. */
export function withData(object: KubernetesObject): KubernetesObject {
  const { stringData, ...rest } = object as KubernetesObject & { readonly stringData?: JsonObject };
  if (stringData === undefined) return object;
  const encoded = Object.entries(stringData).map(([key, value]) => [
    key,
    Buffer.from(String(value)).toString('base64'),
  ]);
  return { ...(rest as KubernetesObject), data: { ...rest.data, ...Object.fromEntries(encoded) } };
}
