import { approve as approveStep } from '../engine/run/session.ts';
import { exitCodes } from '../exit-code.ts';
import { createSystemClock } from '../services/clock-system.ts';
import { isAlive } from '../services/process-identity.ts';
import { type Command, UsageError } from './command.ts';
import { asCommandError } from './continue-run.ts';
import { failpoint } from './failpoint.ts';
import { loadInventory, servicesOption } from './inventory-file.ts';
import { loadRun, runsFolder, sessionOf, stateOption } from './run-store.ts';
import { clusterOptions, openWorld } from './world.ts';

export const approve: Command = {
  name: 'approve',
  summary: 'answer a step that waits for an approval; the run goes on with the next resume',
  arguments: [
    { name: 'RUN', description: "a run's id, the beginning of it, or 'last'" },
    { name: 'STEP', description: 'the step that waits, as runbook show names it' },
  ],
  options: [
    { flags: '--reason <text>', description: 'why it is approved; required' },
    servicesOption,
    ...clusterOptions,
    stateOption,
  ],
  async run([asked = '', step = ''], options, environment) {
    if (typeof options.reason !== 'string' || options.reason.trim() === '')
      throw new UsageError(
        'an approval needs --reason',
        'it stands in the journal and the report, with your name',
      );
    const { id, plan, folder } = loadRun(asked, options, environment);
    const inventory = await loadInventory(options, environment);
    const world = await openWorld(
      {
        options: { context: plan.cluster?.context, ...options },
        inventory,
        sandbox: plan.sandbox === undefined ? undefined : { ...plan.sandbox, dir: folder },
      },
      environment,
    );
    try {
      const user =
        plan.cluster === undefined
          ? undefined
          : await world.services.kubernetes.whoAmI().catch(() => undefined);
      const clock = plan.sandbox === undefined ? createSystemClock() : world.services.clock;
      approveStep({
        runs: runsFolder(options, environment),
        id,
        session: sessionOf(environment, user),
        time: () => new Date(clock.now()).toISOString(),
        isAlive,
        failpoint: failpoint(environment),
        step,
        reason: options.reason,
      });
      environment.streams.info(`approved; go on with 'runbook resume ${id}'\n`);
      return exitCodes.done;
    } catch (error) {
      return asCommandError(error, id);
    } finally {
      world.close();
    }
  },
};
