import { exitCodes } from '../exit-code.ts';
import type { LiveReport } from '../rehearsal/live/report.ts';
import { podSentences } from '../rehearsal/live/unsettled.ts';
import type { Stage } from '../rehearsal/stage.ts';
import { kinds } from '../services/kubernetes.ts';
import { CommandError, type Environment, type Options } from './command.ts';
import { loadInventory } from './inventory-file.ts';
import { prepare } from './prepare.ts';
import { readCluster, wantsCluster } from './rehearsal-live.ts';
import { inputsOf } from './run-session.ts';
import { sessionOf } from './run-store.ts';
import { sandboxRequest } from './sandbox-request.ts';
import { loadSteps } from './step-types.ts';

/** Few namespace keys: every rehearsal makes the world again, and what holds for one key holds for the next. */
const NEKS = { namespaces: 4, each: 3 };

interface BaseWorld {
  readonly seed: number;
  readonly from: string;
  readonly live?: LiveReport;
}

/** A world that is shaped like the cluster which the options name. */
async function clusterWorld(
  seed: number,
  { options, environment, folder }: { options: Options; environment: Environment; folder: string },
): Promise<BaseWorld> {
  const [{ openSandbox }, { ApiFailure }] = await Promise.all([
    import('../sandbox/open.ts'),
    import('../sandbox/api-error.ts'),
  ]);
  const inventory = await loadInventory(options, environment);
  const { shape, report, nvcaOperator } = await readCluster(options, environment, inventory);
  try {
    const sandbox = openSandbox({ dir: folder, seed, neks: NEKS, nvcaOperator, live: shape });
    const unready = podSentences(await sandbox.services.kubernetes.list(kinds.pods, {}));
    sandbox.close();
    return { seed, from: folder, live: { ...report, unready } };
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    throw new CommandError(
      exitCodes.preconditionFailed,
      `--from-cluster: the sandbox cannot be shaped like ${report.context}: ${error.message}`,
      'nothing was rehearsed; without --from-cluster the sandbox begins as it is installed by the charts',
    );
  }
}

/** The folder of the world that every rehearsal begins as: an earlier one's, a cluster's likeness, or a fresh one. */
async function baseWorld(options: Options, environment: Environment, folder: string): Promise<BaseWorld> {
  const fromCluster = wantsCluster(options);
  const asked = await sandboxRequest({ ...options, sandbox: true }, environment);
  const seed = asked?.seed ?? 1;
  if (fromCluster) return await clusterWorld(seed, { options, environment, folder });
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
  const { seed, from, live } = await baseWorld(options, environment, folder);
  const { seed: _, ...others } = options;
  const prepared = await prepare(name, { ...others, sandbox: true, world: from }, environment, {
    dir: undefined,
    begins: true,
  });
  prepared.world.close();
  const { planned, runbook, secrets, inventory } = prepared;
  const { steps, schemas } = await loadSteps(planned.plan);
  return {
    plan: planned.plan,
    files: runbook.files,
    steps,
    schemas,
    inputs: inputsOf(planned.plan, secrets),
    inventory: [...inventory.services.values()],
    session: sessionOf(environment, undefined),
    seed,
    from,
    folder,
    ...(live === undefined ? {} : { live }),
    secrets: Object.values(secrets),
  };
}
