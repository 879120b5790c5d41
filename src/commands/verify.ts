import { inspectLock } from '../engine/run/lease.ts';
import { verifyRun } from '../engine/run/list-runs.ts';
import { exitCodes } from '../exit-code.ts';
import { safeLine } from '../output/safe-text.ts';
import { type Command, CommandError, type Environment, type Options } from './command.ts';
import { loadInventory } from './inventory-file.ts';
import { findRun, loadRun, runsFolder, stateOption } from './run-store.ts';
import { clusterOptions, openWorld } from './world.ts';

/** What a Lease remembers of the run's journal; undefined when the cluster is not asked or knows nothing of it. */
async function witnessOf(
  id: string,
  options: Options,
  environment: Environment,
): Promise<{ readonly seq: number; readonly hash: string } | undefined> {
  const { plan, folder } = loadRun(id, options, environment);
  const inventory = await loadInventory({}, environment);
  const world = await openWorld(
    {
      options,
      inventory,
      sandbox: plan.sandbox === undefined ? undefined : { ...plan.sandbox, dir: folder },
    },
    environment,
  );
  try {
    const heads = await Promise.all(
      plan.locks.map(async (lock) => inspectLock(world.services.kubernetes, plan.lockNamespace, lock)),
    ).catch((error: Error) => {
      throw new CommandError(
        exitCodes.preconditionFailed,
        error.message,
        'without --cluster the journal alone is checked',
      );
    });
    return heads
      .filter((lease) => lease?.run === id)
      .flatMap((lease) => lease?.head ?? [])
      .sort((a, b) => b.seq - a.seq)[0];
  } finally {
    world.close();
  }
}

export const verify: Command = {
  name: 'verify',
  summary:
    "check that a run's journal is whole: every byte, the chain, the side files, and what the cluster remembers of it",
  arguments: [{ name: 'RUN', description: "a run's id, the beginning of it, or 'last'" }],
  options: [
    {
      flags: '--cluster',
      description: "also ask the run's Leases whether the end of the journal is missing",
    },
    ...clusterOptions,
    stateOption,
  ],
  help: 'Exit code 0: whole. 74: damaged.\n',
  async run([asked = ''], options, environment) {
    const id = findRun(asked, options, environment);
    loadRun(id, options, environment);
    const witness = options.cluster === true ? await witnessOf(id, options, environment) : undefined;
    const { records, head, problems } = verifyRun(runsFolder(options, environment), id, witness);
    for (const problem of problems) environment.streams.data(`${id}: ${safeLine(problem)}\n`);
    if (problems.length > 0) return exitCodes.journal;
    environment.streams.data(
      `${id}: whole, ${records} records, head ${head.seq}:${head.hash.slice(0, 12)}${options.cluster === true ? (witness === undefined ? ', no Lease knows of it' : `, and the Lease has seen up to ${witness.seq}`) : ''}\n`,
    );
    return exitCodes.done;
  },
};
