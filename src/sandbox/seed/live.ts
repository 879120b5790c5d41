import type { JsonObject } from '../../engine/json.ts';
import { createObject } from '../api.ts';
import { kindOfManifest } from '../catalog.ts';
import { type Container, type OwnerReference, ownerReference } from '../objects.ts';
import { type Fields, isFields } from '../patch.ts';
import type { World } from '../world.ts';

/** What a world begins with in place of its own cluster: objects of another one, with nothing secret in them. */
export interface LiveShape {
  /** Manifests, in the order in which they are made. One with a controller belongs to the object of that kind and name before it. */
  readonly objects: readonly JsonObject[];
  /** Workloads of the sandbox that are there besides, as 'namespace/name'. */
  readonly own: readonly string[];
}

const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet']);

/** How the kubelet finds a container of a workload that came from another cluster. */
export function playedKey(namespace: string | undefined, container: string): string {
  return `${namespace ?? ''}/${container}`;
}

/** The container as the simulation runs it: its program is not here, so what starts it, and what looks into it, mean nothing. */
export function asPlayed({ command: _, args: __, readinessProbe, ...rest }: Container): Container {
  if (readinessProbe === undefined) return rest;
  const { exec: ___, ...probe } = readinessProbe;
  return { ...rest, readinessProbe: probe };
}

function metadataOf(object: JsonObject): Fields {
  return isFields(object.metadata) ? object.metadata : {};
}

/** The same object with the identity that its owner has here. */
function adopted(world: World, object: JsonObject): Fields {
  const metadata = metadataOf(object);
  const [owner] = (metadata.ownerReferences ?? []) as readonly OwnerReference[];
  if (owner === undefined) return object;
  const kind = kindOfManifest(owner.apiVersion, owner.kind);
  const found = world.store.get(kind, String(metadata.namespace), owner.name);
  return found === undefined
    ? object
    : { ...object, metadata: { ...metadata, ownerReferences: [ownerReference(found)] } };
}

function containersOf(object: JsonObject): readonly { readonly name: string }[] {
  const { spec } = object as { readonly spec?: { readonly template?: { readonly spec?: Fields } } };
  const lists = [spec?.template?.spec?.containers, spec?.template?.spec?.initContainers];
  return lists.flatMap((list) => (Array.isArray(list) ? (list as { readonly name: string }[]) : []));
}

/** Namespaces that the objects are in or that are among them. */
export function namespacesOf({ objects }: LiveShape): readonly string[] {
  return objects.flatMap((object) => {
    const { namespace } = metadataOf(object);
    return typeof namespace === 'string' ? [namespace] : [];
  });
}

export function objectsOfKind({ objects }: LiveShape, kind: string): readonly JsonObject[] {
  return objects.filter((object) => object.kind === kind);
}

/** Makes the objects, all but namespaces and nodes. Throws `ApiFailure` for one that the simulated API server refuses. */
export function seedLive(world: World, { objects }: LiveShape): void {
  for (const object of objects) {
    if (object.kind === 'Namespace' || object.kind === 'Node') continue;
    createObject(world, adopted(world, object), { dryRun: false, manager: 'helm' });
    if (!WORKLOADS.has(String(object.kind))) continue;
    const { namespace } = metadataOf(object);
    for (const { name } of containersOf(object)) world.played.add(playedKey(String(namespace), name));
  }
}
