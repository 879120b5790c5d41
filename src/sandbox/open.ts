import type { InputSpec } from '../engine/read/runbook.ts';
import type { Value } from '../engine/value.ts';
import type { FileReader } from '../services/files.ts';
import { createFileReader } from '../services/files-node.ts';
import type { KubernetesWriter } from '../services/kubernetes.ts';
import { createNats } from '../services/nats-monitor.ts';
import type { ProcessRunner } from '../services/process.ts';
import type { Prompt } from '../services/prompt.ts';
import { createServiceDirectory, type ServiceEntry } from '../services/service-directory.ts';
import type { Services } from '../services/services.ts';
import { OPERATOR } from './authorization.ts';
import type { WorldOptions } from './build-world.ts';
import { type SandboxControl, sandboxControl } from './control.ts';
import type { Fault, FaultPlan } from './faults.ts';
import { sandboxFiles } from './files.ts';
import { type HelmClients, sandboxHelm } from './helm/service.ts';
import { sandboxHttp } from './http.ts';
import { inputsFor } from './inputs.ts';
import { type SandboxInspect, sandboxInspect } from './inspect.ts';
import { type KeyControl, keyControl } from './key-control.ts';
import { sandboxKubernetes } from './kubernetes.ts';
import { startMachine } from './machine.ts';
import { sandboxLedger } from './nek-store/ledger.ts';
import { sandboxNekStore } from './nek-store/service.ts';
import { sandboxOpenBao } from './openbao/service.ts';
import { heldProcess, sandboxProcess } from './programs.ts';
import type { SandboxScript } from './script.ts';
import type { LiveShape } from './seed/shape.ts';
import type { Denial } from './world.ts';

export interface SandboxOptions {
  /** The run's folder, where the world is kept in `world.jsonl`; absent: in memory only. */
  readonly dir?: string | undefined;
  /** A folder with a world, for instance of an earlier run: this one begins as a copy of it, unless `dir` has one already. */
  readonly from?: string | undefined;
  readonly seed: number;
  readonly faults?: readonly Fault[];
  /** Entries of the service inventory. */
  readonly inventory?: readonly ServiceEntry[];
  /** Run real local programs through this instead of simulated ones. */
  readonly process?: ProcessRunner;
  /** Local files that steps read; the real ones unless given. What steps create never lands beside them. */
  readonly files?: FileReader;
  /** False leaves the NVCA Operator out, as in a control plane without a compute cluster. */
  readonly nvcaOperator?: boolean;
  /** How many keys ESS has: 50 in each of 40 namespaces unless told otherwise. */
  readonly neks?: { readonly namespaces: number; readonly each: number };
  /** Objects of another cluster that stand in place of the usual ones. */
  readonly live?: LiveShape;
  /** For tests that disturb a run. */
  readonly script?: SandboxScript;
  /** Ends this process at once, where the script says so. */
  readonly die?: () => never;
  /** Interrupts this process, where the script says so. */
  readonly interrupt?: () => void;
  /** Awaited before virtual time jumps over `ms`, so that a human can watch it pass. */
  readonly beforeJump?: (ms: number) => Promise<void>;
  /** Is work under way that virtual time must wait for? Pending requests of this process unless given. */
  readonly isBusy?: () => boolean;
}

export interface Sandbox {
  readonly services: Services;
  /** The same world for one step instance: faults planned for it apply to its changing calls. */
  servicesFor(instance: string): Services;
  /** The cluster as somebody sees it who may do only this. */
  restricted(only: readonly Denial[]): KubernetesWriter;
  readonly faults: FaultPlan;
  /** Values for inputs that nobody gave. */
  inputs(specs: Readonly<Record<string, InputSpec>>): Readonly<Record<string, Value>>;
  /** Virtual time stands still while a human is asked. */
  wrapPrompt(prompt: Prompt): Prompt;
  /** Makes things go wrong in the simulated cluster; what it does is part of the world. */
  readonly control: SandboxControl & KeyControl;
  /** Shows what the simulated cluster holds, and whether it keeps what it promised. */
  readonly inspect: SandboxInspect;
  close(): void;
  /** As if this process had died: nothing that still works or waits in this world goes on. */
  abandon(): void;
}

function worldOptions({ nvcaOperator, neks, live, script }: SandboxOptions): WorldOptions | undefined {
  const given = { ...(neks === undefined ? {} : { neks }), ...(live === undefined ? {} : { live }) };
  if (nvcaOperator === undefined && script?.world === undefined && Object.keys(given).length === 0)
    return undefined;
  return { nvcaOperator: nvcaOperator ?? true, ...given, ...script?.world };
}

/**
 * A simulated control plane in this process. With a folder, every change is in its file before it is answered, and the same folder
 * opened again goes on where the last process ended, however it ended. Throws `SandboxError`.
 * Reads no kubeconfig, no environment, and opens no connection.
 */
export function openSandbox(options: SandboxOptions): Sandbox {
  const machine = startMachine({
    folder: options.dir,
    from: options.from,
    seed: options.seed,
    faults: options.faults ?? [],
    world: worldOptions(options),
    ...(options.script === undefined ? {} : { script: options.script }),
    ...(options.die === undefined ? {} : { die: options.die }),
    ...(options.interrupt === undefined ? {} : { interrupt: options.interrupt }),
    ...(options.isBusy === undefined ? {} : { isBusy: options.isBusy }),
    ...(options.beforeJump === undefined ? {} : { beforeJump: options.beforeJump }),
  });
  const { dir, from } = options;
  const files = sandboxFiles({ dir, from }, options.files ?? createFileReader(), machine.faults);
  const helmClients: HelmClients = new Map();
  const servicesFor = (instance: string | undefined): Services => {
    const caller = { instance, who: OPERATOR };
    const kubernetes = sandboxKubernetes(machine, caller);
    const http = sandboxHttp(machine, kubernetes, caller);
    return {
      clock: machine.clock,
      directory: createServiceDirectory(options.inventory ?? [], kubernetes),
      files: files.for(caller),
      helm: sandboxHelm(machine, caller, helmClients),
      http,
      kubernetes,
      nats: createNats(http),
      ledger: sandboxLedger(machine, kubernetes, caller),
      nekStore: sandboxNekStore(machine, kubernetes, caller),
      openbao: sandboxOpenBao(machine, kubernetes, caller),
      process:
        options.process === undefined
          ? sandboxProcess(machine, caller)
          : heldProcess(machine, options.process),
    };
  };
  return {
    services: servicesFor(undefined),
    servicesFor,
    restricted: (only) =>
      sandboxKubernetes(machine, { instance: undefined, who: { user: 'restricted', only } }),
    faults: machine.faults,
    inputs: (specs) => inputsFor(machine.world, specs),
    wrapPrompt: (prompt) => {
      const held = async <T>(work: Promise<T>): Promise<T> => {
        const release = machine.clock.hold();
        return work.finally(release);
      };
      return {
        interactive: prompt.interactive,
        confirm: (question, signal) => held(prompt.confirm(question, signal)),
        choose: (question, choices, signal) => held(prompt.choose(question, choices, signal)),
        secret: (name, question, signal) => held(prompt.secret(name, question, signal)),
        text: (question, signal) => held(prompt.text(question, signal)),
      };
    },
    control: { ...sandboxControl(machine, helmClients), ...keyControl(machine) },
    inspect: sandboxInspect(machine.world, files.names),
    close: () => machine.close(),
    abandon: () => {
      machine.clock.stop();
      machine.close();
    },
  };
}
