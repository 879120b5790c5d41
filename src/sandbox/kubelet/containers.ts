import { kinds } from '../../services/kubernetes.ts';
import { consumerStarted } from '../consumers/life.ts';
import { recordEvent } from '../events.ts';
import { migrationsStarted } from '../mek/migrations-job.ts';
import type { Container, Pod } from '../objects.ts';
import { asPlayed, playedKey } from '../seed/shape.ts';
import type { World } from '../world.ts';
import { appOf } from './apps.ts';
import { syncPod } from './pod-status.ts';
import { probe } from './probe.ts';
import { ending } from './program.ts';
import { programOf } from './programs.ts';
import type { ContainerRun, ContainerRuntime, PodRuntime } from './runtime.ts';
import { containerStarted, containerStopped } from './servers.ts';

/** A pod with its runtime, found again at every step of its life. */
export interface Running {
  readonly pod: Pod;
  readonly runtime: PodRuntime;
}

const MAX_BACKOFF = 300_000;

export function find(
  world: World,
  key: { namespace: string; name: string; uid: string },
): Running | undefined {
  const pod = world.store.get<Pod>(kinds.pods, key.namespace, key.name);
  const runtime = world.runtimes.get(key.uid);
  return pod === undefined || runtime === undefined || pod.metadata.uid !== key.uid
    ? undefined
    : { pod, runtime };
}

export function keyOf(pod: Pod): { namespace: string; name: string; uid: string } {
  return { namespace: pod.metadata.namespace ?? '', name: pod.metadata.name, uid: pod.metadata.uid };
}

export function specOf(world: World, pod: Pod, container: ContainerRuntime): Container {
  const list = (container.init ? pod.spec.initContainers : pod.spec.containers) ?? [];
  const spec = list.find(({ name }) => name === container.name) ?? { name: container.name };
  return world.played.has(playedKey(pod.metadata.namespace, spec.name)) ? asPlayed(spec) : spec;
}

function tell(
  world: World,
  running: Running,
  text: { reason: string; message: string; container: ContainerRuntime; warning?: boolean },
): void {
  const list = text.container.init ? 'initContainers' : 'containers';
  recordEvent(world, running.pod, {
    type: text.warning === true ? 'Warning' : 'Normal',
    reason: text.reason,
    message: text.message,
    component: 'kubelet',
    fieldPath: `spec.${list}{${text.container.name}}`,
  });
}

/** Pulls the image; answers false when it cannot be pulled, which is tried again with growing pauses. */
export function pull(world: World, running: Running, container: ContainerRuntime): boolean {
  const image = specOf(world, running.pod, container).image ?? '';
  if (!image.includes('does-not-exist')) {
    tell(world, running, {
      reason: 'Pulled',
      message: `Container image "${image}" already present on machine`,
      container,
    });
    return true;
  }
  const why = `failed to pull and unpack image "${image}": failed to resolve reference "${image}": not found`;
  tell(world, running, {
    reason: 'Failed',
    message: `Failed to pull image "${image}": ${why}`,
    container,
    warning: true,
  });
  tell(world, running, { reason: 'Failed', message: 'Error: ErrImagePull', container, warning: true });
  container.waiting = { reason: 'ErrImagePull', message: why };
  const key = keyOf(running.pod);
  world.timeline.schedule(2_000, () => {
    const again = find(world, key);
    if (again === undefined || again.runtime.stopping) return;
    container.waiting = {
      reason: 'ImagePullBackOff',
      message: `Back-off pulling image "${image}": ErrImagePull: ${why}`,
    };
    tell(world, again, { reason: 'BackOff', message: `Back-off pulling image "${image}"`, container });
    tell(world, again, { reason: 'Failed', message: 'Error: ImagePullBackOff', container, warning: true });
    syncPod(world, again.runtime, key);
  });
  return false;
}

function readyAfter(world: World, spec: Container): number {
  const app = appOf(spec.name);
  const delay = (spec.readinessProbe?.initialDelaySeconds ?? 0) * 1000;
  if (app === undefined) return delay;
  return Math.max(delay, world.random.integer(app.ready[0] * 1000, app.ready[1] * 1000));
}

function watchReadiness(
  world: World,
  running: Running,
  given: { container: ContainerRuntime; run: ContainerRun; readyAt: number },
): void {
  const { container, run, readyAt } = given;
  const key = keyOf(running.pod);
  const spec = specOf(world, running.pod, container);
  const check = (): void => {
    const current = find(world, key);
    if (current === undefined || container.run !== run || run !== container.run || run.finished !== undefined)
      return;
    const now = world.timeline.now;
    const ready = probe(current.runtime, { container, spec, readyAt, now });
    if (!ready && now >= readyAt && container.ready !== ready)
      tell(world, current, {
        reason: 'Unhealthy',
        message: 'Readiness probe failed',
        container,
        warning: true,
      });
    if (ready !== container.ready) {
      container.ready = ready;
      syncPod(world, current.runtime, key);
    }
    const dynamic = spec.readinessProbe?.exec !== undefined && appOf(spec.name) === undefined;
    if (!ready || dynamic) world.timeline.schedule((spec.readinessProbe?.periodSeconds ?? 10) * 1000, check);
  };
  if (readyAt <= world.timeline.now && spec.readinessProbe === undefined) container.ready = true;
  else world.timeline.schedule(Math.max(100, readyAt - world.timeline.now), check);
}

/** Starts a container and plans its readiness and its end. */
export function startContainer(world: World, running: Running, container: ContainerRuntime): void {
  const { pod, runtime } = running;
  const key = keyOf(pod);
  const spec = specOf(world, pod, container);
  const delay = readyAfter(world, spec);
  const run: ContainerRun = {
    program: programOf(spec, delay),
    startedAt: world.timeline.now,
    id: world.random.hex(64),
    live: { lines: [], waiting: world.cassandra.stopped.has(pod.metadata.name), listeners: new Set() },
  };
  container.run = run;
  container.waiting = undefined;
  container.ready = false;
  tell(world, running, { reason: 'Created', message: `Created container: ${container.name}`, container });
  tell(world, running, { reason: 'Started', message: `Started container ${container.name}`, container });
  if (!container.init) watchReadiness(world, running, { container, run, readyAt: run.startedAt + delay });
  containerStarted(world, pod, container.name);
  consumerStarted(world, {
    pod,
    container: container.name,
    run,
    delay,
    fail: () => finish(world, { key, container, run, code: 1 }),
  });
  migrationsStarted(world, {
    spec,
    run,
    isAlive: () => container.run === run && find(world, key)?.runtime.stopping === false,
    end: (code) => finish(world, { key, container, run, code }),
  });
  const end = ending(run.program);
  if (end !== undefined)
    world.timeline.schedule(end.after, () => finish(world, { key, container, run, code: end.code }));
  syncPod(world, runtime, key);
}

interface Ending {
  readonly key: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly container: ContainerRuntime;
  readonly run: ContainerRun;
  readonly code: number;
}

/** The end of a container: started again at once, then with growing pauses, unless the pod says otherwise. */
export function finish(world: World, end: Ending): void {
  const running = find(world, end.key);
  const { container, run } = end;
  if (running === undefined || container.run !== run || running.runtime.stopping) return;
  container.run = {
    ...run,
    finished: { at: world.timeline.now, code: end.code, reason: end.code === 0 ? 'Completed' : 'Error' },
  };
  container.ready = false;
  containerStopped(world, running.pod, container.name);
  const policy = running.pod.spec.restartPolicy ?? 'Always';
  const again = container.init
    ? end.code !== 0 && policy !== 'Never'
    : policy === 'Always' || (policy === 'OnFailure' && end.code !== 0);
  if (again) restartLater(world, end.key, container);
  syncPod(world, running.runtime, end.key);
}

function restartLater(world: World, key: Ending['key'], container: ContainerRuntime): void {
  const pause =
    container.restarts === 0 ? 1_000 : Math.min(MAX_BACKOFF, 10_000 * 2 ** (container.restarts - 1));
  const ended = container.run;
  if (container.restarts > 0) {
    world.timeline.schedule(500, () => {
      const running = find(world, key);
      if (running === undefined || container.run !== ended || running.runtime.stopping) return;
      const text = `back-off ${pause / 1000}s restarting failed container=${container.name} pod=${key.name}_${key.namespace}(${key.uid})`;
      container.waiting = { reason: 'CrashLoopBackOff', message: text };
      container.previous = ended;
      tell(world, running, {
        reason: 'BackOff',
        message: `Back-off restarting failed container ${container.name} in pod ${key.name}_${key.namespace}(${key.uid})`,
        container,
        warning: true,
      });
      syncPod(world, running.runtime, key);
    });
  }
  world.timeline.schedule(pause, () => {
    const running = find(world, key);
    if (running === undefined || container.run !== ended || running.runtime.stopping) return;
    container.previous = ended;
    container.restarts += 1;
    startContainer(world, running, container);
  });
}

/** Ends a container from outside, as a signal from a command in it does. */
export function killContainer(
  world: World,
  running: Running,
  given: { container: ContainerRuntime; code: number },
): void {
  const { container, code } = given;
  if (container.run !== undefined)
    finish(world, { key: keyOf(running.pod), container, run: container.run, code });
}
