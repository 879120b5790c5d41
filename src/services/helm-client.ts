import { HelmError } from './helm.ts';
import { type HelmPlace, helmFailure } from './helm-errors.ts';
import { kubeconfigOf } from './helm-kubeconfig.ts';
import { readVersion, UnexpectedOutput } from './helm-output.ts';
import { type Workspace, type WorkspaceOptions, withWorkspace } from './helm-workspace.ts';
import type { ResolvedContext } from './kubernetes-config.ts';
import { type ChildIdentity, type CommandResult, ProcessError, type ProcessRunner } from './process.ts';

export interface HelmOptions {
  readonly process: ProcessRunner;
  /** The context that the whole run works in. */
  readonly context: () => Promise<ResolvedContext>;
  /** The whole environment of this process; Helm gets the allow-listed part of it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workspace: WorkspaceOptions;
}

export interface HelmCall {
  readonly place: HelmPlace;
  readonly args: readonly string[];
  readonly signal: AbortSignal;
  /** It changes something, and this is called with its identity first. */
  readonly onStart?: (client: ChildIdentity) => Promise<void>;
  /** Asked only when it failed: what its message must not quote. */
  readonly hidden?: () => Promise<readonly string[]>;
}

export interface HelmClient {
  /** The version that was found on this machine, asked once. */
  version(signal: AbortSignal): Promise<string>;
  /** A private folder with the kubeconfig, for one or more calls of Helm. */
  session<T>(use: (session: HelmSession) => Promise<T>): Promise<T>;
}

export interface HelmSession {
  readonly workspace: Workspace;
  /** What a successful call printed. */
  run(call: HelmCall): Promise<CommandResult>;
}

/** `--reset-then-reuse-values` came with 3.14. */
const oldest = 14;
/** A release with its chart may be some megabytes of JSON. */
const outputLimit = 32 * 1024 * 1024;

/** Registry logins, caches and what credential plugins of the kubeconfig are configured by. PATH, HOME and proxies come by themselves. */
const inherited =
  /^(?:HELM_(?:REGISTRY_CONFIG|REPOSITORY_CONFIG|REPOSITORY_CACHE|CACHE_HOME|CONFIG_HOME|DATA_HOME|PLUGINS|MAX_HISTORY)|DOCKER_CONFIG|(?:AWS|GOOGLE|GCLOUD|CLOUDSDK|AZURE|AAD|ARM|OCI|KUBELOGIN|TSH|TELEPORT)_\w+|USE_GKE_GCLOUD_AUTH_PLUGIN)$/u;

/** The `helm` of PATH. Its version is checked before the first call that does anything. */
export function createHelmClient(options: HelmOptions): HelmClient {
  const environment = Object.fromEntries(
    Object.entries(options.environment).flatMap(([name, value]) =>
      value !== undefined && inherited.test(name) ? [[name, value] as const] : [],
    ),
  );
  let checked: Promise<string> | undefined;
  const start = startWith(options.process, environment);
  const version = (signal: AbortSignal) => {
    checked ??= findVersion(start, signal).catch((cause: unknown) => {
      checked = undefined;
      throw cause;
    });
    return checked;
  };
  return {
    version,
    session: (use) =>
      withWorkspace(options.workspace, async (workspace) => {
        let kubeconfig: Promise<string> | undefined;
        const run = async (call: HelmCall) => {
          await version(call.signal);
          kubeconfig ??= options
            .context()
            .then((context) => workspace.write('kubeconfig', kubeconfigOf(context)));
          return requireSuccess(call, await start(call, { KUBECONFIG: await kubeconfig }));
        };
        return use({ workspace, run });
      }),
  };
}

type Start = (call: HelmCall, more?: Readonly<Record<string, string>>) => Promise<CommandResult>;

function startWith(process: ProcessRunner, environment: Readonly<Record<string, string>>): Start {
  return async ({ args, signal, onStart, place }, more) => {
    const command = { file: 'helm', args, env: { ...environment, ...more }, outputLimit };
    try {
      if (onStart === undefined) return await process.read(command, signal);
      return await process.run(command, signal, onStart);
    } catch (cause) {
      if (!(cause instanceof ProcessError)) throw cause;
      const missing = /not in PATH|does not exist/u.test(cause.message);
      throw new HelmError(
        missing ? 'There is no `helm` in PATH.' : `Cannot ${place.what}: ${cause.message}`,
        {
          reason: missing ? 'missing' : 'failed',
          outcome: cause.outcome,
          retryable: false,
          hint: missing ? `Install Helm 3 (3.${oldest} or newer) and put it in PATH.` : undefined,
          cause,
        },
      );
    }
  };
}

async function findVersion(start: Start, signal: AbortSignal): Promise<string> {
  const place = { what: 'ask helm for its version', write: false };
  const { stdout, stderr } = await start({ place, args: ['version', '--short'], signal });
  const found = readVersion(stdout) ?? readVersion(stderr);
  const text = /\bv?\d+\.\d+[.\w+-]*/u.exec(stdout === '' ? stderr : stdout)?.[0] ?? 'unknown';
  if (found !== undefined && found[0] === 3 && found[1] >= oldest) return text.replace(/\+.*$/u, '');
  throw new HelmError(`The \`helm\` in PATH has version ${text}; Helm 3 from 3.${oldest} on is needed.`, {
    reason: 'wrong-version',
    outcome: 'not-applied',
    retryable: false,
    hint: 'Put a Helm 3 in PATH before it: the releases of this stack are made with Helm 3, and 2 and 4 read and write them otherwise.',
  });
}

async function requireSuccess(call: HelmCall, result: CommandResult): Promise<CommandResult> {
  const { place, signal } = call;
  const outcome = place.write ? 'unknown' : 'not-applied';
  if (result.exitCode === 0) {
    if (!result.truncated) return result;
    throw new HelmError(`Cannot ${place.what}: helm printed more than ${outputLimit / 1024 / 1024} MiB.`, {
      reason: 'failed',
      outcome,
      retryable: false,
    });
  }
  if (signal.aborted || result.exitCode === undefined) {
    const how = signal.aborted ? 'it was stopped' : `helm was ended by ${result.signal ?? 'a signal'}`;
    throw new HelmError(`Cannot ${place.what}: ${how}.`, { reason: 'failed', outcome, retryable: false });
  }
  const hidden = (await call.hidden?.().catch(() => undefined)) ?? [];
  throw helmFailure({ ...place, hidden }, result.stderr, `helm ended with exit code ${result.exitCode}`);
}

/** Reads what Helm printed; what it cannot make sense of is a failure, never an empty answer. */
export function understood<T>(place: HelmPlace, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof UnexpectedOutput)) throw cause;
    throw new HelmError(`Cannot ${place.what}: helm's answer is not understood: ${cause.message}.`, {
      reason: 'failed',
      outcome: place.write ? 'unknown' : 'not-applied',
      retryable: false,
      hint: 'Check the version of helm, and that no wrapper of that name prints something of its own.',
    });
  }
}
