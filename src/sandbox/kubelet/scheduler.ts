import { kinds } from '../../services/kubernetes.ts';
import { otherKinds } from '../catalog.ts';
import { recordEvent } from '../events.ts';
import { type Condition, type Pod, type Thing, timestamp } from '../objects.ts';
import { quantity } from '../quantity.ts';
import { requested } from '../quota.ts';
import type { World } from '../world.ts';

type Node = Thing & { readonly status?: { readonly allocatable?: Readonly<Record<string, string>> } };

/** Time between a pod's creation and its binding, in milliseconds. */
const LAG = 20;

function obstacle(world: World, pod: Pod, node: Node): string | undefined {
  const wanted = Object.entries(pod.spec.nodeSelector ?? {});
  if (wanted.some(([key, value]) => node.metadata.labels?.[key] !== value))
    return "node(s) didn't match Pod's node affinity/selector";
  const there = world.store
    .all<Pod>(kinds.pods)
    .filter((other) => other.spec.nodeName === node.metadata.name);
  for (const resource of ['cpu', 'memory']) {
    const used = there.reduce((sum, other) => sum + requested(other, resource), 0);
    if (used + requested(pod, resource) > quantity(node.status?.allocatable?.[resource] ?? 0))
      return `Insufficient ${resource}`;
  }
  return undefined;
}

/** The node with the fewest pods among those that fit. */
function choose(world: World, pod: Pod): { readonly node: Node } | { readonly why: string } {
  const nodes = world.store.all<Node>(otherKinds.nodes);
  const obstacles = new Map<string, number>();
  const count = (node: Node) =>
    world.store.all<Pod>(kinds.pods).filter((other) => other.spec.nodeName === node.metadata.name).length;
  let best: { readonly node: Node; readonly pods: number } | undefined;
  for (const node of nodes) {
    const why = obstacle(world, pod, node);
    if (why !== undefined) obstacles.set(why, (obstacles.get(why) ?? 0) + 1);
    else if (best === undefined || count(node) < best.pods) best = { node, pods: count(node) };
  }
  if (best !== undefined) return { node: best.node };
  const reasons = [...obstacles].map(([why, many]) => `${many} ${why}`).join(', ');
  return {
    why: `0/${nodes.length} nodes are available: ${reasons}. preemption: 0/${nodes.length} nodes are available: ${nodes.length} No preemption victims found for incoming pod.`,
  };
}

function schedule(world: World, namespace: string, name: string): void {
  const pod = world.store.get<Pod>(kinds.pods, namespace, name);
  if (pod === undefined || pod.spec.nodeName !== undefined || pod.metadata.deletionTimestamp !== undefined)
    return;
  const choice = choose(world, pod);
  const now = timestamp(world.timeline.now);
  if ('node' in choice) {
    recordEvent(world, pod, {
      type: 'Normal',
      reason: 'Scheduled',
      message: `Successfully assigned ${namespace}/${name} to ${choice.node.metadata.name}`,
      component: 'default-scheduler',
    });
    const conditions: readonly Condition[] = [
      { type: 'PodScheduled', status: 'True', lastTransitionTime: now },
    ];
    world.store.put(kinds.pods, {
      ...pod,
      spec: { ...pod.spec, nodeName: choice.node.metadata.name },
      status: { ...pod.status, conditions },
    });
    return;
  }
  recordEvent(world, pod, {
    type: 'Warning',
    reason: 'FailedScheduling',
    message: choice.why,
    component: 'default-scheduler',
  });
  const known = pod.status.conditions?.find(({ type }) => type === 'PodScheduled');
  if (known?.message === choice.why) return;
  const condition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message: choice.why,
    lastTransitionTime: now,
  };
  world.store.put(kinds.pods, { ...pod, status: { ...pod.status, conditions: [condition] } });
}

/** Binds new pods to nodes; pods that fit nowhere are tried again when room is made. */
export function startScheduler(world: World): void {
  const later = (pod: Thing): void => {
    const { namespace = '', name } = pod.metadata;
    world.timeline.schedule(LAG, () => schedule(world, namespace, name), `schedule:${namespace}/${name}`);
  };
  const waiting = () => world.store.all<Pod>(kinds.pods).filter((pod) => pod.spec.nodeName === undefined);
  world.store.onChange(({ type, kind, object }) => {
    if (kind.plural === 'pods' && type === 'ADDED' && (object as Pod).spec.nodeName === undefined)
      later(object);
    if (kind.plural === 'pods' && type === 'DELETED') for (const pod of waiting()) later(pod);
    if (kind.plural === 'nodes') for (const pod of waiting()) later(pod);
  });
}
