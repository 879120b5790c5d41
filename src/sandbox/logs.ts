import { type KubernetesReader, kinds, type LogOptions } from '../services/kubernetes.ts';
import { answerError, type CallPlace } from '../services/kubernetes-errors.ts';
import { objectPath, placeOf } from '../services/kubernetes-paths.ts';
import { ApiFailure, badRequest, notFound } from './api-error.ts';
import { type Caller, permit, requireServer } from './connection.ts';
import { find, keyOf } from './kubelet/containers.ts';
import { type Line, nextLine, printed } from './kubelet/program.ts';
import type { ContainerRun, ContainerRuntime } from './kubelet/runtime.ts';
import type { Machine } from './machine.ts';
import type { Pod } from './objects.ts';
import type { World } from './world.ts';

function containerOf(world: World, pod: Pod, options: LogOptions): ContainerRuntime {
  const names = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(({ name }) => name);
  const name =
    options.container ?? (pod.spec.containers.length === 1 ? pod.spec.containers[0]?.name : undefined);
  if (name === undefined)
    throw badRequest(
      `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names.join(' ')}]`,
    );
  if (!names.includes(name)) throw badRequest(`container ${name} is not valid for pod ${pod.metadata.name}`);
  const container = find(world, keyOf(pod))?.runtime.containers.find((known) => known.name === name);
  const started = container?.run ?? container?.previous;
  if (container === undefined || started === undefined) {
    const why = container?.waiting?.reason ?? 'ContainerCreating';
    throw badRequest(`container "${name}" in pod "${pod.metadata.name}" is waiting to start: ${why}`);
  }
  return container;
}

function runOf(container: ContainerRuntime, pod: Pod, options: LogOptions): ContainerRun {
  // While it waits for its next start, the run that ended is both the current and the previous one.
  const run = options.previous === true ? container.previous : (container.run ?? container.previous);
  if (run === undefined)
    throw badRequest(
      `previous terminated container "${container.name}" in pod "${pod.metadata.name}" not found`,
    );
  return run;
}

function programLines(world: World, run: ContainerRun): readonly Line[] {
  const until = Math.min(run.finished?.at ?? Number.POSITIVE_INFINITY, world.timeline.now);
  return printed(run.program, run.startedAt, until);
}

function inOrder(lines: readonly Line[]): readonly Line[] {
  return [...lines].sort((a, b) => a.at - b.at);
}

function linesOf(world: World, run: ContainerRun): readonly Line[] {
  const own = programLines(world, run);
  return run.live.lines.length === 0 ? own : inOrder([...own, ...run.live.lines]);
}

function selected(world: World, run: ContainerRun, options: LogOptions): readonly Line[] {
  const since = options.sinceSeconds === undefined ? 0 : world.timeline.now - options.sinceSeconds * 1000;
  const lines = linesOf(world, run).filter((line) => line.at >= since);
  return options.tailLines === undefined
    ? lines
    : options.tailLines === 0
      ? []
      : lines.slice(-options.tailLines);
}

function refused<T>(place: CallPlace, read: () => T): T {
  try {
    return read();
  } catch (failure) {
    if (failure instanceof ApiFailure) throw answerError(place, failure);
    throw failure;
  }
}

/** Logs of simulated containers: computed from what their programs have printed by now. */
export function sandboxLogs(machine: Machine, caller: Caller): KubernetesReader['logs'] {
  const { world, clock } = machine;
  return async function* logs({ namespace, pod: name }, options, signal) {
    const ref = { kind: kinds.pods, namespace, name };
    const place = placeOf('read the log of', ref, false);
    objectPath(ref, 'log');
    requireServer(machine, place);
    if (signal.aborted) return;
    const asked = { verb: 'get', group: '', resource: 'pods/log', namespace, name };
    permit(machine, caller, { asked, place });
    const run = refused(place, () => {
      const pod = world.store.get<Pod>(kinds.pods, namespace, name);
      if (pod === undefined) throw notFound(kinds.pods, name);
      return runOf(containerOf(world, pod, options), pod, options);
    });
    let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
    let seen = world.timeline.now;
    // Lines of the moment that was seen last may still come.
    let live = run.live.lines.length;
    const text = (lines: readonly Line[]) => {
      const whole = Buffer.from(lines.map((line) => `${line.text}\n`).join(''));
      const part = whole.subarray(0, Math.min(whole.length, left));
      left -= part.length;
      return part.toString('utf8');
    };
    const first = text(selected(world, run, options));
    if (first !== '') yield first;
    while (options.follow === true && left > 0 && !signal.aborted) {
      const ended = await nextMoment(machine, { namespace, name, run, seen }, signal);
      const from = seen;
      seen = clock.now();
      const own = programLines(world, run).filter((line) => line.at > from);
      const more = text(inOrder([...own, ...run.live.lines.slice(live)]));
      live = run.live.lines.length;
      if (more !== '') yield more;
      if (ended) return;
    }
  };
}

interface Followed {
  readonly namespace: string;
  readonly name: string;
  readonly run: ContainerRun;
  readonly seen: number;
}

/** Waits for the next line or for the end of the container; answers true at its end. */
async function nextMoment(machine: Machine, followed: Followed, signal: AbortSignal): Promise<boolean> {
  const { world, clock } = machine;
  const { namespace, name, run, seen } = followed;
  const hasEnded = (): boolean => {
    const pod = world.store.get<Pod>(kinds.pods, namespace, name);
    const containers = pod === undefined ? undefined : find(world, keyOf(pod))?.runtime.containers;
    return (
      containers?.some(
        (container) => container.run?.id === run.id && container.run.finished === undefined,
      ) !== true
    );
  };
  if (hasEnded()) return true;
  const next = nextLine(run.program, run.startedAt, seen);
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const changed = clock.until((wake) => {
    const forget = world.store.onChange(() => {
      if (hasEnded()) wake();
    });
    run.live.listeners.add(wake);
    return () => {
      forget();
      run.live.listeners.delete(wake);
    };
  }, either);
  const line = next === undefined ? changed : clock.sleep(Math.max(1, next - world.timeline.now), either);
  await Promise.race([changed, line]);
  stop.abort();
  return hasEnded();
}
