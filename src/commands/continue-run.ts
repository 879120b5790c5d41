import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '../engine/json.ts';
import { RunBusyError, RunForeignError } from '../engine/run/owner.ts';
import { JournalError } from '../engine/run/run-error.ts';
import { RunFolderError, readRunbookFiles, type StoredRun } from '../engine/run/run-folder.ts';
import { CannotContinueError, type Continuation, continueRun } from '../engine/run/session.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { outputsText } from '../output/outputs-text.ts';
import { isAlive } from '../services/process-identity.ts';
import { CommandError, type Environment, type Options } from './command.ts';
import { windowEnd } from './exec.ts';
import { failpoint } from './failpoint.ts';
import { gatherSecrets } from './inputs.ts';
import { loadInventory, servicesOption } from './inventory-file.ts';
import { driveRun, runOptions } from './run-session.ts';
import { loadRun, runsFolder, sessionOf, stateOption } from './run-store.ts';
import { type CommandWorld, clusterOptions, isInteractive, openWorld } from './world.ts';

export const continueOptions = [
  ...runOptions,
  {
    flags: '--adopt',
    description: 'the run folder came from another machine; only once its Lease has been quiet',
  },
  servicesOption,
  ...clusterOptions,
  stateOption,
];

/** What stands between a stored run and going on with it, in words and codes of the table. */
export function asCommandError(error: unknown, id: string): never {
  if (error instanceof CannotContinueError)
    throw new CommandError(
      error.reason === 'damaged' ? exitCodes.journal : exitCodes.usage,
      error.message,
      error.hint,
    );
  if (error instanceof RunBusyError)
    throw new CommandError(
      exitCodes.locked,
      error.message,
      `wait until it ends, or stop it; 'runbook show ${id}' tells how far it is`,
    );
  if (error instanceof RunForeignError)
    throw new CommandError(
      exitCodes.locked,
      error.message,
      `once it is certain that it is not: runbook resume ${id} --adopt`,
    );
  if (error instanceof RunFolderError) throw new CommandError(exitCodes.journal, error.message, error.hint);
  if (error instanceof JournalError) throw new CommandError(exitCodes.journal, error.message);
  throw error;
}

/** The run goes on by its own copy of the runbook; that the file changed since must be known and wanted. */
function refuseEdited({ plan, folder, id }: StoredRun, environment: Environment): void {
  const changed = readRunbookFiles(folder).flatMap((stored, index) => {
    const planned = plan.runbook.files[index];
    if (planned === undefined) return [];
    try {
      const now = readFileSync(path.resolve(environment.cwd, planned.path));
      return createHash('sha256').update(now).digest('hex') === planned.sha256 ||
        now.toString('utf8') === stored.text
        ? []
        : [planned.path];
    } catch {
      // Not there any more, or never was on this machine: the run has its own copy.
      return [];
    }
  });
  if (changed.length > 0)
    throw new CommandError(
      exitCodes.stale,
      `the runbook changed since this run began: ${changed.join(', ')}`,
      `the run goes on as it was planned with: runbook resume ${id} --as-planned`,
    );
}

/** Asked for what has happened already, perhaps just before the terminal was lost: no mistake, and the same answer again. */
function alreadyThere(
  { state, journal }: StoredRun,
  { mode, markDone }: { readonly mode: 'resume' | 'rollback'; readonly markDone?: Continuation['markDone'] },
): { readonly is: string; readonly exitCode: ExitCode; readonly outputs: JsonObject } | undefined {
  const { finished } = state;
  if (finished === undefined || markDone !== undefined || journal.damage !== undefined) return undefined;
  if (mode === 'resume' && finished.outcome === 'done')
    return { is: 'done', exitCode: exitCodes.done, outputs: finished.outputs };
  if (mode === 'rollback' && finished.outcome === 'rolled-back')
    return { is: 'rolled back', exitCode: exitCodes.rolledBack, outputs: {} };
  return undefined;
}

async function mustBeSameCluster(stored: StoredRun, world: CommandWorld): Promise<void> {
  const { cluster, sandbox } = stored.plan;
  if (cluster === undefined || sandbox !== undefined) return;
  const now = await world.services.kubernetes.identity().catch((error: Error) => {
    throw new CommandError(
      exitCodes.preconditionFailed,
      error.message,
      `the run is as it was; try again when the cluster answers`,
    );
  });
  if (now.uid !== cluster.uid)
    throw new CommandError(
      exitCodes.stale,
      `the run was begun on another cluster: ${cluster.context} (${cluster.server}, ${cluster.uid}), and this is ${now.context} (${now.server}, ${now.uid})`,
      'choose the right one with --context or --kubeconfig',
    );
}

/** resume and rollback: the same loop over the same journal. */
export async function goOn(
  request: {
    readonly asked: string;
    readonly mode: 'resume' | 'rollback';
    readonly flags: readonly string[];
    readonly markDone?: Continuation['markDone'];
  },
  options: Options,
  environment: Environment,
): Promise<ExitCode> {
  const stored = loadRun(request.asked, options, environment);
  const { plan, id, folder } = stored;
  const over = alreadyThere(stored, request);
  if (over !== undefined) {
    environment.streams.info(`run ${id} is ${over.is}: there is nothing left to do\n`);
    if (Object.keys(over.outputs).length > 0) environment.streams.data(outputsText(over.outputs));
    return over.exitCode;
  }
  if (options.asPlanned !== true) refuseEdited(stored, environment);
  const end = windowEnd(options);
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
    await mustBeSameCluster(stored, world);
    const user =
      plan.cluster === undefined
        ? undefined
        : await world.services.kubernetes.whoAmI().catch(() => undefined);
    const session = sessionOf(environment, user);
    const secrets = await gatherSecrets(
      plan.inputs,
      plan.inputSpecs,
      { world, signal: new AbortController().signal },
      environment,
    );
    const open = continueRun({
      runs: runsFolder(options, environment),
      id,
      session,
      time: () => new Date(world.services.clock.now()).toISOString(),
      isAlive,
      failpoint: failpoint(environment),
      mode: request.mode,
      adopt: options.adopt === true,
      continuing: {
        interactive: isInteractive(environment),
        assumeYes: options.yes === true,
        flags: request.flags,
        ...(plan.sandbox === undefined ? {} : { hold: Number.MAX_SAFE_INTEGER }),
        ...(typeof options.reason === 'string' ? { reason: options.reason } : {}),
        ...(end === undefined ? {} : { windowEnd: end }),
      },
      ...(request.markDone === undefined ? {} : { markDone: request.markDone }),
    });
    return await driveRun(
      { open, world, session, secrets, adopt: options.adopt === true },
      options,
      environment,
    );
  } catch (error) {
    world.close();
    return asCommandError(error, id);
  }
}
