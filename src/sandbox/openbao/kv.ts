import type { World } from '../world.ts';
import { goJson } from './answers.ts';
import { clusterOf } from './cluster.ts';
import { addMount } from './mounts.ts';
import type { BaoMount, KvEntry, KvVersionState } from './state.ts';

/** Versions that an engine keeps unless told otherwise. */
const KEPT = 10;

/** An entry, made when there is none. */
export function entryOf(mount: BaoMount, path: string, now: number): KvEntry {
  const known = mount.entries.get(path);
  if (known !== undefined) return known;
  const made: KvEntry = {
    versions: new Map(),
    current: 0,
    oldest: 0,
    casRequired: false,
    maxVersions: 0,
    createdAt: now,
    updatedAt: now,
  };
  mount.entries.set(path, made);
  return made;
}

/** Adds a version and forgets what is beyond the limit (openbao `builtin/logical/kv/path_data.go`, AddVersion). */
export function addVersion(mount: BaoMount, path: string, given: { json: string; now: number }): KvEntry {
  const entry = entryOf(mount, path, given.now);
  entry.current += 1;
  entry.updatedAt = given.now;
  entry.versions.set(entry.current, {
    json: given.json,
    createdAt: given.now,
    deletedAt: undefined,
    destroyed: false,
  });
  const limit = Math.max(entry.maxVersions, mount.maxVersions) || KEPT;
  if (entry.current - entry.oldest >= limit) {
    for (let version = entry.oldest; version <= entry.current - limit; version += 1)
      entry.versions.delete(version);
    entry.oldest = entry.current - limit + 1;
  }
  return entry;
}

/** Why a write must not be; undefined when it may. */
export function casProblem(mount: BaoMount, path: string, options: unknown): string | undefined {
  const entry = mount.entries.get(path);
  const cas = typeof options === 'object' && options !== null && 'cas' in options ? options.cas : undefined;
  if (cas === undefined)
    return mount.casRequired || entry?.casRequired === true
      ? 'check-and-set parameter required for this call'
      : undefined;
  const expected = typeof cas === 'string' && cas !== '' ? Number(cas) : cas;
  if (typeof expected !== 'number' || !Number.isInteger(expected))
    return 'error parsing check-and-set parameter';
  return expected === (entry?.current ?? 0)
    ? undefined
    : 'check-and-set parameter did not match the current version';
}

/** The versions of an entry that a request names. */
export function named(mount: BaoMount, path: string, versions: unknown): readonly KvVersionState[] {
  const entry = mount.entries.get(path);
  const numbers = Array.isArray(versions) ? versions.map(Number) : [];
  return numbers.flatMap((number) => entry?.versions.get(number) ?? []);
}

/**
 * Puts a new version of a secret where no run has been yet: for the seeded world, before anything is recorded. Makes the mount
 * when it is missing. `createdAt`: milliseconds since the epoch; now unless given. Gives the version.
 */
export function kvSeed(
  world: World,
  namespace: string,
  mount: string,
  path: string,
  data: object,
  createdAt: number = world.timeline.now,
): number {
  const cluster = clusterOf(world, namespace);
  const engine =
    cluster.mounts.get(mount) ?? addMount(world, cluster, { path: mount, type: 'kv', version: '2' });
  return addVersion(engine, path, { json: goJson(data), now: createdAt }).current;
}

/** The fields of the newest version (or another one); undefined when there is none that can be read. For what runs inside the world. */
export function kvPeek(
  world: World,
  namespace: string,
  mount: string,
  path: string,
  version?: number,
): { readonly version: number; readonly data: Readonly<Record<string, unknown>> } | undefined {
  const entry = world.openbao.get(namespace)?.mounts.get(mount)?.entries.get(path);
  const number = version ?? entry?.current ?? 0;
  const found = entry?.versions.get(number);
  if (found === undefined || found.destroyed || found.deletedAt !== undefined) return undefined;
  return { version: number, data: JSON.parse(found.json) as Record<string, unknown> };
}
