import { kinds } from '../../services/kubernetes.ts';
import { otherKinds } from '../catalog.ts';
import { deletePod } from '../deletion.ts';
import type { DaemonSet, Pod, Thing } from '../objects.ts';
import { portion } from '../quantity.ts';
import type { World } from '../world.ts';
import { createPod, isActive, isAvailable, isReady, podsOf, putStatus, withoutZeros } from './pods-of.ts';
import { ensureRevision, forgetRevisions, hashOf } from './revisions.ts';

const HASH = 'controller-revision-hash';

function eligible(world: World, set: DaemonSet): readonly Thing[] {
  const wanted = Object.entries(set.spec.template.spec.nodeSelector ?? {});
  return world.store
    .all(otherKinds.nodes)
    .filter((node) => wanted.every(([key, value]) => node.metadata.labels?.[key] === value));
}

function replaceOutdated(world: World, set: DaemonSet, given: { hash: string; wanted: number }): void {
  if (set.spec.updateStrategy.type !== 'RollingUpdate') return;
  const pods = podsOf(world, set);
  const ready = pods.filter((pod) => isActive(pod) && isAvailable(world, pod, set.spec.minReadySeconds));
  const limit = Math.max(
    1,
    portion(set.spec.updateStrategy.rollingUpdate?.maxUnavailable ?? 1, given.wanted, 'up'),
  );
  const outdated = pods.filter((pod) => isActive(pod) && pod.metadata.labels?.[HASH] !== given.hash);
  const broken = outdated.filter((pod) => !ready.includes(pod));
  const budget = Math.max(0, limit - (given.wanted - ready.length));
  for (const pod of [...broken, ...outdated.filter((other) => ready.includes(other)).slice(0, budget)])
    deletePod(world, pod, undefined);
}

/** One pass of the DaemonSet controller: a pod on every node that its node selector allows. */
export function reconcileDaemonSet(world: World, namespace: string, name: string): void {
  const set = world.store.get<DaemonSet>(kinds.daemonSets, namespace, name);
  if (set === undefined) return;
  const revision = ensureRevision(world, set);
  const hash = hashOf(set, revision);
  const nodes = eligible(world, set);
  const on = (node: Thing): readonly Pod[] =>
    podsOf(world, set).filter((pod) => pod.spec.nodeName === node.metadata.name);
  if (set.metadata.deletionTimestamp === undefined) {
    for (const node of nodes)
      if (on(node).length === 0)
        createPod(world, set, {
          template: set.spec.template,
          labels: { [HASH]: hash },
          node: node.metadata.name,
        });
    for (const pod of podsOf(world, set))
      if (isActive(pod) && !nodes.some((node) => node.metadata.name === pod.spec.nodeName))
        deletePod(world, pod, undefined);
    replaceOutdated(world, set, { hash, wanted: nodes.length });
  }
  const pods = podsOf(world, set).filter(isActive);
  const ready = pods.filter(isReady);
  const available = ready.filter((pod) => isAvailable(world, pod, set.spec.minReadySeconds));
  if (available.length < ready.length)
    world.timeline.schedule(
      1_000,
      () => reconcileDaemonSet(world, namespace, name),
      `ready:ds:${namespace}/${name}`,
    );
  putStatus(world, kinds.daemonSets, set, {
    currentNumberScheduled: pods.length,
    desiredNumberScheduled: nodes.length,
    numberMisscheduled: 0,
    numberReady: ready.length,
    ...withoutZeros({
      numberAvailable: available.length,
      numberUnavailable: Math.max(0, nodes.length - available.length),
      updatedNumberScheduled: pods.filter((pod) => pod.metadata.labels?.[HASH] === hash).length,
    }),
    observedGeneration: set.metadata.generation ?? 1,
  });
  forgetRevisions(
    world,
    set,
    new Set([revision.metadata.name, ...pods.map((pod) => `${name}-${pod.metadata.labels?.[HASH] ?? ''}`)]),
  );
}
