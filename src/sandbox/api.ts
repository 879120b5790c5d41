import type { Kind, ObjectRef, PatchOptions } from '../services/kubernetes.ts';
import { kinds } from '../services/kubernetes.ts';
import { alreadyExists, badRequest, conflict, notFound } from './api-error.ts';
import { apiVersionOf, kindOfManifest } from './catalog.ts';
import { withDefaults } from './defaults.ts';
import { canonical, type Meta, type Thing, timestamp } from './objects.ts';
import {
  type Owners,
  ownedAfterApply,
  ownedAfterUpdate,
  refuseConflicts,
  withoutLeaves,
} from './ownership.ts';
import { type Fields, isFields, jsonPatch, mergePatch, strategicMerge } from './patch.ts';
import { admitPod } from './quota.ts';
import { patchScale } from './scale.ts';
import { validate } from './validation.ts';
import type { World } from './world.ts';

export interface WriteOptions {
  readonly dryRun: boolean;
  /** Who writes: 'runbook', 'helm'. */
  readonly manager: string;
}

const NONE: Owners = new Map();
const WITH_GENERATION = new Set([
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
  'DaemonSet',
  'Job',
  'HorizontalPodAutoscaler',
  'PodDisruptionBudget',
  'Gateway',
]);
const WITHOUT_STATUS = new Set(['Secret', 'ConfigMap', 'Lease', 'Role', 'RoleBinding', 'ServiceAccount']);

function meta(object: Fields): Fields {
  return isFields(object.metadata) ? object.metadata : {};
}

/** The object of a reference, or NotFound. */
export function existing(world: World, ref: ObjectRef): Thing {
  const found = world.store.get(ref.kind, ref.kind.namespaced ? ref.namespace : undefined, ref.name);
  if (found === undefined) throw notFound(ref.kind, ref.name);
  return found;
}

function initialStatus(kind: Kind): Fields {
  if (kind.kind === 'Pod') return { status: { phase: 'Pending', qosClass: 'BestEffort' } };
  if (kind.kind === 'Namespace') return { status: { phase: 'Active' } };
  return kind.group === 'apps' && kind.kind !== 'ControllerRevision' ? { status: { replicas: 0 } } : {};
}

/** Creates an object as the API server does: defaults, validation, quota, server-side metadata. */
export function createObject(world: World, manifest: Fields, options: WriteOptions): Thing {
  const kind = kindOfManifest(String(manifest.apiVersion), String(manifest.kind));
  const given = meta(manifest);
  const namespace = kind.namespaced ? String(given.namespace ?? '') : undefined;
  if (namespace === '') throw badRequest('an empty namespace may not be set during creation');
  if (namespace !== undefined && world.store.get(kinds.namespaces, undefined, namespace) === undefined)
    throw notFound(kinds.namespaces, namespace);
  const prefix = given.generateName;
  const name = given.name ?? (typeof prefix === 'string' ? `${prefix}${world.random.suffix(5)}` : '');
  const { generateName: _, resourceVersion: __, ...rest } = given;
  const complete = withDefaults({ ...manifest, metadata: { ...rest, name } });
  validate(kind, complete, undefined);
  if (world.store.get(kind, namespace, String(name)) !== undefined) throw alreadyExists(kind, String(name));
  const object = {
    ...complete,
    metadata: {
      ...meta(complete),
      ...(namespace === undefined ? {} : { namespace }),
      uid: options.dryRun ? '00000000-0000-4000-8000-000000000000' : world.random.uuid(),
      resourceVersion: '',
      ...(WITH_GENERATION.has(kind.kind) ? { generation: 1 } : {}),
      creationTimestamp: timestamp(world.timeline.now),
    },
    ...(WITHOUT_STATUS.has(kind.kind) ? {} : initialStatus(kind)),
  } as unknown as Thing;
  if (kind.kind === 'Pod') admitPod(world, object);
  if (options.dryRun) return object;
  world.owners.set(
    object.metadata.uid,
    ownedAfterUpdate(NONE, { before: {}, after: object, manager: options.manager }),
  );
  return world.store.put(kind, object);
}

interface Replacement {
  readonly kind: Kind;
  readonly before: Thing;
  readonly after: Fields;
  readonly status: boolean;
}

/** Stores a changed object: server fields stay, the generation counts changes of the spec, and no change is no write. */
function replaceObject(world: World, change: Replacement, options: WriteOptions): Thing {
  const { kind, before } = change;
  const wanted = meta(change.after);
  if (wanted.name !== before.metadata.name || (wanted.namespace ?? undefined) !== before.metadata.namespace)
    throw badRequest(
      `the name of the object (${String(wanted.name)}) does not match the name on the URL (${before.metadata.name})`,
    );
  const moved = (['uid', 'resourceVersion'] as const).some(
    (field) => wanted[field] !== undefined && wanted[field] !== before.metadata[field],
  );
  if (moved) throw conflict(kind, before.metadata.name);
  const settled = withDefaults({
    ...change.after,
    ...(change.status ? {} : { status: before.status }),
    metadata: { ...wanted, ...serverMeta(before.metadata) },
  });
  const body = settled.status === undefined ? withoutStatus(settled) : settled;
  const specChanged = canonical(body.spec) !== canonical(before.spec);
  const generation =
    before.metadata.generation === undefined
      ? {}
      : { generation: before.metadata.generation + (specChanged ? 1 : 0) };
  const after = { ...body, metadata: { ...meta(body), ...generation } } as unknown as Thing;
  validate(kind, after, before);
  if (canonical(after) === canonical(before) || options.dryRun) return after;
  const stored = world.store.put(kind, after);
  if (
    stored.metadata.deletionTimestamp !== undefined &&
    (stored.metadata.finalizers ?? []).length === 0 &&
    kind.kind !== 'Pod'
  )
    world.store.remove(kind, stored);
  return stored;
}

function withoutStatus(object: Fields): Fields {
  const { status: _, ...rest } = object;
  return rest;
}

function serverMeta(metadata: Meta): Fields {
  const { uid, resourceVersion, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  return {
    uid,
    resourceVersion,
    creationTimestamp,
    ...(metadata.generation === undefined ? {} : { generation: metadata.generation }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp, deletionGracePeriodSeconds }),
  };
}

function applyPatch(target: unknown, patch: PatchOptions): unknown {
  if (patch.type === 'json') return jsonPatch(target, patch.body);
  return patch.type === 'merge' ? mergePatch(target, patch.body) : strategicMerge(target, patch.body);
}

/** PATCH of an object or of its scale or status. */
export function patchObject(
  world: World,
  request: { ref: ObjectRef; patch: PatchOptions },
  options: WriteOptions,
): Thing {
  const { ref, patch } = request;
  const before = existing(world, ref);
  const manager = `${options.manager}:Update`;
  const track = (after: Thing): Thing => {
    if (!options.dryRun)
      world.owners.set(
        after.metadata.uid,
        ownedAfterUpdate(world.owners.get(after.metadata.uid) ?? NONE, { before, after, manager }),
      );
    return after;
  };
  const store = (after: Fields, status: boolean) =>
    track(replaceObject(world, { kind: ref.kind, before, after, status }, options));
  if (patch.subresource === 'scale')
    return patchScale(ref.kind, before, {
      change: (scale) => applyPatch(scale, patch),
      store: (after) => store(after, false),
    });
  const after = applyPatch(before, patch);
  if (!isFields(after)) throw badRequest('the patched object is no object');
  if (patch.subresource === 'status') return store({ ...before, status: after.status }, true);
  if (patch.subresource !== undefined) throw notFound(ref.kind, `${ref.name}/${patch.subresource}`);
  return store(after, false);
}

/** Server-side apply. */
export function applyObject(
  world: World,
  manifest: Fields,
  options: WriteOptions & { readonly force: boolean },
): Thing {
  const kind = kindOfManifest(String(manifest.apiVersion), String(manifest.kind));
  const name = String(meta(manifest).name ?? '');
  const namespace = kind.namespaced ? String(meta(manifest).namespace ?? '') : undefined;
  const before = world.store.get(kind, namespace, name);
  const manager = `${options.manager}:Apply`;
  if (before === undefined) return createObject(world, manifest, { ...options, manager });
  const owners = world.owners.get(before.metadata.uid) ?? NONE;
  const wanted = withDefaults({ apiVersion: apiVersionOf(kind), ...manifest });
  const declared = kind.kind === 'Secret' ? wanted : manifest;
  const request = { live: before, manifest: declared, manager, force: options.force };
  if (!options.force) refuseConflicts(owners, request);
  const next = ownedAfterApply(owners, request);
  const after = withoutLeaves(strategicMerge(before, declared) as Fields, next.dropped);
  const stored = replaceObject(world, { kind, before, after, status: false }, options);
  if (!options.dryRun) world.owners.set(stored.metadata.uid, next.owners);
  return stored;
}
