import type { Kind } from '../../services/kubernetes.ts';
import { kinds } from '../../services/kubernetes.ts';
import { createObject } from '../api.ts';
import { recordEvent } from '../events.ts';
import {
  canonical,
  controllerOf,
  type Labels,
  ownerReference,
  type Pod,
  type Template,
  type Thing,
} from '../objects.ts';
import type { World } from '../world.ts';

/** Pods whose controller is `owner`, terminating ones included. */
export function podsOf(world: World, owner: Thing): readonly Pod[] {
  return world.store
    .all<Pod>(kinds.pods, owner.metadata.namespace)
    .filter((pod) => controllerOf(pod)?.uid === owner.metadata.uid);
}

export function isTerminating(thing: Thing): boolean {
  return thing.metadata.deletionTimestamp !== undefined;
}

/** Neither terminating nor finished. */
export function isActive(pod: Pod): boolean {
  return !isTerminating(pod) && pod.status.phase !== 'Succeeded' && pod.status.phase !== 'Failed';
}

export function isReady(pod: Pod): boolean {
  return pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

/** Ready for `minReadySeconds`. */
export function isAvailable(world: World, pod: Pod, minReadySeconds: number | undefined): boolean {
  const ready = pod.status.conditions?.find(({ type, status }) => type === 'Ready' && status === 'True');
  if (ready === undefined) return false;
  const since = Date.parse(ready.lastTransitionTime ?? '');
  return (minReadySeconds ?? 0) === 0 || since + (minReadySeconds ?? 0) * 1000 <= world.timeline.now;
}

/** Counts that are zero are left out, as the API server does. */
export function withoutZeros(counts: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

/** Stores a new status unless it is the one that is there. */
export function putStatus(world: World, kind: Kind, object: Thing, status: object): void {
  const current = world.store.get(kind, object.metadata.namespace, object.metadata.name);
  if (current === undefined || current.metadata.uid !== object.metadata.uid) return;
  if (canonical(current.status) !== canonical(status)) world.store.put(kind, { ...current, status });
}

export interface NewPod {
  /** Without a name, one is generated from the owner's. */
  readonly name?: string;
  readonly template: Template;
  readonly labels?: Labels;
  /** Bound at once, as pods of a DaemonSet are. */
  readonly node?: string;
}

/** Creates a pod for a controller; a refusal becomes an event and is returned as text. */
export function createPod(world: World, owner: Thing, pod: NewPod): string | undefined {
  const { template } = pod;
  const manifest = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(pod.name === undefined ? { generateName: `${owner.metadata.name}-` } : { name: pod.name }),
      namespace: owner.metadata.namespace,
      labels: { ...template.metadata?.labels, ...pod.labels },
      ...(template.metadata?.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
      ownerReferences: [ownerReference(owner)],
    },
    spec: {
      ...template.spec,
      ...(pod.node === undefined ? {} : { nodeName: pod.node }),
      ...(pod.name === undefined ? {} : { hostname: pod.name }),
    },
  };
  const component = `${owner.kind.toLowerCase()}-controller`;
  try {
    const created = createObject(world, manifest, { dryRun: false, manager: 'kube-controller-manager' });
    recordEvent(world, owner, {
      type: 'Normal',
      reason: 'SuccessfulCreate',
      message:
        owner.kind === 'StatefulSet'
          ? `create Pod ${created.metadata.name} in StatefulSet ${owner.metadata.name} successful`
          : `Created pod: ${created.metadata.name}`,
      component,
    });
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    recordEvent(world, owner, {
      type: 'Warning',
      reason: 'FailedCreate',
      message:
        owner.kind === 'StatefulSet'
          ? `create Pod ${pod.name ?? ''} in StatefulSet ${owner.metadata.name} failed error: ${why}`
          : `Error creating: ${why}`,
      component,
    });
    return why;
  }
}
