import { kinds } from '../../services/kubernetes.ts';
import { controllerOf, type Thing } from '../objects.ts';
import type { Change } from '../store.ts';
import { CONTROLLER_LAG, type World } from '../world.ts';
import { reconcileDaemonSet } from './daemon-set.ts';
import { reconcileDeployment } from './deployment.ts';
import { reconcileJob } from './job.ts';
import { reconcileReplicaSet } from './replica-set.ts';
import { reconcileStatefulSet } from './stateful-set.ts';

type Reconcile = (world: World, namespace: string, name: string) => void;

const controllers: Readonly<Record<string, Reconcile>> = {
  Deployment: reconcileDeployment,
  ReplicaSet: reconcileReplicaSet,
  StatefulSet: reconcileStatefulSet,
  DaemonSet: reconcileDaemonSet,
  Job: reconcileJob,
};

function enqueue(world: World, target: { kind: string; namespace: string | undefined; name: string }): void {
  const reconcile = controllers[target.kind];
  const { namespace, name } = target;
  if (reconcile === undefined || namespace === undefined) return;
  world.timeline.schedule(
    CONTROLLER_LAG,
    () => reconcile(world, namespace, name),
    `${target.kind}:${namespace}/${name}`,
  );
}

function ownersOf(thing: Thing): { kind: string; namespace: string | undefined; name: string } | undefined {
  const owner = controllerOf(thing);
  return owner === undefined
    ? undefined
    : { kind: owner.kind, namespace: thing.metadata.namespace, name: owner.name };
}

/** Wakes the controllers that a change concerns, a moment later: until then `observedGeneration` lags. */
export function startControllers(world: World): void {
  world.store.onChange((change: Change) => {
    const { kind, object } = change;
    if (change.type !== 'DELETED')
      enqueue(world, { kind: kind.kind, namespace: object.metadata.namespace, name: object.metadata.name });
    if (kind.plural === kinds.pods.plural || kind.plural === kinds.replicaSets.plural) {
      const owner = ownersOf(object);
      if (owner !== undefined) enqueue(world, owner);
    }
  });
}
