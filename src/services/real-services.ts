import type { Clock } from './clock.ts';
import { createSystemClock } from './clock-system.ts';
import type { FileStore } from './files.ts';
import { createFileStore } from './files-node.ts';
import type { HelmWriter } from './helm.ts';
import { createHelm } from './helm-cli.ts';
import type { HttpSender } from './http.ts';
import { createHttpClient } from './http-fetch.ts';
import type { KubernetesWriter } from './kubernetes.ts';
import { type ResolvedContext, resolveContext } from './kubernetes-config.ts';
import { createKubernetes } from './kubernetes-real.ts';
import type { LedgerWriter } from './ledger.ts';
import { createLedger } from './ledger-real.ts';
import type { NatsReader } from './nats.ts';
import { createNats } from './nats-monitor.ts';
import type { NekStoreWriter } from './nek-store.ts';
import { createNekStore } from './nek-store-real.ts';
import type { OpenBaoWriter } from './openbao.ts';
import { createOpenBao } from './openbao-http.ts';
import type { ProcessRunner, SendSignal } from './process.ts';
import { createProcessRunner } from './process-node.ts';
import type { Prompt } from './prompt.ts';
import { createTerminalPrompt } from './prompt-terminal.ts';
import { createServiceDirectory, type ServiceDirectory, type ServiceEntry } from './service-directory.ts';

export interface RealServicesOptions {
  /** The whole environment; what reaches children and plugins is chosen from it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `--kubeconfig`. */
  readonly kubeconfig?: string | undefined;
  /** `--context`. */
  readonly context?: string | undefined;
  /** `--openbao-addr`; otherwise `BAO_ADDR`, otherwise port-forward. */
  readonly openbaoAddress?: string | undefined;
  /** PEM bundle for that address. */
  readonly openbaoCa?: string | undefined;
  /** Entries of the service inventory. */
  readonly inventory: readonly ServiceEntry[];
  readonly kill: SendSignal;
  /** Of this process. */
  readonly pid: number;
  /** Whether a human can be asked. */
  readonly interactive: boolean;
}

export interface RealServices {
  readonly clock: Clock;
  readonly directory: ServiceDirectory;
  readonly files: FileStore;
  readonly helm: HelmWriter;
  readonly http: HttpSender;
  readonly kubernetes: KubernetesWriter;
  readonly nats: NatsReader;
  readonly ledger: LedgerWriter;
  readonly nekStore: NekStoreWriter;
  readonly openbao: OpenBaoWriter;
  readonly process: ProcessRunner;
  readonly prompt: Prompt;
  /** Ends the connections that were kept for a next step. */
  close(): void;
}

/** The outside world as it is. Opens, reads and loads nothing before it is used. */
export function createRealServices(options: RealServicesOptions): RealServices {
  const environment = forPlugins(options.environment);
  const clock = createSystemClock();
  const process = createProcessRunner({ environment: options.environment, kill: options.kill });
  const where = {
    kubeconfig: options.kubeconfig,
    kubeconfigVariable: options.environment.KUBECONFIG,
    home: options.environment.HOME,
    context: options.context,
  };
  // Helm and the API client work in one context, whatever happens to the kubeconfig meanwhile.
  const context = once(() => resolveContext(where));
  const kubernetes = createKubernetes({ ...where, resolved: context, clock, process, environment });
  const nekStore = createNekStore(kubernetes, clock);
  const http = createHttpClient(kubernetes);
  const ledger = createLedger(kubernetes, clock);
  return {
    clock,
    directory: createServiceDirectory(options.inventory, kubernetes),
    files: createFileStore(),
    helm: createHelm({
      process,
      context,
      environment: options.environment,
      workspace: {
        pid: options.pid,
        kill: options.kill,
        now: () => clock.now(),
        folder: options.environment.XDG_RUNTIME_DIR || undefined,
      },
    }),
    http,
    kubernetes,
    nats: createNats(http),
    ledger,
    nekStore,
    openbao: createOpenBao({
      kubernetes,
      address: options.openbaoAddress ?? (options.environment.BAO_ADDR || undefined),
      ca: options.openbaoCa,
    }),
    process,
    prompt: createTerminalPrompt({
      interactive: options.interactive,
      interrupt: () => options.kill(options.pid, 'SIGINT'),
    }),
    close: () => {
      nekStore.close();
      ledger.close();
    },
  };
}

/** The same answer every time; a failure is tried again. */
function once(get: () => Promise<ResolvedContext>): () => Promise<ResolvedContext> {
  let pending: Promise<ResolvedContext> | undefined;
  return () => {
    pending ??= get().catch((cause: unknown) => {
      pending = undefined;
      throw cause;
    });
    return pending;
  };
}

/** Credential plugins are configured by variables of their own (profiles, regions), but ours and tokens are not theirs. */
function forPlugins(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || /^(?:RUNBOOK_|BAO_|VAULT_|NODE_OPTIONS$|LD_)/u.test(name)) continue;
    kept[name] = value;
  }
  return kept;
}
