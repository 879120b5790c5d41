import { type ContainerRun, printLine } from '../kubelet/runtime.ts';
import type { World } from '../world.ts';
import type { Consumer, ConsumerKind } from './state.ts';

const names: Readonly<Record<ConsumerKind, string>> = {
  ess: 'ess-api',
  'api-keys': 'api-keys',
  'nvcf-api': 'nvcf-api',
};

/** The run of a service, as long as it is the one that runs in its pod. */
export function runOf(world: World, consumer: Consumer): ContainerRun | undefined {
  const containers = world.runtimes.get(consumer.uid)?.containers;
  const run = containers?.find(({ name }) => name === consumer.container)?.run;
  return run?.id === consumer.runId && run.finished === undefined ? run : undefined;
}

/** Services of a kind that run now, by namespace and pod. */
export function consumersOf(world: World, kind: ConsumerKind): readonly Consumer[] {
  return [...world.consumers.values()]
    .filter((consumer) => consumer.kind === kind && runOf(world, consumer) !== undefined)
    .sort((a, b) => (a.pod < b.pod ? -1 : 1));
}

/** Prints a line in the log of a service; '%' stands for its name. */
export function say(world: World, consumer: Consumer, text: string, at = world.timeline.now): void {
  const run = runOf(world, consumer);
  if (run !== undefined) printLine(run, at, text.replace('%', names[consumer.kind]));
}
