import { kinds } from '../../services/kubernetes.ts';
import { deletePod } from '../deletion.ts';
import { recordEvent } from '../events.ts';
import { type Condition, type Pod, type ReplicaSet, timestamp } from '../objects.ts';
import type { World } from '../world.ts';
import { createPod, isActive, isAvailable, isReady, podsOf, putStatus, withoutZeros } from './pods-of.ts';

/** Which pod goes first when there are too many: not scheduled, not running, not ready, then the youngest. */
function expendable(a: Pod, b: Pod): number {
  const rank = (pod: Pod): number =>
    pod.spec.nodeName === undefined ? 0 : pod.status.phase !== 'Running' ? 1 : isReady(pod) ? 3 : 2;
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  const [born, other] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  if (born !== other) return born > other ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

function failure(world: World, set: ReplicaSet, why: string | undefined): readonly Condition[] {
  if (why === undefined) return [];
  const known = set.status.conditions?.find(
    ({ type, message }) => type === 'ReplicaFailure' && message === why,
  );
  return [
    known ?? {
      type: 'ReplicaFailure',
      status: 'True',
      reason: 'FailedCreate',
      message: why,
      lastTransitionTime: timestamp(world.timeline.now),
    },
  ];
}

/** Creates or deletes pods until there are as many as wanted, and reports what there is. */
export function reconcileReplicaSet(world: World, namespace: string, name: string): void {
  const set = world.store.get<ReplicaSet>(kinds.replicaSets, namespace, name);
  if (set === undefined) return;
  let why: string | undefined;
  if (set.metadata.deletionTimestamp === undefined) {
    const pods = podsOf(world, set).filter(isActive);
    for (let missing = set.spec.replicas - pods.length; missing > 0 && why === undefined; missing -= 1)
      why = createPod(world, set, { template: set.spec.template });
    const extra = Math.max(0, pods.length - set.spec.replicas);
    for (const pod of [...pods].sort(expendable).slice(0, extra)) {
      deletePod(world, pod, undefined);
      recordEvent(world, set, {
        type: 'Normal',
        reason: 'SuccessfulDelete',
        message: `Deleted pod: ${pod.metadata.name}`,
        component: 'replicaset-controller',
      });
    }
  }
  if (why !== undefined)
    world.timeline.schedule(
      5_000,
      () => reconcileReplicaSet(world, namespace, name),
      `retry:rs:${namespace}/${name}`,
    );
  const pods = podsOf(world, set).filter(isActive);
  const ready = pods.filter(isReady);
  const available = ready.filter((pod) => isAvailable(world, pod, set.spec.minReadySeconds));
  if (available.length < ready.length)
    world.timeline.schedule(
      1_000,
      () => reconcileReplicaSet(world, namespace, name),
      `ready:rs:${namespace}/${name}`,
    );
  putStatus(world, kinds.replicaSets, set, {
    replicas: pods.length,
    ...withoutZeros({
      fullyLabeledReplicas: pods.length,
      readyReplicas: ready.length,
      availableReplicas: available.length,
    }),
    observedGeneration: set.metadata.generation ?? 1,
    ...(why === undefined ? {} : { conditions: failure(world, set, why) }),
  });
}
