import { Secret } from '../engine/secret.ts';
import type { HttpResponse } from './http.ts';
import { rawMember } from './json-member.ts';
import {
  type KvMetadata,
  type KvPath,
  type KvRead,
  type KvVersion,
  OpenBaoError,
  type OpenBaoWriter,
} from './openbao.ts';
import { requireVersioned } from './openbao-mount.ts';
import { pathOf } from './openbao-paths.ts';
import { parseAnswer, parseJson, refusal } from './openbao-refusal.ts';
import type { Body, Endpoint, Transport } from './openbao-transport.ts';

/** The versioned key-value engine. */
export function keyValue(
  open: Transport,
): Pick<OpenBaoWriter, 'kvRead' | 'kvMetadata' | 'kvWrite' | 'kvConfigure' | 'kvUndelete'> {
  return {
    kvRead: (pod, at, token, signal) =>
      failedInstead(async () => {
        const bao = open(pod, 'any');
        const path = `${pathOf(bao.place, [at.mount, 'data', at.path])}${versionQuery(bao.place, at.version)}`;
        const answer = await bao.ask({ method: 'GET', path, token, write: false }, signal);
        if (answer.status === 200) return found(bao, answer, at);
        const gone = goneVersion(answer);
        if (gone !== undefined) return gone;
        if (!saysNothing(answer)) throw refusal(bao.place, answer, { path, write: false });
        await requireVersioned(bao, at.mount, token, signal);
        return { state: 'not-found', reason: 'absent' };
      }),

    kvMetadata: (pod, at, token, signal) =>
      failedInstead(async () => {
        const bao = open(pod, 'any');
        const path = pathOf(bao.place, [at.mount, 'metadata', at.path]);
        const answer = await bao.ask({ method: 'GET', path, token, write: false }, signal);
        if (answer.status === 200) return { state: 'found', metadata: toMetadata(bao, answer) };
        if (!saysNothing(answer)) throw refusal(bao.place, answer, { path, write: false });
        await requireVersioned(bao, at.mount, token, signal);
        return { state: 'not-found' };
      }),

    kvWrite: async (pod, at, token, signal) => {
      const bao = open(pod, 'any');
      const path = pathOf(bao.place, [at.mount, 'data', at.path]);
      const body = writeBody(bao, at);
      await requireVersioned(bao, at.mount, token, signal);
      const answer = await bao.change({ method: 'POST', path, token, body }, signal);
      const version = recordOf(parseJson(answer.body)?.data)?.version;
      if (typeof version === 'number') return version;
      throw new OpenBaoError(
        `${bao.place} took the write of ${shown(at)} but told no version (status ${answer.status}).`,
        { status: answer.status, outcome: 'unknown', retryable: false },
      );
    },

    kvConfigure: async (pod, at, token, signal) => {
      const bao = open(pod, 'any');
      const path = pathOf(bao.place, [at.mount, 'metadata', at.path]);
      const settings = {
        ...(at.casRequired === undefined ? {} : { cas_required: at.casRequired }),
        ...(at.maxVersions === undefined ? {} : { max_versions: at.maxVersions }),
      };
      await requireVersioned(bao, at.mount, token, signal);
      const body = Buffer.from(JSON.stringify(settings));
      const type = 'application/merge-patch+json';
      await bao.change({ method: 'PATCH', path, token, body, type }, signal);
    },

    kvUndelete: async (pod, at, token, signal) => {
      const bao = open(pod, 'any');
      const path = pathOf(bao.place, [at.mount, 'undelete', at.path]);
      await requireVersioned(bao, at.mount, token, signal);
      const body = Buffer.from(JSON.stringify({ versions: at.versions }));
      await bao.change({ method: 'POST', path, token, body }, signal);
    },
  };
}

async function failedInstead<T>(
  read: () => Promise<T>,
): Promise<T | { readonly state: 'failed'; readonly error: OpenBaoError }> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof OpenBaoError) return { state: 'failed', error };
    throw error;
  }
}

function found(bao: Endpoint, answer: HttpResponse, at: KvPath): KvRead {
  const data = recordOf(parseAnswer(bao.place, answer).data);
  const metadata = recordOf(data?.metadata);
  const fields = recordOf(data?.data) === undefined ? undefined : rawMember(answer.body, ['data', 'data']);
  if (
    fields === undefined ||
    typeof metadata?.version !== 'number' ||
    typeof metadata.created_time !== 'string'
  )
    throw new OpenBaoError(
      `${bao.place} told no version of ${shown(at)}. — Is ${at.mount} a versioned key-value engine (kv, version 2)?`,
      { status: answer.status, outcome: 'not-applied', retryable: false },
    );
  const { version, created_time: createdTime } = metadata;
  return { state: 'found', version, createdTime, data: Secret.fromText(shown(at), fields) };
}

/** A 404 that tells of a version without its content. */
function goneVersion(answer: HttpResponse): KvRead | undefined {
  if (answer.status !== 404) return undefined;
  const data = recordOf(parseJson(answer.body)?.data);
  const metadata = recordOf(data?.metadata);
  if (data?.data !== null || typeof metadata?.version !== 'number') return undefined;
  const { version } = metadata;
  if (metadata.destroyed === true) return { state: 'not-found', reason: 'destroyed', version };
  const deleted = typeof metadata.deletion_time === 'string' && metadata.deletion_time !== '';
  return deleted ? { state: 'not-found', reason: 'deleted', version } : undefined;
}

/** A 404 in OpenBao's own words for "nothing here". A mount that is not there, and a proxy, say something else. */
function saysNothing(answer: HttpResponse): boolean {
  if (answer.status !== 404) return false;
  const body = parseJson(answer.body);
  return (
    body !== undefined &&
    Object.keys(body).length === 1 &&
    Array.isArray(body.errors) &&
    body.errors.length === 0
  );
}

function toMetadata(bao: Endpoint, answer: HttpResponse): KvMetadata {
  const data = recordOf(parseAnswer(bao.place, answer).data) ?? {};
  const versions = recordOf(data.versions);
  if (versions === undefined || typeof data.current_version !== 'number')
    throw new OpenBaoError(`${bao.place} told no versions. — Is it a versioned key-value engine?`, {
      status: answer.status,
      outcome: 'not-applied',
      retryable: false,
    });
  return {
    currentVersion: data.current_version,
    oldestVersion: typeof data.oldest_version === 'number' ? data.oldest_version : 0,
    casRequired: data.cas_required === true,
    maxVersions: typeof data.max_versions === 'number' ? data.max_versions : 0,
    deleteVersionAfter: typeof data.delete_version_after === 'string' ? data.delete_version_after : '0s',
    versions: Object.entries(versions)
      .map(([version, entry]) => toVersion(Number(version), recordOf(entry) ?? {}))
      .sort((a, b) => a.version - b.version),
  };
}

function toVersion(version: number, entry: Body): KvVersion {
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return {
    version,
    createdTime: text(entry.created_time),
    deletionTime: text(entry.deletion_time),
    destroyed: entry.destroyed === true,
  };
}

function writeBody(bao: Endpoint, at: KvPath & { readonly cas: number; readonly data: Secret }): Uint8Array {
  const wrong = (why: string) =>
    new OpenBaoError(`Cannot write ${shown(at)} through ${bao.place}: ${why}.`, {
      outcome: 'not-applied',
      retryable: false,
    });
  if (!Number.isSafeInteger(at.cas) || at.cas < 0) throw wrong(`${at.cas} is no version to check against`);
  return at.data.reveal((bytes) => {
    if (parseJson(Buffer.from(bytes).toString('utf8')) === undefined)
      throw wrong('the data is no JSON object');
    return Buffer.concat([Buffer.from(`{"options":{"cas":${at.cas}},"data":`), bytes, Buffer.from('}')]);
  });
}

function versionQuery(place: string, version: number | undefined): string {
  if (version === undefined) return '';
  if (Number.isSafeInteger(version) && version > 0) return `?version=${version}`;
  throw new OpenBaoError(`Cannot ask ${place}: ${version} is no version.`, {
    outcome: 'not-applied',
    retryable: false,
  });
}

function shown({ mount, path }: KvPath): string {
  return `${mount}/${path}`;
}

function recordOf(value: unknown): Body | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : undefined;
}
