import { kinds } from '../../services/kubernetes.ts';
import { type Condition, type Deployment, type ReplicaSet, timestamp } from '../objects.ts';
import { portion } from '../quantity.ts';
import type { World } from '../world.ts';
import { putStatus, withoutZeros } from './pods-of.ts';

export type Status = Deployment['status'];

/** `maxSurge` rounds up, `maxUnavailable` down, and both cannot be zero. */
export function budgets(deployment: Deployment): { readonly surge: number; readonly unavailable: number } {
  const { strategy, replicas } = deployment.spec;
  if (strategy.type === 'Recreate') return { surge: 0, unavailable: replicas };
  const surge = portion(strategy.rollingUpdate?.maxSurge, replicas, 'up');
  const unavailable = portion(strategy.rollingUpdate?.maxUnavailable, replicas, 'down');
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : Math.min(unavailable, replicas) };
}

export function conditionOf(status: Status, type: string): Condition | undefined {
  return status.conditions?.find((condition) => condition.type === type);
}

/** Replaces a condition; the transition time moves only with its status. */
export function withCondition(world: World, status: Status, condition: Condition): Status {
  const now = timestamp(world.timeline.now);
  const known = conditionOf(status, condition.type);
  if (
    known?.status === condition.status &&
    known.reason === condition.reason &&
    known.message === condition.message
  )
    return status;
  const moved = known?.status !== condition.status;
  const next = {
    ...condition,
    lastUpdateTime: now,
    lastTransitionTime: moved ? now : (known?.lastTransitionTime ?? now),
  };
  return {
    ...status,
    conditions: [...(status.conditions ?? []).filter(({ type }) => type !== condition.type), next],
  };
}

function sum(sets: readonly ReplicaSet[], count: (set: ReplicaSet) => number | undefined): number {
  return sets.reduce((total, set) => total + (count(set) ?? 0), 0);
}

function counted(
  world: World,
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  current: ReplicaSet | undefined,
): Status {
  const available = sum(sets, ({ status }) => status.availableReplicas);
  const total = sum(sets, ({ status }) => status.replicas);
  const enough = available >= deployment.spec.replicas - budgets(deployment).unavailable;
  return withCondition(
    world,
    {
      ...(deployment.status.conditions === undefined ? {} : { conditions: deployment.status.conditions }),
      observedGeneration: deployment.metadata.generation ?? 1,
      ...withoutZeros({
        replicas: total,
        updatedReplicas: current?.status.replicas ?? 0,
        readyReplicas: sum(sets, ({ status }) => status.readyReplicas),
        availableReplicas: available,
        unavailableReplicas: Math.max(0, Math.max(total, deployment.spec.replicas) - available),
      }),
    },
    {
      type: 'Available',
      status: enough ? 'True' : 'False',
      reason: enough ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
      message: enough
        ? 'Deployment has minimum availability.'
        : 'Deployment does not have minimum availability.',
    },
  );
}

function isComplete(deployment: Deployment, status: Status): boolean {
  const { replicas } = deployment.spec;
  return [status.updatedReplicas, status.replicas, status.availableReplicas].every(
    (count) => (count ?? 0) === replicas,
  );
}

function hasProgressed(old: Status, next: Status): boolean {
  const before = (old.replicas ?? 0) - (old.updatedReplicas ?? 0);
  const after = (next.replicas ?? 0) - (next.updatedReplicas ?? 0);
  return (
    (next.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
    after < before ||
    (next.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
    (next.availableReplicas ?? 0) > (old.availableReplicas ?? 0)
  );
}

function timedOut(world: World, deployment: Deployment, status: Status): boolean {
  const progressing = conditionOf(status, 'Progressing');
  if (progressing === undefined || progressing.reason === 'NewReplicaSetAvailable') return false;
  if (progressing.reason === 'ProgressDeadlineExceeded') return true;
  const since = Date.parse(progressing.lastUpdateTime ?? '');
  return since + deployment.spec.progressDeadlineSeconds * 1000 <= world.timeline.now;
}

function progress(
  world: World,
  deployment: Deployment,
  given: { status: Status; current: ReplicaSet | undefined },
): Status {
  const { status, current } = given;
  const known = conditionOf(status, 'Progressing');
  const name = `ReplicaSet "${current?.metadata.name ?? ''}"`;
  const finished =
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && known?.reason === 'NewReplicaSetAvailable';
  const set = (reason: string, message: string) =>
    withCondition(world, status, {
      type: 'Progressing',
      status: reason === 'ProgressDeadlineExceeded' ? 'False' : 'True',
      reason,
      message,
    });
  if (finished || deployment.spec.paused === true) return status;
  if (isComplete(deployment, status))
    return set('NewReplicaSetAvailable', `${name} has successfully progressed.`);
  if (hasProgressed(deployment.status, status)) {
    const next = set('ReplicaSetUpdated', `${name} is progressing.`);
    const now = timestamp(world.timeline.now);
    const conditions = (next.conditions ?? []).map((condition) =>
      condition.type === 'Progressing' ? { ...condition, lastUpdateTime: now } : condition,
    );
    return { ...next, conditions };
  }
  return timedOut(world, deployment, status)
    ? set('ProgressDeadlineExceeded', `${name} has timed out progressing.`)
    : status;
}

function replicaFailure(world: World, status: Status, sets: readonly ReplicaSet[]): Status {
  const failure = sets
    .flatMap((set) => set.status.conditions ?? [])
    .find(({ type }) => type === 'ReplicaFailure');
  if (failure !== undefined) return withCondition(world, status, failure);
  return { ...status, conditions: (status.conditions ?? []).filter(({ type }) => type !== 'ReplicaFailure') };
}

/** Writes counts and conditions; answers in how many milliseconds the progress deadline has to be looked at again. */
export function syncStatus(
  world: World,
  deployment: Deployment,
  sets: { readonly all: readonly ReplicaSet[]; readonly current: ReplicaSet | undefined },
): number | undefined {
  const counts = counted(world, deployment, sets.all, sets.current);
  const progressed = progress(world, deployment, { status: counts, current: sets.current });
  const status = replicaFailure(world, progressed, sets.all);
  putStatus(world, kinds.deployments, deployment, status);
  const progressing = conditionOf(status, 'Progressing');
  const waits = progressing?.reason !== 'NewReplicaSetAvailable' && progressing?.status === 'True';
  if (!waits) return undefined;
  const due = Date.parse(progressing.lastUpdateTime ?? '') + deployment.spec.progressDeadlineSeconds * 1000;
  return Math.max(1_000, due - world.timeline.now);
}
