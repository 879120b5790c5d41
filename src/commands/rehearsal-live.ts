import type { Inventory } from '../engine/read/inventory.ts';
import { exitCodes } from '../exit-code.ts';
import type { SecretRule } from '../rehearsal/live/hide.ts';
import { LiveReadError, readLive } from '../rehearsal/live/read.ts';
import { shapeOf } from '../rehearsal/live/shape.ts';
import type { ServiceEntry } from '../services/service-directory.ts';
import { ServiceResolutionError } from '../services/service-directory.ts';
import type { ReadServices } from '../services/services.ts';
import { secretPaths } from '../steps/helm/values-secrets.ts';
import { looksSecret } from '../steps/kubectl/mask.ts';
import { CommandError, type Environment, type Options, UsageError } from './command.ts';
import { openWorld } from './world.ts';

/** The rules by which steps mask what they show and refuse to write values in clear, and whatever mentions a secret besides. */
export const secretRule: SecretRule = {
  free: (name, text) => looksSecret(name) || looksSecret(text) || secretPaths({ [name]: text }).length > 0,
  content: (text) => secretPaths({ text }).length > 0,
};

/** Refuses options that contradict each other; true when the rehearsal begins as a cluster is. */
export function wantsCluster(options: Options): boolean {
  if (options.fromCluster !== true) {
    const alone = (['context', 'kubeconfig'] as const).find((name) => options[name] !== undefined);
    if (alone === undefined) return false;
    throw new UsageError(
      `--${alone} works with --from-cluster only`,
      'a rehearsal touches no cluster, and reads one only when it is told to',
    );
  }
  if (options.world !== undefined)
    throw new UsageError(
      'give either --from-cluster or --world',
      'the one begins as the cluster is now, the other where an earlier run on the sandbox ended',
    );
  if (options.sandbox === true)
    throw new UsageError(
      'give either --from-cluster or --sandbox',
      '--sandbox says that no cluster is touched, --from-cluster reads one; the rehearsal itself is always on the sandbox',
    );
  return true;
}

function explained(error: unknown): Error {
  if (error instanceof LiveReadError || error instanceof ServiceResolutionError)
    return new CommandError(exitCodes.preconditionFailed, `--from-cluster: ${error.message}`, error.hint);
  return error instanceof Error ? error : new Error(String(error));
}

/** Reads the cluster, which cannot be changed through what this is given. */
export async function liveShape(
  kubernetes: ReadServices['kubernetes'],
  entries: readonly ServiceEntry[],
): Promise<Awaited<ReturnType<typeof shapeOf>>> {
  const namespaces = [...new Set(entries.map(({ namespace }) => namespace))].sort();
  try {
    const read = await readLive(kubernetes, namespaces);
    const made = await shapeOf(read, entries, secretRule);
    if (made.report.live.some(({ kind }) => /^(Deployment|StatefulSet|DaemonSet)$/.test(kind))) return made;
  } catch (error) {
    throw explained(error);
  }
  throw new CommandError(
    exitCodes.preconditionFailed,
    `--from-cluster: no service of the inventory is in this cluster; it was looked for in the namespaces ${namespaces.join(', ')}`,
    "is this the right cluster (--context)? 'runbook services' shows what is expected where; --services takes an inventory of your own",
  );
}

/** The same, from the cluster that the options name. */
export async function readCluster(
  options: Options,
  environment: Environment,
  inventory: Inventory,
): Promise<Awaited<ReturnType<typeof shapeOf>>> {
  const world = await openWorld({ options, inventory, sandbox: undefined }, environment);
  try {
    return await liveShape(world.readServices.kubernetes, [...inventory.services.values()]);
  } finally {
    world.close();
  }
}
