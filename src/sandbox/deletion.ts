import type { ObjectRef } from '../services/kubernetes.ts';
import { kinds } from '../services/kubernetes.ts';
import { existing } from './api.ts';
import { preconditionFailed } from './api-error.ts';
import { otherKinds } from './catalog.ts';
import { type Pod, type Thing, timestamp } from './objects.ts';
import { CONTROLLER_LAG, type World } from './world.ts';

export interface DeleteOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly gracePeriodSeconds?: number;
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan';
}

const namespaced = [...Object.values(kinds), ...Object.values(otherKinds)].filter((kind) => kind.namespaced);

/** Marks a pod as terminating, or removes it at once when nothing runs it or no grace is given. */
export function deletePod(world: World, pod: Pod, gracePeriodSeconds: number | undefined): void {
  const grace = gracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  if (grace === 0 || pod.spec.nodeName === undefined || ['Succeeded', 'Failed'].includes(pod.status.phase)) {
    world.store.remove(kinds.pods, pod);
    return;
  }
  const already = pod.metadata.deletionGracePeriodSeconds;
  if (already !== undefined && already <= grace) return;
  world.store.put(kinds.pods, {
    ...pod,
    metadata: {
      ...pod.metadata,
      deletionTimestamp: timestamp(world.timeline.now + grace * 1000),
      deletionGracePeriodSeconds: grace,
    },
  });
}

/** Everything that a controller reference of `uid` leads to. */
function dependents(world: World, owner: Thing): { ref: ObjectRef; object: Thing }[] {
  const { namespace, uid } = owner.metadata;
  if (namespace === undefined) return [];
  return namespaced.flatMap((kind) =>
    world.store
      .all(kind, namespace)
      .filter(
        (object) => object.metadata.ownerReferences?.some((reference) => reference.uid === uid) === true,
      )
      .map((object) => ({ ref: { kind, namespace, name: object.metadata.name }, object })),
  );
}

function orphan(world: World, owner: Thing): void {
  for (const { ref, object } of dependents(world, owner)) {
    const ownerReferences = (object.metadata.ownerReferences ?? []).filter(
      ({ uid }) => uid !== owner.metadata.uid,
    );
    world.store.put(ref.kind, { ...object, metadata: { ...object.metadata, ownerReferences } });
  }
}

/** Removes what belongs to an owner that is gone, a moment later. */
function collect(world: World, owner: Thing): void {
  world.timeline.schedule(CONTROLLER_LAG, () => {
    for (const { ref, object } of dependents(world, owner)) {
      if (world.store.get(ref.kind, ref.namespace, ref.name) === undefined) continue;
      if (ref.kind.plural === 'pods') deletePod(world, object as Pod, undefined);
      else {
        world.store.remove(ref.kind, object);
        collect(world, object);
      }
    }
  });
}

function deleteForeground(world: World, ref: ObjectRef, object: Thing): void {
  const pending = dependents(world, object);
  if (pending.length === 0) {
    const current = world.store.get(ref.kind, ref.namespace, ref.name);
    if (current !== undefined) world.store.remove(ref.kind, current);
    return;
  }
  for (const inner of pending) {
    if (inner.ref.kind.plural === 'pods') deletePod(world, inner.object as Pod, undefined);
    else if (inner.object.metadata.deletionTimestamp === undefined)
      markForeground(world, inner.ref, inner.object);
  }
  world.timeline.schedule(100, () => deleteForeground(world, ref, object));
}

function markForeground(world: World, ref: ObjectRef, object: Thing): void {
  world.store.put(ref.kind, {
    ...object,
    metadata: {
      ...object.metadata,
      deletionTimestamp: timestamp(world.timeline.now),
      deletionGracePeriodSeconds: 0,
      finalizers: [...(object.metadata.finalizers ?? []), 'foregroundDeletion'],
    },
  });
  world.timeline.schedule(CONTROLLER_LAG, () => deleteForeground(world, ref, object));
}

function deleteNamespace(world: World, namespace: Thing): void {
  world.store.put(kinds.namespaces, {
    ...namespace,
    metadata: { ...namespace.metadata, deletionTimestamp: timestamp(world.timeline.now) },
    status: { phase: 'Terminating' },
  });
  const empty = (): void => {
    let left = 0;
    for (const kind of namespaced) {
      for (const object of world.store.all(kind, namespace.metadata.name)) {
        if (kind.plural === 'pods') {
          left += 1;
          deletePod(world, object as Pod, undefined);
        } else world.store.remove(kind, object);
      }
    }
    if (left > 0) world.timeline.schedule(500, empty);
    else world.store.remove(kinds.namespaces, namespace);
  };
  world.timeline.schedule(CONTROLLER_LAG, empty);
}

/** DELETE with preconditions; workloads take their dependents along in the background unless told otherwise. */
export function deleteObject(
  world: World,
  ref: ObjectRef,
  options: DeleteOptions & { readonly dryRun: boolean },
): void {
  const object = existing(world, ref);
  const checks = [
    { field: 'UID', wanted: options.uid, found: object.metadata.uid },
    { field: 'ResourceVersion', wanted: options.resourceVersion, found: object.metadata.resourceVersion },
  ];
  for (const { field, wanted, found } of checks)
    if (wanted !== undefined && wanted !== found)
      throw preconditionFailed(ref.kind, ref.name, { field, wanted, found });
  if (options.dryRun) return;
  if (ref.kind.plural === 'pods') deletePod(world, object as Pod, options.gracePeriodSeconds);
  else if (ref.kind.plural === 'namespaces') deleteNamespace(world, object);
  else if (options.propagation === 'Foreground') markForeground(world, ref, object);
  else deleteNow(world, { ref, object, orphaning: options.propagation === 'Orphan' });
}

function deleteNow(world: World, given: { ref: ObjectRef; object: Thing; orphaning: boolean }): void {
  const { ref, object } = given;
  if (given.orphaning) orphan(world, object);
  if ((object.metadata.finalizers ?? []).length > 0) {
    world.store.put(ref.kind, {
      ...object,
      metadata: { ...object.metadata, deletionTimestamp: timestamp(world.timeline.now) },
    });
    return;
  }
  world.store.remove(ref.kind, object);
  world.owners.delete(object.metadata.uid);
  collect(world, object);
}
