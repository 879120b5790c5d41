import { timestamp } from '../objects.ts';
import type { PodAnswer } from '../pod-port.ts';
import type { World } from '../world.ts';
import { answer, done, errors, goJson, nothing, wrapped } from './answers.ts';
import type { BaoCall } from './call.ts';
import { addVersion, casProblem, entryOf, named } from './kv.ts';
import { serverNow } from './server-clock.ts';
import type { BaoMount, KvEntry, KvVersionState } from './state.ts';

type Fields = Readonly<Record<string, unknown>>;

interface At {
  readonly mount: BaoMount;
  readonly path: string;
  readonly call: BaoCall;
}

/** Requests to a versioned key-value engine; `rest` is what follows the mount. */
export function versionedKv(
  world: World,
  mount: BaoMount,
  given: { rest: string; call: BaoCall },
): PodAnswer {
  const { rest, call } = given;
  const [what = '', ...segments] = rest.split('/');
  const at: At = { mount, path: segments.join('/'), call };
  const method = call.method === 'PUT' ? 'POST' : call.method;
  switch (`${method} ${what}`) {
    case 'GET data':
      return readData(world, at);
    case 'POST data':
      return writeData(world, at);
    case 'DELETE data':
      return remove(world, named(mount, at.path, [mount.entries.get(at.path)?.current]));
    case 'GET metadata':
      return readMetadata(world, at);
    case 'POST metadata':
      return configure(entryOf(mount, at.path, serverNow(world)), fieldsOf(call.body));
    case 'PATCH metadata':
      return patchMetadata(at);
    case 'DELETE metadata':
      mount.entries.delete(at.path);
      return done();
    case 'POST delete':
      return remove(world, named(mount, at.path, fieldsOf(call.body)?.versions));
    case 'POST undelete':
      for (const version of named(mount, at.path, fieldsOf(call.body)?.versions))
        version.deletedAt = undefined;
      return done();
    case 'POST destroy':
      for (const version of named(mount, at.path, fieldsOf(call.body)?.versions)) version.destroyed = true;
      return done();
    case 'GET config':
      return answer(world, { ...settings(mount), metadata_cas_required: false });
    case 'POST config':
      return configure(mount, fieldsOf(call.body));
  }
  if (['data', 'metadata', 'delete', 'undelete', 'destroy', 'config'].includes(what))
    return wrapped(405, 'unsupported operation');
  return answer(world, null, {
    status: 404,
    more: { warnings: ['Invalid path for a versioned K/V secrets engine.'] },
  });
}

/** Requests to a key-value engine of version 1. */
export function flatKv(world: World, mount: BaoMount, given: { rest: string; call: BaoCall }): PodAnswer {
  const { rest, call } = given;
  switch (call.method) {
    case 'GET': {
      const found = mount.flat.get(rest);
      return found === undefined ? nothing() : answer(world, JSON.parse(found));
    }
    case 'DELETE':
      mount.flat.delete(rest);
      return done();
    case 'PATCH':
      return wrapped(405, 'unsupported operation');
    default: {
      const fields = fieldsOf(call.body);
      if (fields === undefined) return errors(400, 'error parsing JSON');
      mount.flat.set(rest, goJson(fields));
      return done();
    }
  }
}

function readData(world: World, { mount, path, call }: At): PodAnswer {
  const entry = mount.entries.get(path);
  const asked = Number(call.query.version ?? 0);
  const number = asked === 0 ? (entry?.current ?? 0) : asked;
  const version = entry?.versions.get(number);
  if (version === undefined) return nothing();
  const metadata = versionFacts(version, number);
  if (version.destroyed || version.deletedAt !== undefined)
    return answer(world, { data: null, metadata }, { status: 404 });
  return answer(world, { data: JSON.parse(version.json), metadata });
}

function writeData(world: World, { mount, path, call }: At): PodAnswer {
  const fields = fieldsOf(call.body);
  if (fields === undefined) return errors(400, 'error parsing JSON');
  const { data, options } = fields;
  if (data === undefined || data === null) return errors(400, 'no data provided');
  if (typeof data !== 'object' || Array.isArray(data))
    return errors(400, `error converting input for field "data": expected a map, got '${typeof data}'`);
  const problem = casProblem(mount, path, options);
  if (problem !== undefined) return errors(400, problem);
  const entry = addVersion(mount, path, { json: goJson(data), now: serverNow(world) });
  const version = entry.versions.get(entry.current);
  return version === undefined ? nothing() : answer(world, versionFacts(version, entry.current));
}

function remove(world: World, versions: readonly KvVersionState[]): PodAnswer {
  for (const version of versions) if (!version.destroyed) version.deletedAt ??= serverNow(world);
  return done();
}

function versionFacts(version: KvVersionState, number: number): Fields {
  return { ...moments(version), custom_metadata: null, destroyed: version.destroyed, version: number };
}

function moments({ createdAt, deletedAt }: KvVersionState): Fields {
  return {
    created_time: timestamp(createdAt),
    deletion_time: deletedAt === undefined ? '' : timestamp(deletedAt),
  };
}

function readMetadata(world: World, { mount, path }: At): PodAnswer {
  const entry = mount.entries.get(path);
  if (entry === undefined) return nothing();
  const versions = [...entry.versions].map(([number, version]) => [
    String(number),
    { ...moments(version), destroyed: version.destroyed },
  ]);
  return answer(world, {
    ...settings(entry),
    created_time: timestamp(entry.createdAt),
    current_metadata_version: 0,
    current_version: entry.current,
    custom_metadata: null,
    metadata_cas_required: false,
    oldest_version: entry.oldest,
    updated_time: timestamp(entry.updatedAt),
    versions: Object.fromEntries(versions),
  });
}

function settings({ casRequired, maxVersions }: Pick<KvEntry, 'casRequired' | 'maxVersions'>): Fields {
  return { cas_required: casRequired, delete_version_after: '0s', max_versions: maxVersions };
}

function patchMetadata({ mount, path, call }: At): PodAnswer {
  if (call.type !== 'application/merge-patch+json')
    return errors(
      415,
      `PATCH requires Content-Type of application/merge-patch+json, provided ${call.type ?? ''}`,
    );
  const entry = mount.entries.get(path);
  if (entry === undefined) return { status: 404, type: 'application/json', body: '' };
  return configure(entry, fieldsOf(call.body));
}

function configure(
  target: { casRequired: boolean; maxVersions: number },
  fields: Fields | undefined,
): PodAnswer {
  if (fields === undefined) return errors(400, 'error parsing JSON');
  const { cas_required: casRequired, max_versions: maxVersions } = fields;
  if (typeof maxVersions === 'number' && (maxVersions < 0 || !Number.isInteger(maxVersions)))
    return wrapped(500, `json: cannot unmarshal number ${maxVersions} into max_versions of type uint32`);
  if (typeof casRequired === 'boolean') target.casRequired = casRequired;
  if (typeof maxVersions === 'number') target.maxVersions = maxVersions;
  return done();
}

export function fieldsOf(body: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body === '' ? '{}' : body);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Fields)
      : undefined;
  } catch {
    return undefined;
  }
}
