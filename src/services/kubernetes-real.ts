import type { Clock } from './clock.ts';
import type { ClusterIdentity, KubernetesWriter } from './kubernetes.ts';
import { askWhoAmI, createCanI, readIdentity } from './kubernetes-access.ts';
import { createCalls } from './kubernetes-calls.ts';
import { createObjects } from './kubernetes-client.ts';
import { type KubeconfigOptions, type ResolvedContext, resolveContext } from './kubernetes-config.ts';
import { type Connection, createConnection, defaultLimits, type Limits } from './kubernetes-connection.ts';
import { createCredentials } from './kubernetes-credentials.ts';
import { createDiscovery } from './kubernetes-discovery.ts';
import { createExec } from './kubernetes-exec.ts';
import { followObjects } from './kubernetes-follow.ts';
import { createLogs } from './kubernetes-logs.ts';
import { createPortForward } from './kubernetes-port-forward.ts';
import type { ProcessReader } from './process.ts';

export interface KubernetesOptions extends KubeconfigOptions {
  readonly clock: Clock;
  /** Instead of resolving it: the context that others of the same run work in, too. */
  readonly resolved?: () => Promise<ResolvedContext>;
  /** Runs credential plugins. */
  readonly process: ProcessReader;
  /** What credential plugins and proxies are configured by. */
  readonly environment: Readonly<Record<string, string>>;
  /** Instead of the defaults. */
  readonly limits?: Partial<Limits>;
}

/** The API of the cluster that the kubeconfig's context names. Nothing is read or loaded before the first call. */
export function createKubernetes(options: KubernetesOptions): KubernetesWriter {
  let pending: Promise<KubernetesWriter> | undefined;
  const connected = () => {
    // The context is resolved once: an edit of the kubeconfig during a run must not move the run to another cluster.
    pending ??= connect(options).catch((cause: unknown) => {
      pending = undefined;
      throw cause;
    });
    return pending;
  };
  return {
    identity: async () => (await connected()).identity(),
    kind: async (name) => (await connected()).kind(name),
    get: async (ref) => (await connected()).get(ref),
    list: async (kind, query) => (await connected()).list(kind, query),
    async *follow(kind, query, signal) {
      yield* (await connected()).follow(kind, query, signal);
    },
    async *logs(ref, query, signal) {
      yield* (await connected()).logs(ref, query, signal);
    },
    dryRunPatch: async (ref, patch) => (await connected()).dryRunPatch(ref, patch),
    dryRunApply: async (manifest) => (await connected()).dryRunApply(manifest),
    dryRunDelete: async (ref) => (await connected()).dryRunDelete(ref),
    canI: async (accesses) => (await connected()).canI(accesses),
    whoAmI: async () => (await connected()).whoAmI(),
    portForward: async (ref) => (await connected()).portForward(ref),
    execRead: async (request, signal) => (await connected()).execRead(request, signal),
    patch: async (ref, patch) => (await connected()).patch(ref, patch),
    apply: async (manifest, how) => (await connected()).apply(manifest, how),
    create: async (manifest) => (await connected()).create(manifest),
    delete: async (ref, how) => (await connected()).delete(ref, how),
    exec: async (request, signal) => (await connected()).exec(request, signal),
  };
}

async function connect(options: KubernetesOptions): Promise<KubernetesWriter> {
  const context = await (options.resolved?.() ?? resolveContext(options));
  const { clock, environment } = options;
  const credentials = createCredentials(context, {
    process: options.process,
    now: () => clock.now(),
    environment,
  });
  const limits = { ...defaultLimits, ...options.limits };
  const connection = createConnection(context, { credentials, environment, limits });
  return createWriter(connection, { clock, silence: limits.silence });
}

function createWriter(
  connection: Connection,
  { clock, silence }: { readonly clock: Clock; readonly silence: number },
): KubernetesWriter {
  const calls = createCalls(connection, clock);
  const discovery = createDiscovery((path, accept) =>
    calls.read({
      method: 'GET',
      path,
      ...(accept === undefined ? {} : { accept }),
      place: { what: 'ask which kinds the API server serves', write: false, confidential: false },
    }),
  );
  const objects = createObjects(calls, discovery);
  const exec = createExec(connection, objects);
  let identity: Promise<ClusterIdentity> | undefined;
  return {
    ...objects,
    ...exec,
    kind: discovery.kind,
    identity: () => {
      identity ??= readIdentity(calls, connection).catch((cause: unknown) => {
        identity = undefined;
        throw cause;
      });
      return identity;
    },
    follow: (kind, query, signal) =>
      followObjects({ calls, connection, clock, silence }, { kind, options: query }, signal),
    logs: createLogs(connection),
    canI: createCanI(calls),
    whoAmI: () => askWhoAmI(calls),
    portForward: createPortForward(connection),
  };
}
