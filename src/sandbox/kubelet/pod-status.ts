import { kinds } from '../../services/kubernetes.ts';
import {
  type Condition,
  type Container,
  type ContainerState,
  type ContainerStatus,
  type Pod,
  timestamp,
} from '../objects.ts';
import { nameHash } from '../random.ts';
import type { World } from '../world.ts';
import type { ContainerRun, ContainerRuntime, PodRuntime } from './runtime.ts';

function ended(run: ContainerRun): ContainerState | undefined {
  if (run.finished === undefined) return undefined;
  return {
    terminated: {
      exitCode: run.finished.code,
      reason: run.finished.reason,
      startedAt: timestamp(run.startedAt),
      finishedAt: timestamp(run.finished.at),
    },
  };
}

function stateOf(container: ContainerRuntime): ContainerState {
  if (container.waiting !== undefined) return { waiting: container.waiting };
  if (container.run === undefined)
    return { waiting: { reason: container.init ? 'PodInitializing' : 'ContainerCreating' } };
  return ended(container.run) ?? { running: { startedAt: timestamp(container.run.startedAt) } };
}

function statusOf(container: ContainerRuntime, spec: Container | undefined): ContainerStatus {
  const running =
    container.run !== undefined && container.run.finished === undefined && container.waiting === undefined;
  const last = container.previous === undefined ? undefined : ended(container.previous);
  const id = (container.run ?? container.previous)?.id;
  const image = spec?.image ?? '';
  return {
    name: container.name,
    state: stateOf(container),
    lastState: last ?? {},
    ready: container.init ? container.run?.finished?.code === 0 : running && container.ready,
    restartCount: container.restarts,
    image,
    imageID: id === undefined ? '' : `sandbox/${image}@sha256:${nameHash(image)}`,
    ...(id === undefined ? {} : { containerID: `containerd://${id}` }),
    started: running,
  };
}

function phaseOf(pod: Pod, main: readonly ContainerRuntime[]): string {
  const never = pod.spec.restartPolicy === 'Never' || pod.spec.restartPolicy === 'OnFailure';
  const finished = main.every(
    (container) => container.run?.finished !== undefined && container.waiting === undefined,
  );
  if (never && finished)
    return main.every((container) => container.run?.finished?.code === 0) ? 'Succeeded' : 'Failed';
  return main.some((container) => container.run !== undefined || container.previous !== undefined)
    ? 'Running'
    : 'Pending';
}

function conditionsOf(
  pod: Pod,
  wanted: readonly Omit<Condition, 'lastTransitionTime'>[],
  now: string,
): readonly Condition[] {
  return wanted.map((condition) => {
    const known = pod.status.conditions?.find(({ type }) => type === condition.type);
    const same = known?.status === condition.status;
    return { ...condition, lastTransitionTime: same ? (known?.lastTransitionTime ?? now) : now };
  });
}

function readiness(
  type: string,
  unready: readonly ContainerRuntime[],
  phase: string,
): Omit<Condition, 'lastTransitionTime'> {
  if (phase === 'Succeeded') return { type, status: 'False', reason: 'PodCompleted' };
  if (unready.length === 0) return { type, status: 'True' };
  const names = unready.map(({ name }) => name).join(' ');
  return {
    type,
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${names}]`,
  };
}

/** Writes what the runtime knows into the pod's status. */
export function syncPod(
  world: World,
  runtime: PodRuntime,
  key: { readonly namespace: string; readonly name: string },
): void {
  const pod = world.store.get<Pod>(kinds.pods, key.namespace, key.name);
  if (pod === undefined || pod.metadata.uid !== runtime.uid) return;
  const now = timestamp(world.timeline.now);
  const init = runtime.containers.filter((container) => container.init);
  const main = runtime.containers.filter((container) => !container.init);
  const unready = main.filter((container) => !container.ready);
  const phase = phaseOf(pod, main);
  const pending = init.filter((container) => container.run?.finished?.code !== 0);
  const initialized: Omit<Condition, 'lastTransitionTime'> =
    pending.length === 0
      ? { type: 'Initialized', status: 'True' }
      : {
          type: 'Initialized',
          status: 'False',
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: [${pending.map(({ name }) => name).join(' ')}]`,
        };
  const find = (list: readonly Container[] | undefined, name: string) =>
    list?.find((container) => container.name === name);
  const status = {
    phase,
    conditions: conditionsOf(
      pod,
      [
        { type: 'PodReadyToStartContainers', status: 'True' },
        initialized,
        readiness('Ready', unready, phase),
        readiness('ContainersReady', unready, phase),
        { type: 'PodScheduled', status: 'True' },
      ],
      now,
    ),
    hostIP: '10.0.0.1',
    podIP: runtime.ip,
    podIPs: [{ ip: runtime.ip }],
    startTime: pod.status.startTime ?? timestamp(runtime.boundAt),
    ...(init.length === 0
      ? {}
      : {
          initContainerStatuses: init.map((container) =>
            statusOf(container, find(pod.spec.initContainers, container.name)),
          ),
        }),
    containerStatuses: main.map((container) =>
      statusOf(container, find(pod.spec.containers, container.name)),
    ),
    qosClass: pod.status.qosClass ?? 'BestEffort',
  };
  if (JSON.stringify(status) !== JSON.stringify(pod.status)) world.store.put(kinds.pods, { ...pod, status });
}
