import { parseDuration } from '../engine/duration.ts';
import { listRuns, type RunSummary, removeRun } from '../engine/run/list-runs.ts';
import { exitCodes } from '../exit-code.ts';
import { safeJson } from '../output/safe-text.ts';
import { table } from '../output/table.ts';
import { createSystemClock } from '../services/clock-system.ts';
import { type Command, type Environment, type Options, UsageError } from './command.ts';
import { runsFolder, standing, stateOption, viewer } from './run-store.ts';
import { textOption } from './world.ts';

/** Ended for good: a run that could still be resumed or rolled back is never pruned. */
function isOver({ last, owner }: RunSummary): boolean {
  return (
    owner === undefined &&
    last?.type === 'run-finished' &&
    (last.outcome === 'done' ||
      last.outcome === 'rolled-back' ||
      last.outcome === 'precondition-failed' ||
      last.exitCode === exitCodes.locked)
  );
}

function prune(options: Options, environment: Environment): number {
  const text = textOption(options, 'olderThan') ?? '30d';
  const age = parseDuration(text);
  if (age === undefined)
    throw new UsageError(`--older-than ${text} is no duration`, `for example --older-than 14d`);
  const runs = runsFolder(options, environment);
  const before = createSystemClock().now() - age;
  const gone = listRuns(runs, viewer(environment)).filter(
    (run) =>
      isOver(run) && Date.parse((run.opened?.sandbox === true ? run.begun : run.last?.time) ?? '') < before,
  );
  for (const { id } of gone) {
    removeRun(runs, id, viewer(environment));
    environment.streams.data(`${id}\n`);
  }
  environment.streams.info(
    `removed ${gone.length} runs that ended more than ${text} ago; runs that can still be resumed or rolled back are kept\n`,
  );
  return exitCodes.done;
}

export const runs: Command = {
  name: 'runs',
  summary: 'list runs, the newest first; --prune removes old ones that ended',
  arguments: [],
  options: [
    { flags: '--prune', description: 'remove runs that ended for good (done, rolled back, or never begun)' },
    {
      flags: '--older-than <duration>',
      description: 'with --prune: how long ago they must have ended (30d unless told)',
    },
    { flags: '--format <format>', description: 'how to print', choices: ['table', 'json'], default: 'table' },
    stateOption,
  ],
  async run(_args, options, environment) {
    if (options.prune === true) {
      prune(options, environment);
      return exitCodes.done;
    }
    const all = listRuns(runsFolder(options, environment), viewer(environment));
    if (options.format === 'json') {
      environment.streams.data(
        `${safeJson(all.map(({ opened, last, owner, ...run }) => ({ ...run, runbook: opened?.runbook, title: opened?.title, started: opened?.time, last: last?.time, standing: standing({ ...run, opened, last, owner }), owner })))}\n`,
      );
    } else if (all.length === 0) environment.streams.info(`no runs in ${runsFolder(options, environment)}\n`);
    else
      environment.streams.data(
        table([
          ['RUN', 'RUNBOOK', 'STANDING', 'STARTED', 'BY'],
          ...all.map((run) => [
            run.id,
            run.opened?.runbook ?? '',
            standing(run),
            run.opened?.time ?? '',
            run.opened?.session.actor.user ?? run.opened?.session.actor.osUser ?? '',
          ]),
        ]),
      );
    return exitCodes.done;
  },
};
