import { kinds } from '../../services/kubernetes.ts';
import type { Deployment, ReplicaSet } from '../objects.ts';
import type { World } from '../world.ts';
import {
  allowedForNew,
  currentSet,
  ensureCurrentSet,
  maximumOf,
  revisionOf,
  scaleSet,
  setsOf,
  wasScaledFor,
} from './deployment-sets.ts';
import { budgets, conditionOf, syncStatus, withCondition } from './deployment-status.ts';
import { podsOf, putStatus } from './pods-of.ts';

function byBirth(a: ReplicaSet, b: ReplicaSet): number {
  return revisionOf(a) - revisionOf(b);
}

/** Sizes after a change of `spec.replicas` in the middle of a rollout or a pause: in proportion to what there is. */
function rescale(world: World, deployment: Deployment, sets: readonly ReplicaSet[]): void {
  const active = sets.filter((set) => set.spec.replicas > 0);
  const newest = currentSet(deployment, sets) ?? [...sets].sort(byBirth).at(-1);
  const [only] = active.length > 0 ? active : newest === undefined ? [] : [newest];
  if (active.length <= 1) {
    if (only !== undefined) scaleSet(world, deployment, { set: only, replicas: deployment.spec.replicas });
    return;
  }
  const allowed = deployment.spec.replicas > 0 ? deployment.spec.replicas + budgets(deployment).surge : 0;
  let left = allowed - active.reduce((sum, set) => sum + set.spec.replicas, 0);
  const growing = left > 0;
  const largest = [...active].sort(
    (a, b) =>
      (growing ? b.spec.replicas - a.spec.replicas : a.spec.replicas - b.spec.replicas) || byBirth(b, a),
  );
  const sizes = new Map(active.map((set) => [set.metadata.name, set.spec.replicas]));
  for (const set of largest) {
    const share =
      Math.round((set.spec.replicas * allowed) / Math.max(1, maximumOf(deployment, set))) - set.spec.replicas;
    const step = growing ? Math.max(0, Math.min(share, left)) : Math.min(0, Math.max(share, left));
    sizes.set(set.metadata.name, set.spec.replicas + step);
    left -= step;
  }
  for (const set of largest) {
    const rest = set === largest[0] ? left : 0;
    scaleSet(world, deployment, { set, replicas: Math.max(0, (sizes.get(set.metadata.name) ?? 0) + rest) });
  }
}

function shrinkOld(
  world: World,
  deployment: Deployment,
  sets: { readonly old: readonly ReplicaSet[]; readonly current: ReplicaSet },
): boolean {
  const { old, current } = sets;
  const oldPods = old.reduce((sum, set) => sum + set.spec.replicas, 0);
  if (oldPods === 0) return false;
  const minimum = deployment.spec.replicas - budgets(deployment).unavailable;
  const newUnavailable = current.spec.replicas - (current.status.availableReplicas ?? 0);
  let removable = oldPods + current.spec.replicas - minimum - newUnavailable;
  if (removable <= 0) return false;
  const sizes = new Map(old.map((set) => [set, set.spec.replicas]));
  for (const set of [...old].sort(byBirth)) {
    const unhealthy = Math.min(removable, set.spec.replicas - (set.status.availableReplicas ?? 0));
    if (unhealthy <= 0) continue;
    sizes.set(set, set.spec.replicas - unhealthy);
    removable -= unhealthy;
  }
  const available = [...old, current].reduce((sum, set) => sum + (set.status.availableReplicas ?? 0), 0);
  let spare = available - minimum;
  for (const set of [...old].sort(byBirth)) {
    const size = sizes.get(set) ?? 0;
    const step = Math.min(size, spare);
    if (step <= 0) continue;
    sizes.set(set, size - step);
    spare -= step;
  }
  let changed = false;
  for (const [set, replicas] of sizes) changed = scaleSet(world, deployment, { set, replicas }) || changed;
  return changed;
}

function rollingUpdate(world: World, deployment: Deployment): void {
  const current = ensureCurrentSet(world, deployment, setsOf(world, deployment));
  const sets = setsOf(world, deployment);
  const { replicas } = deployment.spec;
  const wanted =
    current.spec.replicas > replicas ? replicas : allowedForNew(deployment, sets, current.spec.replicas);
  if (scaleSet(world, deployment, { set: current, replicas: wanted })) return;
  const old = sets.filter((set) => set.metadata.uid !== current.metadata.uid);
  shrinkOld(world, deployment, { old, current });
}

function recreate(world: World, deployment: Deployment): void {
  const sets = setsOf(world, deployment);
  const found = currentSet(deployment, sets);
  const old = sets.filter((set) => set !== found);
  const shrunk = old.map((set) => scaleSet(world, deployment, { set, replicas: 0 }));
  if (shrunk.includes(true)) return;
  if (old.some((set) => podsOf(world, set).length > 0 || set.status.replicas > 0)) return;
  const current = ensureCurrentSet(world, deployment, sets);
  scaleSet(world, deployment, { set: current, replicas: deployment.spec.replicas });
}

/** Forgets old, empty revisions beyond the history limit once a rollout is complete. */
function forgetHistory(world: World, deployment: Deployment, current: ReplicaSet | undefined): void {
  const old = setsOf(world, deployment)
    .filter(
      (set) =>
        set.metadata.uid !== current?.metadata.uid && set.spec.replicas === 0 && set.status.replicas === 0,
    )
    .sort(byBirth);
  for (const set of old.slice(0, Math.max(0, old.length - deployment.spec.revisionHistoryLimit)))
    world.store.remove(kinds.replicaSets, set);
}

function markPause(world: World, deployment: Deployment): void {
  const known = conditionOf(deployment.status, 'Progressing');
  const paused = deployment.spec.paused === true;
  if (known?.reason === 'ProgressDeadlineExceeded') return;
  const due = paused ? known?.reason !== 'DeploymentPaused' : known?.reason === 'DeploymentPaused';
  if (!due) return;
  const condition = {
    type: 'Progressing',
    status: 'Unknown',
    reason: paused ? 'DeploymentPaused' : 'DeploymentResumed',
    message: paused ? 'Deployment is paused' : 'Deployment is resumed',
  };
  putStatus(world, kinds.deployments, deployment, withCondition(world, deployment.status, condition));
}

/** One pass of the deployment controller: ReplicaSets first, then the status, then the history. */
export function reconcileDeployment(world: World, namespace: string, name: string): void {
  const read = () => world.store.get<Deployment>(kinds.deployments, namespace, name);
  const found = read();
  if (found === undefined) return;
  if (found.metadata.deletionTimestamp === undefined) {
    markPause(world, found);
    const sets = setsOf(world, found);
    const scaling = sets.some((set) => set.spec.replicas > 0 && !wasScaledFor(found, set));
    if (found.spec.paused === true || scaling) rescale(world, found, sets);
    else if (found.spec.strategy.type === 'Recreate') recreate(world, found);
    else rollingUpdate(world, found);
  }
  const deployment = read();
  if (deployment === undefined) return;
  const sets = setsOf(world, deployment);
  const current = currentSet(deployment, sets);
  const recheck = syncStatus(world, deployment, { all: sets, current });
  if (recheck !== undefined)
    world.timeline.schedule(
      recheck,
      () => reconcileDeployment(world, namespace, name),
      `deadline:${namespace}/${name}`,
    );
  const complete = (current?.status.availableReplicas ?? 0) === deployment.spec.replicas;
  if (complete && found.metadata.deletionTimestamp === undefined) forgetHistory(world, deployment, current);
}
