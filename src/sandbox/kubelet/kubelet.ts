import { kinds } from '../../services/kubernetes.ts';
import { recordEvent } from '../events.ts';
import type { Pod } from '../objects.ts';
import type { Change } from '../store.ts';
import type { World } from '../world.ts';
import { find, keyOf, pull, type Running, specOf, startContainer } from './containers.ts';
import { syncPod } from './pod-status.ts';
import { stopsAfter } from './programs.ts';
import type { ContainerRuntime, PodRuntime } from './runtime.ts';
import { containerStopped } from './servers.ts';

/** Time to set up a pod's sandbox and to remove what is left of it, in milliseconds. */
const SETUP = 300;
const CLEANUP = 100;

function newContainer(name: string, init: boolean): ContainerRuntime {
  return { name, init, run: undefined, previous: undefined, waiting: undefined, restarts: 0, ready: false };
}

function bind(world: World, pod: Pod): void {
  const { uid } = pod.metadata;
  if (world.runtimes.has(uid)) return;
  const runtime: PodRuntime = {
    uid,
    ip: `10.42.${world.random.integer(0, 3)}.${world.random.integer(2, 254)}`,
    containers: [
      ...(pod.spec.initContainers ?? []).map(({ name }) => newContainer(name, true)),
      ...pod.spec.containers.map(({ name }) => newContainer(name, false)),
    ],
    files: new Map(),
    boundAt: world.timeline.now,
    stopping: false,
  };
  world.runtimes.set(uid, runtime);
  const key = keyOf(pod);
  syncPod(world, runtime, key);
  world.timeline.schedule(SETUP, () => initialise(world, key, 0));
}

/** Runs the init containers one after the other, then starts all others. */
function initialise(world: World, key: { namespace: string; name: string; uid: string }, at: number): void {
  const running = find(world, key);
  if (running === undefined || running.runtime.stopping) return;
  const { runtime } = running;
  const next = runtime.containers.filter((container) => container.init)[at];
  if (next === undefined) {
    startAll(world, key);
    return;
  }
  if (next.run === undefined) startInit(world, running, next);
  if (next.waiting !== undefined && next.run === undefined) return;
  if (next.run?.finished?.code === 0) initialise(world, key, at + 1);
  else world.timeline.schedule(500, () => initialise(world, key, at));
}

/** An init container of a seeded server does its work and ends; only a script of the author's may hang. */
function startInit(world: World, running: Running, container: ContainerRuntime): void {
  const key = keyOf(running.pod);
  if (!pull(world, running, container)) {
    syncPod(world, running.runtime, key);
    return;
  }
  startContainer(world, running, container);
  const { run } = container;
  if (run === undefined || specOf(world, running.pod, container).command !== undefined) return;
  world.timeline.schedule(800, () => {
    if (container.run !== run) return;
    container.run = { ...run, finished: { at: world.timeline.now, code: 0, reason: 'Completed' } };
    const later = find(world, key);
    if (later !== undefined) syncPod(world, later.runtime, key);
  });
}

function startAll(world: World, key: { namespace: string; name: string; uid: string }): void {
  const running = find(world, key);
  if (running === undefined) return;
  for (const container of running.runtime.containers)
    if (!container.init && pull(world, running, container)) startContainer(world, running, container);
  syncPod(world, running.runtime, key);
}

/** SIGTERM, the time that the slowest container needs, and the end. */
function stop(world: World, pod: Pod): void {
  const runtime = world.runtimes.get(pod.metadata.uid);
  if (runtime === undefined) {
    world.timeline.schedule(CLEANUP, () => remove(world, pod));
    return;
  }
  const grace = (pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000;
  const running = runtime.containers.filter(
    ({ init, run, waiting }) =>
      !init && run !== undefined && run.finished === undefined && waiting === undefined,
  );
  const needed = running.map((container) => stopsAfter(specOf(world, pod, container), grace));
  if (!runtime.stopping) {
    runtime.stopping = true;
    for (const { name } of running)
      recordEvent(world, pod, {
        type: 'Normal',
        reason: 'Killing',
        message: `Stopping container ${name}`,
        component: 'kubelet',
        fieldPath: `spec.containers{${name}}`,
      });
  }
  world.timeline.schedule(Math.max(0, ...needed), () => {
    for (const container of running) {
      if (container.run === undefined || container.run.finished !== undefined) continue;
      container.run = {
        ...container.run,
        finished: { at: world.timeline.now, code: 0, reason: 'Completed' },
      };
      container.ready = false;
      containerStopped(world, pod, container.name);
    }
    syncPod(world, runtime, keyOf(pod));
    world.timeline.schedule(CLEANUP, () => remove(world, pod));
  });
}

function remove(world: World, pod: Pod): void {
  const current = world.store.get<Pod>(kinds.pods, pod.metadata.namespace, pod.metadata.name);
  if (current?.metadata.uid === pod.metadata.uid) world.store.remove(kinds.pods, current);
}

function onPodChange(world: World, change: Change): void {
  const pod = change.object as Pod;
  if (change.type === 'DELETED') {
    for (const { run, name } of world.runtimes.get(pod.metadata.uid)?.containers ?? [])
      if (run !== undefined && run.finished === undefined) containerStopped(world, pod, name);
    world.runtimes.delete(pod.metadata.uid);
    world.consumers.delete(pod.metadata.uid);
    return;
  }
  const before = change.before as Pod | undefined;
  if (pod.spec.nodeName !== undefined && before?.spec.nodeName === undefined)
    world.timeline.schedule(10, () => {
      const current = world.store.get<Pod>(kinds.pods, pod.metadata.namespace, pod.metadata.name);
      if (current?.metadata.uid === pod.metadata.uid && current.metadata.deletionTimestamp === undefined)
        bind(world, current);
    });
  if (
    pod.metadata.deletionTimestamp !== undefined &&
    pod.metadata.deletionTimestamp !== before?.metadata.deletionTimestamp
  )
    world.timeline.schedule(10, () => stop(world, pod));
}

/** Runs the pods that are bound to a node, and ends the ones that are deleted. */
export function startKubelet(world: World): void {
  world.store.onChange((change) => {
    if (change.kind.plural === 'pods') onPodChange(world, change);
  });
}
