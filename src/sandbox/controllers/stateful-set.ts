import { kinds } from '../../services/kubernetes.ts';
import { deletePod } from '../deletion.ts';
import { recordEvent } from '../events.ts';
import type { ControllerRevision, Pod, StatefulSet } from '../objects.ts';
import type { World } from '../world.ts';
import {
  createPod,
  isAvailable,
  isReady,
  isTerminating,
  podsOf,
  putStatus,
  withoutZeros,
} from './pods-of.ts';
import { ensureRevision, forgetRevisions, revisionsOf, templateOf } from './revisions.ts';

const REVISION_LABEL = 'controller-revision-hash';

interface Plan {
  readonly set: StatefulSet;
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
  readonly pods: ReadonlyMap<number, Pod>;
}

function ordinalOf(set: StatefulSet, pod: Pod): number {
  return Number(pod.metadata.name.slice(set.metadata.name.length + 1));
}

function revisionName(pod: Pod): string {
  return pod.metadata.labels?.[REVISION_LABEL] ?? '';
}

function isHealthy(world: World, set: StatefulSet, pod: Pod): boolean {
  return (
    pod.status.phase === 'Running' && !isTerminating(pod) && isAvailable(world, pod, set.spec.minReadySeconds)
  );
}

/** Which revision a missing pod is made from: below the partition the current one, otherwise the update. */
function revisionFor(plan: Plan, ordinal: number): ControllerRevision {
  const { updateStrategy } = plan.set.spec;
  const partition =
    updateStrategy.type === 'RollingUpdate' ? (updateStrategy.rollingUpdate?.partition ?? 0) : 0;
  return ordinal < partition ? plan.current : plan.update;
}

function create(world: World, plan: Plan, ordinal: number): void {
  const name = `${plan.set.metadata.name}-${ordinal}`;
  const revision = revisionFor(plan, ordinal);
  const labels = {
    [REVISION_LABEL]: revision.metadata.name,
    'statefulset.kubernetes.io/pod-name': name,
    'apps.kubernetes.io/pod-index': String(ordinal),
  };
  const why = createPod(world, plan.set, { name, template: templateOf(revision), labels });
  if (why !== undefined) retry(world, plan.set, 5_000);
}

function retry(world: World, set: StatefulSet, delay: number): void {
  const { namespace = '', name } = set.metadata;
  world.timeline.schedule(
    delay,
    () => reconcileStatefulSet(world, namespace, name),
    `retry:sts:${namespace}/${name}`,
  );
}

function remove(world: World, set: StatefulSet, pod: Pod): void {
  deletePod(world, pod, undefined);
  recordEvent(world, set, {
    type: 'Normal',
    reason: 'SuccessfulDelete',
    message: `delete Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name} successful`,
    component: 'statefulset-controller',
  });
}

/** Makes the wanted pods exist; answers false when an ordered set has to wait for one of them. */
function fill(world: World, plan: Plan): boolean {
  const ordered = plan.set.spec.podManagementPolicy !== 'Parallel';
  for (let ordinal = 0; ordinal < plan.set.spec.replicas; ordinal += 1) {
    const pod = plan.pods.get(ordinal);
    if (pod === undefined) create(world, plan, ordinal);
    else if ((pod.status.phase === 'Failed' || pod.status.phase === 'Succeeded') && !isTerminating(pod))
      remove(world, plan.set, pod);
    else if (isHealthy(world, plan.set, pod) || !ordered) continue;
    if (ordered) return false;
  }
  return true;
}

/** Removes pods beyond the wanted number, highest first; answers false while one is leaving. */
function trim(world: World, plan: Plan): boolean {
  const ordered = plan.set.spec.podManagementPolicy !== 'Parallel';
  const extra = [...plan.pods]
    .filter(([ordinal]) => ordinal >= plan.set.spec.replicas)
    .sort(([a], [b]) => b - a);
  for (const [, pod] of extra) {
    if (!isTerminating(pod)) remove(world, plan.set, pod);
    if (ordered) return false;
  }
  return true;
}

/** Replaces the highest outdated pod, one at a time, and waits for each to be healthy. */
function roll(world: World, plan: Plan): void {
  const { updateStrategy, replicas } = plan.set.spec;
  if (updateStrategy.type !== 'RollingUpdate') return;
  for (let ordinal = replicas - 1; ordinal >= (updateStrategy.rollingUpdate?.partition ?? 0); ordinal -= 1) {
    const pod = plan.pods.get(ordinal);
    if (pod === undefined) return;
    if (revisionName(pod) !== plan.update.metadata.name && !isTerminating(pod)) {
      remove(world, plan.set, pod);
      return;
    }
    if (!isHealthy(world, plan.set, pod)) return;
  }
}

function report(world: World, plan: Plan): void {
  const { set, current, update } = plan;
  const pods = podsOf(world, set);
  const living = pods.filter((pod) => !isTerminating(pod));
  const ready = pods.filter((pod) => pod.status.phase === 'Running' && isReady(pod));
  const available = ready.filter((pod) => isAvailable(world, pod, set.spec.minReadySeconds));
  const count = (revision: ControllerRevision) =>
    living.filter((pod) => revisionName(pod) === revision.metadata.name).length;
  const updated = count(update);
  const done =
    set.spec.updateStrategy.type === 'RollingUpdate' &&
    updated === pods.length &&
    ready.length === pods.length &&
    pods.length === set.spec.replicas;
  if (ready.length > available.length) retry(world, set, 1_000);
  const currentReplicas = done ? updated : count(current);
  putStatus(world, kinds.statefulSets, set, {
    observedGeneration: set.metadata.generation ?? 1,
    replicas: pods.length,
    ...withoutZeros({ readyReplicas: ready.length, currentReplicas, updatedReplicas: updated }),
    availableReplicas: available.length,
    currentRevision: done ? update.metadata.name : current.metadata.name,
    updateRevision: update.metadata.name,
    collisionCount: 0,
  });
}

/** One pass of the StatefulSet controller. */
export function reconcileStatefulSet(world: World, namespace: string, name: string): void {
  const set = world.store.get<StatefulSet>(kinds.statefulSets, namespace, name);
  if (set === undefined) return;
  const update = ensureRevision(world, set);
  const current =
    revisionsOf(world, set).find((revision) => revision.metadata.name === set.status.currentRevision) ??
    update;
  const pods = new Map(podsOf(world, set).map((pod) => [ordinalOf(set, pod), pod]));
  const plan = { set, current, update, pods };
  if (set.metadata.deletionTimestamp === undefined && fill(world, plan) && trim(world, plan))
    roll(world, plan);
  report(world, plan);
  const needed = new Set([
    current.metadata.name,
    update.metadata.name,
    ...podsOf(world, set).map(revisionName),
  ]);
  forgetRevisions(world, set, needed);
}
