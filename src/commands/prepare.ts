import type { PastRun } from '../engine/plan/estimate.ts';
import { makePlan, type Planned } from '../engine/plan/make-plan.ts';
import type { Inventory } from '../engine/read/inventory.ts';
import type { Runbook } from '../engine/read/runbook.ts';
import type { Secret } from '../engine/secret.ts';
import { exitCodes } from '../exit-code.ts';
import { CommandError, type Environment, type Options } from './command.ts';
import { readOrExplain } from './document.ts';
import { gatherInputs, gatherSecrets } from './inputs.ts';
import { loadInventory } from './inventory-file.ts';
import { locateRunbook } from './locate.ts';
import { sandboxRequest } from './sandbox-request.ts';
import { loadSteps } from './step-types.ts';
import { type CommandWorld, openWorld } from './world.ts';

/** Everything that stands between a file name and a run. */
export interface Prepared {
  readonly runbook: Runbook;
  readonly inventory: Inventory;
  readonly world: CommandWorld;
  readonly planned: Planned;
  readonly secrets: Readonly<Record<string, Secret>>;
}

/** Reads, resolves and plans. Ends with a `CommandError` when there is nothing that could be planned. */
export async function prepare(
  name: string,
  options: Options,
  environment: Environment,
  request: {
    readonly dir: string | undefined;
    readonly run?: string;
    /** It is run at once and does its own reading: only what the plan itself needs is asked now. */
    readonly begins?: boolean;
    readonly history?: (runbook: string) => readonly PastRun[];
  },
): Promise<Prepared> {
  const inventory = await loadInventory(options, environment);
  const file = await locateRunbook(name, environment);
  const runbook = await readOrExplain(file, environment, inventory);
  if (runbook === undefined)
    throw new CommandError(exitCodes.invalid, `${name} is not valid; nothing was started`);
  const sandbox = await sandboxRequest(options, environment);
  const world = await openWorld(
    { options, inventory, sandbox: sandbox === undefined ? undefined : { ...sandbox, dir: request.dir } },
    environment,
  );
  const stop = new AbortController();
  const unsubscribe = environment.onSignal(() =>
    stop.abort(new CommandError(exitCodes.interrupted, 'interrupted while planning; nothing was changed')),
  );
  try {
    const inputs = await gatherInputs({ runbook, inventory, world, options }, environment);
    const secrets = await gatherSecrets(inputs, runbook.inputs, { world, signal: stop.signal }, environment);
    const { steps, schemas } = await loadSteps({ blocks: runbook });
    const planned = await makePlan({
      runbook,
      inventory,
      inputs,
      secrets,
      steps,
      schemas,
      services: world.readServices,
      options: {
        runId: request.run ?? 'RUN',
        tool: environment.version,
        user: environment.osUser,
        lockNamespace: inventory.lockNamespace,
        now: world.services.clock.now(),
        ...(sandbox === undefined ? {} : { sandbox }),
        ...(request.begins === true ? { reads: 'needed' as const } : {}),
        ...(request.history === undefined ? {} : { history: request.history(runbook.name) }),
      },
      signal: stop.signal,
      protect: (secret) => environment.redact.add(secret),
    });
    if (sandbox !== undefined && sandbox.faults.length > 0)
      (await import('./fault-steps.ts')).mustNameSteps(sandbox.faults, planned.plan);
    return { runbook, inventory, world, planned, secrets };
  } catch (error) {
    world.close();
    throw error;
  } finally {
    unsubscribe();
  }
}
