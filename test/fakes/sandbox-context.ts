import type { Progress, RunContext } from '../../src/engine/step-type.ts';
import { openSandbox, type Sandbox, type SandboxOptions } from '../../src/sandbox/open.ts';
import { keepsakeRig } from './keepsake-rig.ts';

export interface SandboxRig {
  readonly sandbox: Sandbox;
  readonly ctx: RunContext;
  readonly progress: Progress[];
  /** Lets virtual time pass. */
  pass(ms: number): Promise<void>;
}

/** A step's context on the simulated control plane, after its services have started. */
export async function sandboxRig(options: Partial<SandboxOptions> = {}): Promise<SandboxRig> {
  const sandbox = openSandbox({ seed: 7, ...options });
  const { services } = sandbox;
  const { signal } = new AbortController();
  const pass = (ms: number) => services.clock.sleep(ms, signal);
  await pass(600_000);
  const progress: Progress[] = [];
  const ctx: RunContext = {
    services,
    signal,
    runId: 'run',
    instance: 'step',
    operationKey: 'rb-1',
    deadline: services.clock.now() + 3_600_000,
    progress: (item) => void progress.push(item),
    checkpoint: async () => undefined,
    ...keepsakeRig(),
  };
  return { sandbox, ctx, progress, pass };
}
