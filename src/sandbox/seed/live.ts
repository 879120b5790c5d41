import type { JsonObject } from '../../engine/json.ts';
import { createObject } from '../api.ts';
import { kindOfManifest } from '../catalog.ts';
import { type OwnerReference, ownerReference } from '../objects.ts';
import type { Fields } from '../patch.ts';
import type { World } from '../world.ts';
import { type LiveShape, metadataOf, playedKey } from './shape.ts';

const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet']);

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
