import { isDeepStrictEqual } from 'node:util';
import type { Json, JsonObject } from '../engine/json.ts';
import type { KubernetesObject, KubernetesWriter, ObjectRef, PatchOptions } from './kubernetes.ts';
import type { Calls } from './kubernetes-calls.ts';
import type { ApiRequest } from './kubernetes-connection.ts';
import type { Discovery } from './kubernetes-discovery.ts';
import { AnswerError, type ApiStatus, refusal } from './kubernetes-errors.ts';
import { asObject } from './kubernetes-kinds.ts';
import { listAll } from './kubernetes-list.ts';
import { collection, objectPath, placeOf } from './kubernetes-paths.ts';

const fieldManager = 'runbook';

const patchTypes = {
  strategic: 'application/strategic-merge-patch+json',
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
} as const;

type Objects = Pick<
  KubernetesWriter,
  'get' | 'list' | 'dryRunPatch' | 'dryRunApply' | 'dryRunDelete' | 'patch' | 'apply' | 'create' | 'delete'
>;

/** Reading and changing objects. */
export function createObjects(calls: Calls, discovery: Discovery): Objects {
  const target = (manifest: JsonObject) => manifestTarget(discovery, manifest);
  return {
    get: (ref) => getObject(calls, ref),
    list: async (kind, options) => (await listAll(calls, kind, options)).items,
    patch: async (ref, patch) => asObject(await calls.write(patchRequest(ref, patch, false)), ref.kind),
    dryRunPatch: async (ref, patch) => asObject(await calls.read(patchRequest(ref, patch, true)), ref.kind),
    apply: async (manifest, options) => {
      const { ref } = await target(manifest);
      const request = applyRequest(ref, manifest, { force: options?.force === true, dryRun: false });
      return asObject(await calls.write(request), ref.kind);
    },
    dryRunApply: async (manifest) => {
      const { ref } = await target(manifest);
      return asObject(
        await calls.read(applyRequest(ref, manifest, { force: false, dryRun: true })),
        ref.kind,
      );
    },
    create: async (manifest) => {
      const { ref, path } = await target(manifest);
      const answer = await calls.write({
        method: 'POST',
        path,
        query: { fieldManager },
        body: JSON.stringify(manifest),
        place: placeOf('create', ref, true),
      });
      return asObject(answer, ref.kind);
    },
    delete: async (ref, options) => {
      await calls.write({
        method: 'DELETE',
        path: objectPath(ref),
        body: JSON.stringify(deleteOptions(options)),
        place: placeOf('delete', ref, true),
      });
    },
    dryRunDelete: async (ref) => {
      // No body: with one, the API server would take its options from there and really delete.
      await calls.read({
        method: 'DELETE',
        path: objectPath(ref),
        query: { dryRun: 'All' },
        place: placeOf('dry-run deleting', ref, false),
      });
    },
  };
}

async function getObject(calls: Calls, ref: ObjectRef): Promise<KubernetesObject | undefined> {
  const request: ApiRequest = { method: 'GET', path: objectPath(ref), place: placeOf('get', ref, false) };
  try {
    return asObject(await calls.read(request), ref.kind);
  } catch (cause) {
    if (cause instanceof AnswerError && cause.status === 404 && isAbout(cause.answer, ref)) return undefined;
    throw cause;
  }
}

/** "Not found" of this object; a 404 of a proxy, or of a kind that is not served, proves nothing about it. */
function isAbout(answer: ApiStatus | undefined, ref: ObjectRef): boolean {
  return answer?.reason === 'NotFound' && answer.details?.name === ref.name;
}

function patchRequest(ref: ObjectRef, patch: PatchOptions, dryRun: boolean): ApiRequest {
  const shown = patch.subresource === undefined ? '' : ` (${patch.subresource})`;
  return {
    method: 'PATCH',
    path: objectPath(ref, patch.subresource),
    query: { fieldManager, dryRun: dryRun ? 'All' : undefined },
    body: JSON.stringify(withResourceVersion(patch)),
    contentType: patchTypes[patch.type],
    place: placeOf(`${dryRun ? 'dry-run patching' : 'patch'}${shown}`, ref, !dryRun),
  };
}

/** Carries the expected version inside the patch, so that the API server answers 409 when the object moved. */
function withResourceVersion({ type, body, resourceVersion }: PatchOptions): Json {
  if (resourceVersion === undefined) return body;
  if (resourceVersion === '') throw refusal('The expected resourceVersion is empty.', 'EmptyName');
  if (type === 'json') {
    const operations: readonly Json[] = Array.isArray(body) ? body : [];
    return [{ op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion }, ...operations];
  }
  const patch = isObject(body) ? body : {};
  const metadata = isObject(patch.metadata) ? patch.metadata : {};
  return { ...patch, metadata: { ...metadata, resourceVersion } };
}

function applyRequest(
  ref: ObjectRef,
  manifest: JsonObject,
  mode: { readonly force: boolean; readonly dryRun: boolean },
): ApiRequest {
  return {
    method: 'PATCH',
    path: objectPath(ref),
    query: {
      fieldManager,
      force: mode.force ? 'true' : undefined,
      dryRun: mode.dryRun ? 'All' : undefined,
    },
    body: JSON.stringify(manifest),
    contentType: 'application/apply-patch+yaml',
    place: placeOf(mode.dryRun ? 'dry-run applying' : 'apply', ref, !mode.dryRun),
  };
}

function deleteOptions(options: Parameters<KubernetesWriter['delete']>[1]): JsonObject {
  const preconditions = {
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.resourceVersion === undefined ? {} : { resourceVersion: options.resourceVersion }),
  };
  return {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    ...(isDeepStrictEqual(preconditions, {}) ? {} : { preconditions }),
    ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
    ...(options.propagation === undefined ? {} : { propagationPolicy: options.propagation }),
  };
}

async function manifestTarget(discovery: Discovery, manifest: JsonObject) {
  const { apiVersion, kind: kindName } = manifest;
  const metadata = isObject(manifest.metadata) ? manifest.metadata : {};
  if (typeof apiVersion !== 'string' || typeof kindName !== 'string') {
    throw refusal('A manifest needs apiVersion and kind.', 'InvalidManifest');
  }
  const { name, namespace } = metadata;
  if (typeof name !== 'string') {
    throw refusal(`The manifest of a ${kindName} needs metadata.name.`, 'InvalidManifest');
  }
  const kind = await discovery.kindOf(apiVersion, kindName);
  const scoped = kind.namespaced && typeof namespace === 'string' ? { namespace } : {};
  const ref: ObjectRef = { kind, name, ...scoped };
  return { ref, path: collection(kind, ref.namespace) };
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
