import { ApiFailure, badRequest } from './api-error.ts';

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Lists that the API merges item by item, and the field that tells items apart. */
const MERGE_KEYS: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  ephemeralContainers: ['name'],
  env: ['name'],
  volumes: ['name'],
  volumeMounts: ['mountPath'],
  volumeDevices: ['devicePath'],
  imagePullSecrets: ['name'],
  ports: ['containerPort', 'port'],
  hostAliases: ['ip'],
  conditions: ['type'],
  ownerReferences: ['uid'],
  secrets: ['name'],
  topologySpreadConstraints: ['topologyKey'],
};

/** The field that tells the items of a list apart; undefined for lists that are replaced as a whole. */
export function mergeKey(list: string, items: readonly unknown[]): string | undefined {
  return MERGE_KEYS[list]?.find((key) => items.every((item) => isFields(item) && item[key] !== undefined));
}

/** RFC 7396. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const result: Record<string, unknown> = isFields(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

function strategicList(target: unknown, patch: readonly unknown[], name: string): unknown {
  const directives = patch.filter((item) => isFields(item) && item.$patch !== undefined);
  const items = patch.filter((item) => !(isFields(item) && item.$patch !== undefined));
  if (directives.some((item) => isFields(item) && item.$patch === 'replace')) return items;
  const key = mergeKey(name, [...items, ...directives]);
  if (key === undefined) return name === 'finalizers' ? [...new Set([...asList(target), ...patch])] : patch;
  let result = [...asList(target)];
  for (const item of directives) {
    if (isFields(item)) result = result.filter((old) => !(isFields(old) && old[key] === item[key]));
  }
  for (const item of items) {
    const at = result.findIndex((old) => isFields(old) && isFields(item) && old[key] === item[key]);
    if (at === -1) result.push(strategicMerge({}, item));
    else result[at] = strategicMerge(result[at], item);
  }
  return result;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Strategic merge patch: maps are merged, the common lists item by item, null removes, `$patch` directives are honoured. */
export function strategicMerge(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  if (patch.$patch === 'replace') {
    const { $patch: _, ...rest } = patch;
    return rest;
  }
  const result: Record<string, unknown> = isFields(target) ? { ...target } : {};
  const retained = patch.$retainKeys;
  if (Array.isArray(retained))
    for (const key of Object.keys(result)) if (!retained.includes(key)) delete result[key];
  for (const [key, value] of Object.entries(patch)) {
    const removed = key.startsWith('$deleteFromPrimitiveList/') ? key.slice(key.indexOf('/') + 1) : undefined;
    if (removed !== undefined)
      result[removed] = asList(result[removed]).filter((item) => !asList(value).includes(item));
    else if (key.startsWith('$')) continue;
    else if (value === null) delete result[key];
    else if (isFields(value) && value.$patch === 'delete') delete result[key];
    else if (Array.isArray(value)) result[key] = strategicList(result[key], value, key);
    else result[key] = strategicMerge(result[key], value);
  }
  return result;
}

function pointer(path: unknown): readonly string[] {
  if (typeof path !== 'string' || (path !== '' && !path.startsWith('/')))
    throw badRequest(`json patch: invalid path ${JSON.stringify(path)}`);
  return path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function read(target: unknown, path: readonly string[]): unknown {
  let value = target;
  for (const part of path) {
    if (Array.isArray(value)) value = value[Number(part)];
    else value = isFields(value) && Object.hasOwn(value, part) ? value[part] : undefined;
  }
  return value;
}

interface Edit {
  readonly op: 'add' | 'replace' | 'remove';
  readonly value?: unknown;
}

function impossible(path: readonly string[]): Error {
  return new ApiFailure(
    422,
    'Invalid',
    `the server rejected our request: json patch path /${path.join('/')} does not exist`,
  );
}

function edit(target: unknown, path: readonly string[], change: Edit): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return change.value;
  if (Array.isArray(target)) {
    const at = head === '-' ? target.length : Number(head);
    if (
      !Number.isInteger(at) ||
      at > target.length ||
      (at === target.length && (change.op !== 'add' || rest.length > 0))
    )
      throw impossible(path);
    const list = [...target];
    if (rest.length > 0) list[at] = edit(list[at], rest, change);
    else if (change.op === 'remove') list.splice(at, 1);
    else list.splice(at, change.op === 'add' ? 0 : 1, change.value);
    return list;
  }
  if (!isFields(target)) throw impossible(path);
  const result: Record<string, unknown> = { ...target };
  if (rest.length > 0) {
    if (!Object.hasOwn(result, head)) throw impossible(path);
    result[head] = edit(result[head], rest, change);
  } else if (change.op === 'remove') {
    if (!Object.hasOwn(result, head)) throw impossible(path);
    delete result[head];
  } else if (change.op === 'replace' && !Object.hasOwn(result, head)) throw impossible(path);
  else result[head] = change.value;
  return result;
}

/** RFC 6902. A failed `test` or a path that is not there is refused as Invalid. */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw badRequest('json patch: the body must be a list of operations');
  let result = target;
  for (const operation of operations) {
    if (!isFields(operation)) throw badRequest('json patch: an operation must be an object');
    const path = pointer(operation.path);
    const { op, value } = operation;
    if (op === 'test') {
      if (JSON.stringify(read(result, path)) !== JSON.stringify(value))
        throw new ApiFailure(
          422,
          'Invalid',
          `the server rejected our request: testing path ${String(operation.path)} value failed`,
        );
    } else if (op === 'add' || op === 'replace' || op === 'remove')
      result = edit(result, path, { op, value });
    else if (op === 'copy')
      result = edit(result, path, { op: 'add', value: read(result, pointer(operation.from)) });
    else if (op === 'move') {
      const from = pointer(operation.from);
      const moved = read(result, from);
      result = edit(edit(result, from, { op: 'remove' }), path, { op: 'add', value: moved });
    } else throw badRequest(`json patch: unexpected kind: ${String(op)}`);
  }
  return result;
}
