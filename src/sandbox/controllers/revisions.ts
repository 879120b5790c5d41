import { kinds } from '../../services/kubernetes.ts';
import {
  type ControllerRevision,
  canonical,
  controllerOf,
  ownerReference,
  type Template,
  type Thing,
  timestamp,
} from '../objects.ts';
import { nameHash } from '../random.ts';
import type { World } from '../world.ts';

type Workload = Thing & {
  readonly spec: { readonly template: Template; readonly revisionHistoryLimit: number };
};

export function revisionsOf(world: World, owner: Thing): readonly ControllerRevision[] {
  return world.store
    .all<ControllerRevision>(kinds.controllerRevisions, owner.metadata.namespace)
    .filter((revision) => controllerOf(revision)?.uid === owner.metadata.uid)
    .sort((a, b) => a.revision - b.revision);
}

/** The hash in a revision's name, as it stands in the pods' label. */
export function hashOf(owner: Thing, revision: ControllerRevision): string {
  return revision.metadata.name.slice(owner.metadata.name.length + 1);
}

/** The revision of the workload's template: found, moved to the top of the history, or created. */
export function ensureRevision(world: World, owner: Workload): ControllerRevision {
  const revisions = revisionsOf(world, owner);
  const wanted = canonical(owner.spec.template);
  const found = revisions.find((revision) => canonical(templateOf(revision)) === wanted);
  const newest = revisions.at(-1)?.revision ?? 0;
  if (found !== undefined)
    return found.revision === newest
      ? found
      : world.store.put(kinds.controllerRevisions, { ...found, revision: newest + 1 });
  const { name, namespace } = owner.metadata;
  const hash = nameHash(wanted);
  return world.store.put<ControllerRevision>(kinds.controllerRevisions, {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${name}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      uid: world.random.uuid(),
      resourceVersion: '',
      creationTimestamp: timestamp(world.timeline.now),
      labels: { ...owner.spec.template.metadata?.labels, 'controller.kubernetes.io/hash': hash },
      ownerReferences: [ownerReference(owner)],
    },
    data: { spec: { template: { ...owner.spec.template, $patch: 'replace' } as Template } },
    revision: newest + 1,
  });
}

/** The template of a stored revision, as the workload would have it. */
export function templateOf(revision: ControllerRevision): Template {
  const { $patch: _, ...template } = revision.data.spec.template as Template & { readonly $patch?: string };
  return template;
}

/** Forgets the oldest revisions beyond the limit that no pod needs. */
export function forgetRevisions(world: World, owner: Workload, needed: ReadonlySet<string>): void {
  const idle = revisionsOf(world, owner).filter((revision) => !needed.has(revision.metadata.name));
  for (const revision of idle.slice(0, Math.max(0, idle.length - owner.spec.revisionHistoryLimit)))
    world.store.remove(kinds.controllerRevisions, revision);
}
