import type { Plan } from '../engine/plan/plan.ts';
import type { Inventory, InventoryService } from '../engine/read/inventory.ts';
import { exitCodes } from '../exit-code.ts';
import type { Sandbox } from '../sandbox/open.ts';
import type { Prompt } from '../services/prompt.ts';
import { readOnly } from '../services/read-only.ts';
import type { ReadServices, Services } from '../services/services.ts';
import { CommandError, type Environment, type OptionSpec, type Options, UsageError } from './command.ts';
import { sandboxScript } from './failpoint.ts';

/** The outside world that one command works with: real, or simulated. */
export interface CommandWorld {
  readonly services: Services;
  readonly readServices: ReadServices;
  readonly prompt: Prompt;
  readonly sandbox: Sandbox | undefined;
  readonly seed: number;
  /** Where the service inventory has OpenBao's servers. */
  readonly openbaoServers: { readonly namespace: string; readonly selector: string } | undefined;
  close(): void;
}

export const clusterOptions: readonly OptionSpec[] = [
  { flags: '--context <name>', description: 'kubeconfig context to use' },
  { flags: '--kubeconfig <file>', description: 'kubeconfig to use instead of $KUBECONFIG or ~/.kube/config' },
  {
    flags: '--openbao-addr <url>',
    description: 'address of OpenBao; otherwise each pod is reached through the API server',
  },
];

export const sandboxOptions: readonly OptionSpec[] = [
  {
    flags: '--sandbox',
    description: 'use a simulated control plane; no cluster is touched, no kubeconfig read',
  },
  {
    flags: '--seed <number>',
    description: 'of the sandbox: the same seed repeats ids, times and output (1 unless told)',
  },
  {
    flags: '--world <run>',
    description: "of the sandbox: begin where an earlier sandbox run ended, by its id, 'last' or its folder",
  },
  {
    flags: '--fault <step=kind>',
    description:
      'in the sandbox, make a step fail once: error, timeout, crash-before, crash-after, lost-answer',
    repeatable: true,
  },
];

/** Someone can answer: stdin and stderr are terminals, and nobody said that this is a machine. */
export function isInteractive(environment: Environment): boolean {
  const { CI } = environment.env;
  return (
    environment.stdinIsTty && environment.stderrIsTty && (CI === undefined || CI === '' || CI === 'false')
  );
}

export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

export function seedOf(options: Options): number {
  const text = textOption(options, 'seed') ?? '1';
  const seed = Number(text);
  if (!/^\d{1,10}$/.test(text) || !Number.isSafeInteger(seed))
    throw new UsageError(`--seed ${text} is no whole number`, 'for example --seed 7');
  return seed;
}

export function faultsOf(options: Options): readonly string[] {
  return Array.isArray(options.fault) ? (options.fault as readonly string[]) : [];
}

/** A sandbox as a plan names it, and where it keeps its world; undefined: in memory. */
type WantedSandbox = NonNullable<Plan['sandbox']> & { readonly dir: string | undefined };

async function openSimulated(
  wanted: WantedSandbox,
  inventory: readonly InventoryService[],
  environment: Pick<Environment, 'env' | 'die'>,
): Promise<Sandbox> {
  const [{ openSandbox }, { parseFault }, { SandboxError }] = await Promise.all([
    import('../sandbox/open.ts'),
    import('../sandbox/faults.ts'),
    import('../sandbox/world-file.ts'),
  ]);
  const explained = <T>(work: () => T, explain: (message: string, hint: string) => Error): T => {
    try {
      return work();
    } catch (error) {
      throw error instanceof SandboxError ? explain(error.message, error.hint) : error;
    }
  };
  const faults = explained(
    () => wanted.faults.map(parseFault),
    (message, hint) => new UsageError(message, hint),
  );
  const script = sandboxScript(environment);
  // A plan is made in a world of its own, which nothing strikes.
  const { strikes = [], ...rest } = script ?? {};
  return explained(
    () =>
      openSandbox({
        dir: wanted.dir,
        from: wanted.from,
        seed: wanted.seed,
        faults,
        inventory,
        ...(script === undefined
          ? {}
          : {
              script: wanted.dir === undefined ? rest : { ...rest, strikes },
              die: () => environment.die(),
            }),
      }),
    (message, hint) => new CommandError(exitCodes.journal, message, hint),
  );
}

export async function openWorld(
  request: {
    readonly options: Options;
    readonly inventory: Inventory;
    readonly sandbox: WantedSandbox | undefined;
  },
  environment: Environment,
): Promise<CommandWorld> {
  const { options, inventory, sandbox: wanted } = request;
  const entries = [...inventory.services.values()];
  const openbaoServers = entries.find(({ name }) => name === 'openbao');
  const interactive = isInteractive(environment);
  const { createTerminalPrompt } = await import('../services/prompt-terminal.ts');
  if (wanted !== undefined) {
    const sandbox = await openSimulated(wanted, entries, environment);
    return {
      services: sandbox.services,
      readServices: readOnly(sandbox.services),
      prompt: sandbox.wrapPrompt(
        createTerminalPrompt({ interactive, interrupt: () => environment.kill(environment.pid, 'SIGINT') }),
      ),
      sandbox,
      seed: wanted.seed,
      openbaoServers,
      close: () => sandbox.close(),
    };
  }
  const { createRealServices } = await import('../services/real-services.ts');
  const { prompt, close, ...services } = createRealServices({
    environment: { ...environment.env, HOME: environment.home },
    kubeconfig: textOption(options, 'kubeconfig'),
    context: textOption(options, 'context'),
    openbaoAddress: textOption(options, 'openbaoAddr'),
    inventory: entries,
    interactive,
    kill: environment.kill,
    pid: environment.pid,
  });
  return {
    services,
    readServices: readOnly(services),
    prompt,
    sandbox: undefined,
    seed: 0,
    openbaoServers,
    close,
  };
}
