import { inspectLock, unlock as removeLock } from '../engine/run/lease.ts';
import { exitCodes } from '../exit-code.ts';
import { safeLine } from '../output/safe-text.ts';
import { type Command, CommandError, UsageError } from './command.ts';
import { loadInventory, servicesOption } from './inventory-file.ts';
import { clusterOptions, openWorld } from './world.ts';

export const unlock: Command = {
  name: 'unlock',
  summary: 'remove a lock that a dead run left behind; asks for the run id',
  arguments: [{ name: 'LOCK', description: 'the lock, as the refused run named it: nvcf/nvcf-api' }],
  options: [
    { flags: '--force', description: 'required: whoever holds the lock may still be working' },
    { flags: '--run <id>', description: 'the run that holds it, instead of being asked for it' },
    servicesOption,
    ...clusterOptions,
  ],
  help: `Look first whether the run that holds the lock still lives: 'runbook runs' on the machine that it names. A run that waits keeps its lock on purpose.\n`,
  async run([lock = ''], options, environment) {
    const inventory = await loadInventory(options, environment);
    const world = await openWorld({ options, inventory, sandbox: undefined }, environment);
    const at = { namespace: inventory.lockNamespace, lock };
    const lease = await inspectLock(world.services.kubernetes, at.namespace, lock).catch((error: Error) => {
      throw new CommandError(exitCodes.preconditionFailed, error.message);
    });
    if (lease === undefined || lease.holder === '') {
      environment.streams.info(`nobody holds '${safeLine(lock)}' in namespace ${at.namespace}\n`);
      return exitCodes.done;
    }
    environment.streams.info(
      `'${safeLine(lock)}' is held by run ${safeLine(lease.run)} (${safeLine(lease.holder)}), taken ${safeLine(lease.acquired)}, last renewed ${safeLine(lease.renewed)}${lease.waiting ? '; the run is waiting and keeps it on purpose' : ''}\n`,
    );
    if (options.force !== true)
      throw new UsageError('removing a lock needs --force', 'only when that run is dead for certain');
    const typed =
      typeof options.run === 'string'
        ? options.run
        : await world.prompt.text(
            'Type the id of that run to remove its lock: ',
            new AbortController().signal,
          );
    if (typed === 'no-terminal')
      throw new UsageError('there is no terminal to ask at', 'name the run with --run');
    if (typed.trim() !== lease.run)
      throw new UsageError('that is not the run that holds the lock; nothing was removed');
    if (!(await removeLock(world.services.kubernetes, at, lease.run)))
      throw new CommandError(
        exitCodes.failed,
        'the lock changed hands meanwhile; nothing was removed',
        'look again',
      );
    environment.streams.info('removed\n');
    return exitCodes.done;
  },
};
