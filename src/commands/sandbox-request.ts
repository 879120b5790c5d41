import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Plan } from '../engine/plan/plan.ts';
import { type Environment, type Options, UsageError } from './command.ts';
import { findRun, runsFolder } from './run-store.ts';
import { faultsOf, seedOf, textOption } from './world.ts';

/** The sandbox that the options ask for. Faults, seeds and worlds belong to it alone. */
export async function sandboxRequest(options: Options, environment: Environment): Promise<Plan['sandbox']> {
  const asked = textOption(options, 'world');
  if (options.sandbox === true) {
    const faults = faultsOf(options);
    return asked === undefined
      ? { seed: seedOf(options), faults }
      : { faults, ...(await earlierWorld(asked, options, environment)) };
  }
  if (faultsOf(options).length > 0)
    throw new UsageError('--fault works with --sandbox only', 'nothing is made to fail in a real cluster');
  if (options.seed !== undefined) throw new UsageError('--seed works with --sandbox only');
  if (asked !== undefined) throw new UsageError('--world works with --sandbox only');
  return undefined;
}

/** The seed of a world is a part of it. */
async function earlierWorld(
  asked: string,
  options: Options,
  environment: Environment,
): Promise<{ readonly seed: number; readonly from: string }> {
  if (options.seed !== undefined)
    throw new UsageError('give either --seed or --world', 'the world of an earlier run has its seed');
  const { hasWorld, SandboxError, worldSeed } = await import('../sandbox/world-file.ts');
  const folder = path.resolve(environment.cwd, asked);
  const from = existsSync(folder)
    ? folder
    : path.join(runsFolder(options, environment), findRun(asked, options, environment));
  if (!hasWorld(from))
    throw new UsageError(
      `--world ${asked}: there is no world of the sandbox in ${from}`,
      "'runbook runs' lists the runs; one on a real cluster has none",
    );
  try {
    return { seed: worldSeed(from), from };
  } catch (error) {
    if (error instanceof SandboxError) throw new UsageError(error.message, error.hint);
    throw error;
  }
}
