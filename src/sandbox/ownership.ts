import { ApiFailure } from './api-error.ts';
import { type Fields, isFields, mergeKey } from './patch.ts';

/** Managers ('runbook:Apply', 'helm:Update') by field path. */
export type Owners = ReadonlyMap<string, ReadonlySet<string>>;

const NOT_OWNED = new Set(['apiVersion', 'kind', 'metadata.name', 'metadata.namespace']);

/** Leaf values by path: '.spec.template.spec.containers[name="app"].image'. Lists without keys are one leaf. */
export function leaves(value: Fields): Map<string, unknown> {
  const found = new Map<string, unknown>();
  const visit = (inner: unknown, path: string, name: string): void => {
    if (isFields(inner) && Object.keys(inner).length > 0) {
      for (const [key, child] of Object.entries(inner)) visit(child, `${path}.${key}`, key);
      return;
    }
    const key = Array.isArray(inner) && inner.length > 0 ? mergeKey(name, inner) : undefined;
    if (Array.isArray(inner) && key !== undefined) {
      for (const item of inner)
        if (isFields(item)) visit(item, `${path}[${key}=${JSON.stringify(item[key])}]`, '');
    } else found.set(path, inner);
  };
  visit(value, '', '');
  for (const path of NOT_OWNED) found.delete(`.${path}`);
  return found;
}

/** What an author can own: everything but status and what the server writes into metadata. */
function ownable(object: Fields): Fields {
  const { status: _, apiVersion: _a, kind: _k, metadata, ...rest } = object;
  const { labels, annotations } = isFields(metadata) ? metadata : {};
  return {
    ...rest,
    metadata: { ...(isFields(labels) ? { labels } : {}), ...(isFields(annotations) ? { annotations } : {}) },
  };
}

/** After an update: every leaf that changed belongs to this manager alone. */
export function ownedAfterUpdate(
  owners: Owners,
  change: { readonly before: Fields; readonly after: Fields; readonly manager: string },
): Owners {
  const before = leaves(ownable(change.before));
  const after = leaves(ownable(change.after));
  const result = new Map([...owners].filter(([path]) => after.has(path)));
  for (const [path, value] of after)
    if (!before.has(path) || JSON.stringify(before.get(path)) !== JSON.stringify(value))
      result.set(path, new Set([change.manager]));
  return result;
}

/** Refuses to change what others own; the message names every manager with its fields, as the API does. */
export function refuseConflicts(
  owners: Owners,
  apply: { readonly live: Fields; readonly manifest: Fields; readonly manager: string },
): void {
  const live = leaves(ownable(apply.live));
  const lost = new Map<string, string[]>();
  let count = 0;
  for (const [path, value] of leaves(ownable(apply.manifest))) {
    if (!live.has(path) || JSON.stringify(live.get(path)) === JSON.stringify(value)) continue;
    for (const owner of owners.get(path) ?? []) {
      if (owner === apply.manager) continue;
      count += 1;
      const name = owner.slice(0, owner.lastIndexOf(':'));
      lost.set(name, [...(lost.get(name) ?? []), path]);
    }
  }
  if (count === 0) return;
  const list = [...lost].map(([name, paths]) => `conflicts with "${name}":\n- ${paths.join('\n- ')}`);
  throw new ApiFailure(
    409,
    'Conflict',
    `Apply failed with ${count} conflict${count === 1 ? '' : 's'}: ${list.join('\n')}`,
    {
      causes: [...lost].flatMap(([name, paths]) =>
        paths.map((field) => ({ reason: 'FieldManagerConflict', message: `conflict with "${name}"`, field })),
      ),
    },
  );
}

/** Owners after an apply, and the paths that the manager gave up and nobody else holds. */
export function ownedAfterApply(
  owners: Owners,
  apply: {
    readonly manifest: Fields;
    readonly manager: string;
    readonly force: boolean;
    readonly live: Fields;
  },
): { readonly owners: Owners; readonly dropped: readonly string[] } {
  const wanted = leaves(ownable(apply.manifest));
  const live = leaves(ownable(apply.live));
  const result = new Map(owners);
  const dropped: string[] = [];
  for (const [path, holders] of owners) {
    if (!holders.has(apply.manager) || wanted.has(path)) continue;
    const others = new Set([...holders].filter((holder) => holder !== apply.manager));
    if (others.size > 0) result.set(path, others);
    else {
      result.delete(path);
      dropped.push(path);
    }
  }
  for (const [path, value] of wanted) {
    const same = JSON.stringify(live.get(path)) === JSON.stringify(value);
    result.set(path, new Set(same ? [...(owners.get(path) ?? []), apply.manager] : [apply.manager]));
  }
  return { owners: result, dropped };
}

/** The object without some leaves; list items and maps that become empty go too. */
export function withoutLeaves(object: Fields, dropped: readonly string[]): Fields {
  if (dropped.length === 0) return object;
  const gone = new Set(dropped);
  const visit = (value: unknown, path: string, name: string): unknown => {
    if (gone.has(path)) return undefined;
    if (isFields(value)) {
      const kept = Object.entries(value)
        .map(([key, child]) => [key, visit(child, `${path}.${key}`, key)] as const)
        .filter(([, child]) => child !== undefined);
      return kept.length === 0 && Object.keys(value).length > 0 ? undefined : Object.fromEntries(kept);
    }
    const key = Array.isArray(value) && value.length > 0 ? mergeKey(name, value) : undefined;
    if (!Array.isArray(value) || key === undefined) return value;
    const kept = value
      .map((item: Fields) => visit(item, `${path}[${key}=${JSON.stringify(item[key])}]`, ''))
      .filter((item) => item !== undefined);
    return kept.length === 0 ? undefined : kept;
  };
  return (visit(object, '', '') ?? {}) as Fields;
}
