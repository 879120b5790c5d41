import { listRuns } from '../engine/run/list-runs.ts';
import { readRunJournal } from '../engine/run/run-folder.ts';
import type { Environment, Options } from './command.ts';
import { runsFolder, viewer } from './run-store.ts';

const MOST_RUNS = 5;

/** How long each node took in the latest runs of a runbook that ended well, for the plan's time range. Sandbox runs say nothing about a cluster. */
export function history(
  runbook: string,
  options: Options,
  environment: Environment,
): readonly { readonly node: string; readonly ms: number }[] {
  const runs = runsFolder(options, environment);
  const sandbox = options.sandbox === true;
  const good = listRuns(runs, viewer(environment)).filter(
    ({ opened, last }) =>
      opened?.runbook === runbook &&
      opened.sandbox === sandbox &&
      last?.type === 'run-finished' &&
      last.outcome === 'done',
  );
  return good.slice(0, MOST_RUNS).flatMap(({ id }) => {
    const started = new Map<string, { readonly node: string; readonly at: number }>();
    return readRunJournal(runs, id).events.flatMap((event) => {
      if (event.type === 'evaluated') started.set(event.id, { node: event.node, at: Date.parse(event.time) });
      const begun = event.type === 'done' ? started.get(event.id) : undefined;
      return begun === undefined
        ? []
        : [{ node: begun.node, ms: Math.max(0, Date.parse(event.time) - begun.at) }];
    });
  });
}
