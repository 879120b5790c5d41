import { kinds } from '../../services/kubernetes.ts';
import { recordEvent } from '../events.ts';
import {
  canonical,
  controllerOf,
  type Deployment,
  ownerReference,
  type ReplicaSet,
  type Template,
  timestamp,
} from '../objects.ts';
import { nameHash } from '../random.ts';
import type { World } from '../world.ts';
import { budgets, conditionOf, withCondition } from './deployment-status.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
const DESIRED = 'deployment.kubernetes.io/desired-replicas';
const MAXIMUM = 'deployment.kubernetes.io/max-replicas';
const HASH = 'pod-template-hash';
const NOT_COPIED = new Set([REVISION, DESIRED, MAXIMUM, 'kubectl.kubernetes.io/last-applied-configuration']);

export function setsOf(world: World, deployment: Deployment): readonly ReplicaSet[] {
  return world.store
    .all<ReplicaSet>(kinds.replicaSets, deployment.metadata.namespace)
    .filter((set) => controllerOf(set)?.uid === deployment.metadata.uid);
}

function withoutHash(template: Template): string {
  const { [HASH]: _, ...labels } = template.metadata?.labels ?? {};
  return canonical({ ...template, metadata: { ...template.metadata, labels } });
}

/** The ReplicaSet with the deployment's template, if there is one. */
export function currentSet(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const wanted = withoutHash(deployment.spec.template);
  return sets.find((set) => withoutHash(set.spec.template) === wanted);
}

export function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[REVISION] ?? 0);
}

function scaleAnnotations(deployment: Deployment): Record<string, string> {
  return {
    [DESIRED]: String(deployment.spec.replicas),
    [MAXIMUM]: String(deployment.spec.replicas + budgets(deployment).surge),
  };
}

/** Was the ReplicaSet scaled for another number of replicas than the deployment has now? */
export function wasScaledFor(deployment: Deployment, set: ReplicaSet): boolean {
  const desired = set.metadata.annotations?.[DESIRED];
  return desired === undefined || desired === String(deployment.spec.replicas);
}

export function maximumOf(deployment: Deployment, set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[MAXIMUM] ?? deployment.spec.replicas);
}

/** Sets the size of a ReplicaSet, with the event that tells so. */
export function scaleSet(
  world: World,
  deployment: Deployment,
  change: { set: ReplicaSet; replicas: number },
): boolean {
  const { set, replicas } = change;
  const annotations = { ...set.metadata.annotations, ...scaleAnnotations(deployment) };
  const resized = set.spec.replicas !== replicas;
  if (!resized && canonical(annotations) === canonical(set.metadata.annotations)) return false;
  world.store.put(kinds.replicaSets, {
    ...set,
    metadata: {
      ...set.metadata,
      annotations,
      generation: (set.metadata.generation ?? 1) + (resized ? 1 : 0),
    },
    spec: { ...set.spec, replicas },
  });
  if (!resized) return false;
  const up = replicas > set.spec.replicas;
  recordEvent(world, deployment, {
    type: 'Normal',
    reason: 'ScalingReplicaSet',
    message: `Scaled ${up ? 'up' : 'down'} replica set ${set.metadata.name} from ${set.spec.replicas} to ${replicas}`,
    component: 'deployment-controller',
  });
  return true;
}

function copied(deployment: Deployment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !NOT_COPIED.has(key)),
  );
}

function create(
  world: World,
  deployment: Deployment,
  given: { revision: number; replicas: number },
): ReplicaSet {
  const { name, namespace } = deployment.metadata;
  const template = deployment.spec.template;
  let hash = nameHash(withoutHash(template));
  while (world.store.get(kinds.replicaSets, namespace, `${name}-${hash}`) !== undefined)
    hash = nameHash(`${hash}+`);
  const labels = { ...template.metadata?.labels, [HASH]: hash };
  return world.store.put<ReplicaSet>(kinds.replicaSets, {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      uid: world.random.uuid(),
      resourceVersion: '',
      generation: 1,
      creationTimestamp: timestamp(world.timeline.now),
      labels,
      annotations: {
        ...copied(deployment),
        ...scaleAnnotations(deployment),
        [REVISION]: String(given.revision),
      },
      ownerReferences: [ownerReference(deployment)],
    },
    spec: {
      replicas: given.replicas,
      ...(deployment.spec.minReadySeconds === undefined
        ? {}
        : { minReadySeconds: deployment.spec.minReadySeconds }),
      selector: {
        ...deployment.spec.selector,
        matchLabels: { ...deployment.spec.selector.matchLabels, [HASH]: hash },
      },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
    status: { replicas: 0 },
  });
}

/** Replicas that the new ReplicaSet may have now. */
export function allowedForNew(deployment: Deployment, sets: readonly ReplicaSet[], current: number): number {
  const { replicas, strategy } = deployment.spec;
  if (strategy.type === 'Recreate') return replicas;
  const total = sets.reduce((sum, set) => sum + set.spec.replicas, 0);
  const room = replicas + budgets(deployment).surge - total;
  return room <= 0 ? current : current + Math.min(room, Math.max(0, replicas - current));
}

/** Gives a deployment its revision annotation and, for a new ReplicaSet, the Progressing condition. */
function mark(
  world: World,
  deployment: Deployment,
  given: { revision: string; created: ReplicaSet | undefined },
): void {
  const current = world.store.get<Deployment>(
    kinds.deployments,
    deployment.metadata.namespace,
    deployment.metadata.name,
  );
  if (current === undefined) return;
  const { revision, created } = given;
  const known = conditionOf(current.status, 'Progressing');
  const status =
    created === undefined
      ? current.status
      : withCondition(world, current.status, {
          type: 'Progressing',
          status: 'True',
          reason: 'NewReplicaSetCreated',
          message: `Created new replica set "${created.metadata.name}"`,
        });
  if (
    current.metadata.annotations?.[REVISION] === revision &&
    status === current.status &&
    known !== undefined
  )
    return;
  world.store.put(kinds.deployments, {
    ...current,
    metadata: { ...current.metadata, annotations: { ...current.metadata.annotations, [REVISION]: revision } },
    status,
  });
}

/** The ReplicaSet of the deployment's template, created when missing, with the newest revision. */
export function ensureCurrentSet(
  world: World,
  deployment: Deployment,
  sets: readonly ReplicaSet[],
): ReplicaSet {
  const found = currentSet(deployment, sets);
  const newest = sets
    .filter((set) => set !== found)
    .reduce((highest, set) => Math.max(highest, revisionOf(set)), 0);
  if (found === undefined) {
    const replicas = allowedForNew(deployment, sets, 0);
    const created = create(world, deployment, { revision: newest + 1, replicas });
    if (replicas > 0)
      recordEvent(world, deployment, {
        type: 'Normal',
        reason: 'ScalingReplicaSet',
        message: `Scaled up replica set ${created.metadata.name} from 0 to ${replicas}`,
        component: 'deployment-controller',
      });
    mark(world, deployment, { revision: String(newest + 1), created });
    return created;
  }
  const annotations = {
    ...found.metadata.annotations,
    ...copied(deployment),
    [REVISION]: String(Math.max(revisionOf(found), newest + 1)),
  };
  const current =
    canonical(annotations) === canonical(found.metadata.annotations)
      ? found
      : world.store.put(kinds.replicaSets, { ...found, metadata: { ...found.metadata, annotations } });
  mark(world, deployment, { revision: annotations[REVISION] ?? '1', created: undefined });
  return current;
}
