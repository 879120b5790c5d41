import { fullStepSchemas } from '../generated/full-step-schemas.ts';
import type { Stage } from '../rehearsal/stage.ts';
import { steps } from '../steps/index.ts';
import type { Environment, Options } from './command.ts';
import { prepare } from './prepare.ts';
import { inputsOf } from './run-session.ts';
import { sessionOf } from './run-store.ts';
import { sandboxRequest } from './sandbox-request.ts';

/** Few namespace keys: every rehearsal makes the world again, and what holds for one key holds for the next. */
const NEKS = { namespaces: 4, each: 3 };

/** The folder of the world that every rehearsal begins as: an earlier one's, or a fresh one. */
async function baseWorld(
  options: Options,
  environment: Environment,
  folder: string,
): Promise<{ readonly seed: number; readonly from: string }> {
  const asked = await sandboxRequest({ ...options, sandbox: true }, environment);
  const seed = asked?.seed ?? 1;
  if (asked?.from !== undefined) return { seed, from: asked.from };
  const { openSandbox } = await import('../sandbox/open.ts');
  openSandbox({ dir: folder, seed, neks: NEKS }).close();
  return { seed, from: folder };
}

/** Everything that each rehearsal begins with; planned once, in the same world. */
export async function stageOf(
  name: string,
  options: Options,
  environment: Environment,
  folder: string,
): Promise<Stage> {
  const { seed, from } = await baseWorld(options, environment, folder);
  const { seed: _, ...others } = options;
  const prepared = await prepare(name, { ...others, sandbox: true, world: from }, environment, {
    dir: undefined,
    begins: true,
  });
  prepared.world.close();
  const { planned, runbook, secrets, inventory } = prepared;
  return {
    plan: planned.plan,
    files: runbook.files,
    steps,
    schemas: fullStepSchemas,
    inputs: inputsOf(planned.plan, secrets),
    inventory: [...inventory.services.values()],
    session: sessionOf(environment, undefined),
    seed,
    from,
    folder,
    secrets: Object.values(secrets),
  };
}
