import type { Container } from '../objects.ts';
import { appOf } from './apps.ts';
import { touched } from './program.ts';
import type { ContainerRuntime, PodRuntime } from './runtime.ts';
import { scriptOf } from './shell.ts';

/** Does a path exist in the container? Made by its program, or by a command that was run in the pod. */
export function fileExists(
  pod: PodRuntime,
  container: ContainerRuntime,
  given: { path: string; now: number },
): boolean {
  if (pod.files.has(given.path)) return true;
  const run = container.run;
  return run !== undefined && touched(run.program, run.startedAt, given.now).includes(given.path);
}

function passes(words: readonly string[], exists: (path: string) => boolean): boolean {
  const [name = '', ...rest] = words;
  if (name === 'false') return false;
  if (name === 'exit') return Number(rest[0] ?? 0) === 0;
  const paths = rest.filter((word) => word.startsWith('/'));
  if (['cat', 'ls', 'test', '[', 'stat', 'grep'].includes(name)) return paths.every(exists);
  return true;
}

/**
 * The outcome of a readiness probe now. A command is read as a script over the files of the container;
 * HTTP and TCP probes are answered once the server had its start-up time and waits for nothing, and never with `READY=false` in its
 * environment.
 */
export function probe(
  pod: PodRuntime,
  given: {
    readonly container: ContainerRuntime;
    readonly spec: Container;
    readonly readyAt: number;
    readonly now: number;
  },
): boolean {
  const { container, spec, now } = given;
  if (spec.env?.some(({ name, value }) => name === 'READY' && value === 'false') === true) return false;
  if (container.run?.live.waiting === true) return false;
  const command = spec.readinessProbe?.exec?.command;
  if (command === undefined || appOf(spec.name) !== undefined) return now >= given.readyAt;
  const exists = (path: string) => fileExists(pod, container, { path, now });
  let ok = true;
  for (const { join, command: item } of scriptOf(command)) {
    if (item.kind === 'loop' || (join === '&&' && !ok) || (join === '||' && ok)) continue;
    ok = passes(item.words, exists);
  }
  return ok;
}
