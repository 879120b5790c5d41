import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, refusal } from './kubernetes-errors.ts';
import type { KubeConfig } from './kubernetes-library.ts';

type Cluster = KubeConfig['clusters'][number];
export type User = KubeConfig['users'][number];

/** Where the kubeconfig is looked for, in this order; the first that is set wins. */
export interface KubeconfigOptions {
  /** `--kubeconfig`: this file and no other. */
  readonly kubeconfig?: string | undefined;
  /** `$KUBECONFIG`: one or more files, the first that defines a name wins. */
  readonly kubeconfigVariable?: string | undefined;
  /** Holds `.kube/config`. */
  readonly home?: string | undefined;
  /** `--context`; otherwise the file's `current-context`. */
  readonly context?: string | undefined;
}

/** One context, with every file it names already read: later edits of those files do not reach this run. */
export interface ResolvedContext {
  readonly context: string;
  /** Without a trailing slash; may have a path (a proxy in front of several clusters). */
  readonly server: string;
  readonly serverName: string | undefined;
  readonly proxyUrl: string | undefined;
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
  readonly user: User;
}

/** Reads the kubeconfig once. Throws a `KubernetesError` that names file, context and next step. */
export async function resolveContext(options: KubeconfigOptions): Promise<ResolvedContext> {
  const { KubeConfig } = await import('./kubernetes-library.ts');
  const files = candidates(options);
  const merged = new KubeConfig();
  merged.currentContext = '';
  const found: string[] = [];
  for (const file of files.paths) {
    const text = await readKubeconfig(file, files.required);
    if (text === undefined) continue;
    found.push(file);
    mergeFirstWins(merged, parse(new KubeConfig(), file, text));
  }
  if (found.length === 0) throw nothingFound(files.paths);
  return pick(merged, options.context, found.join(', '));
}

function candidates(options: KubeconfigOptions): {
  readonly paths: readonly string[];
  readonly required: boolean;
} {
  if (options.kubeconfig !== undefined) {
    if (options.kubeconfig.trim() === '') throw refusal('--kubeconfig is empty. Name a file.', 'Kubeconfig');
    return { paths: [options.kubeconfig], required: true };
  }
  const listed = (options.kubeconfigVariable ?? '').split(path.delimiter).filter((file) => file !== '');
  if (listed.length > 0) return { paths: listed, required: listed.length === 1 };
  return {
    paths:
      options.home === undefined || options.home === '' ? [] : [path.join(options.home, '.kube', 'config')],
    required: false,
  };
}

async function readKubeconfig(file: string, required: boolean): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT' && !required) return undefined;
    const why = codeOf(cause) === 'ENOENT' ? 'it does not exist' : codeOf(cause);
    throw refusal(
      `Cannot read the kubeconfig ${file}: ${why}. — Set --kubeconfig or KUBECONFIG to a readable file.`,
      'Kubeconfig',
      cause,
    );
  }
}

function nothingFound(paths: readonly string[]) {
  const where = paths.length === 0 ? '' : ` (looked at ${paths.join(', ')})`;
  return refusal(
    `There is no kubeconfig${where}. — Set --kubeconfig or KUBECONFIG; to try without a cluster, add --sandbox.`,
    'Kubeconfig',
  );
}

function parse(config: KubeConfig, file: string, text: string): KubeConfig {
  if (/\b(?:as-groups|as-uid|as-user-extra)["']?\s*:/u.test(text)) {
    throw refusal(
      `The kubeconfig ${file} impersonates with as-groups, as-uid or as-user-extra, which is not supported: the API server would see other rights than kubectl gets. — Use a context without them.`,
      'Kubeconfig',
    );
  }
  try {
    // Broken entries of other contexts must not matter; a missing one of this context is reported by name.
    config.loadFromString(tokenFilesAsProviders(text), { onInvalidEntry: 'filter' });
  } catch (cause) {
    const line = cause instanceof Error ? /\((\d+:\d+)\)/u.exec(cause.message)?.[1] : undefined;
    const at = line === undefined ? '' : ` at ${line}`;
    throw refusal(
      `The kubeconfig ${file} is not valid YAML${at}. — Repair it, or name another with --kubeconfig.`,
      'Kubeconfig',
    );
  }
  config.makePathsAbsolute(path.dirname(path.resolve(file)));
  for (const user of config.users) makeUserPathsAbsolute(user, path.dirname(path.resolve(file)));
  return config;
}

/** The library knows token files only as an auth provider; as such it also reads them again when they rotate. */
function tokenFilesAsProviders(text: string): string {
  return text
    .replace(
      /^(\s*(?:-\s+)?)tokenFile:[ \t]*(\S.*?)[ \t]*$/gmu,
      '$1auth-provider: {name: tokenFile, config: {tokenFile: $2}}',
    )
    .replace(
      /"tokenFile"\s*:\s*("(?:[^"\\]|\\.)*")/gu,
      '"auth-provider": {"name": "tokenFile", "config": {"tokenFile": $1}}',
    );
}

function makeUserPathsAbsolute(user: User, folder: string): void {
  const provider: { tokenFile?: unknown } | undefined = user.authProvider?.config;
  if (typeof provider?.tokenFile === 'string') provider.tokenFile = path.resolve(folder, provider.tokenFile);
  // A bare name is looked up in PATH; one with a slash is relative to the kubeconfig.
  const plugin: { command?: unknown } | undefined = user.exec;
  if (typeof plugin?.command === 'string' && plugin.command.includes('/')) {
    plugin.command = path.resolve(folder, plugin.command);
  }
}

function mergeFirstWins(into: KubeConfig, from: KubeConfig): void {
  into.clusters = firstByName([...into.clusters, ...from.clusters]);
  into.users = firstByName([...into.users, ...from.users]);
  into.contexts = firstByName([...into.contexts, ...from.contexts]);
  if (into.currentContext === '') into.currentContext = from.currentContext ?? '';
}

function firstByName<T extends { readonly name: string }>(entries: readonly T[]): T[] {
  return entries.filter((entry, index) => entries.findIndex((other) => other.name === entry.name) === index);
}

async function pick(config: KubeConfig, wanted: string | undefined, file: string): Promise<ResolvedContext> {
  const name = wanted ?? config.currentContext;
  const names = config.contexts.map((context) => context.name);
  if (name.trim() === '')
    throw noContext(wanted === undefined ? 'sets no current-context' : 'has no context ""', file, names);
  const context = config.contexts.find((entry) => entry.name === name);
  if (context === undefined) throw noContext(`has no context "${name}"`, file, names);
  const cluster = config.clusters.find((entry) => entry.name === context.cluster);
  const user = config.users.find((entry) => entry.name === context.user);
  if (cluster === undefined) throw missingEntry(name, `cluster "${context.cluster}"`, file);
  if (user === undefined) throw missingEntry(name, `user "${context.user ?? ''}"`, file);
  refuseInsecure(cluster, name, file);
  return {
    context: name,
    server: cluster.server,
    serverName: cluster.tlsServerName,
    proxyUrl: cluster.proxyUrl,
    ca: await dataOrFile(
      cluster.caData,
      cluster.caFile,
      `certificate-authority of cluster "${cluster.name}"`,
    ),
    cert: await dataOrFile(user.certData, user.certFile, `client-certificate of user "${user.name}"`),
    key: await dataOrFile(user.keyData, user.keyFile, `client-key of user "${user.name}"`),
    user,
  };
}

function noContext(what: string, file: string, names: readonly string[]) {
  const listed = names.length === 0 ? 'It defines none.' : `It has: ${names.slice(0, 20).join(', ')}.`;
  return refusal(`The kubeconfig ${file} ${what}. ${listed} — Choose one with --context.`, 'Context');
}

function missingEntry(context: string, what: string, file: string) {
  return refusal(
    `Context "${context}" of ${file} names ${what}, which is missing or incomplete there. — Repair the kubeconfig or choose another context.`,
    'Kubeconfig',
  );
}

function refuseInsecure(cluster: Cluster, context: string, file: string): void {
  const place = `Context "${context}" of ${file}`;
  if (cluster.skipTLSVerify) {
    throw refusal(
      `${place} sets insecure-skip-tls-verify: anyone on the way could answer for the API server. — Put the cluster's CA in certificate-authority-data instead.`,
      'Insecure',
    );
  }
  if (!URL.canParse(cluster.server)) {
    throw refusal(
      `${place} has a server that is no URL: "${cluster.server}". — Repair the kubeconfig.`,
      'Kubeconfig',
    );
  }
  const url = new URL(cluster.server);
  const loopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/u.test(url.hostname);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && loopback)) return;
  throw refusal(
    `${place} reaches the API server at ${cluster.server} without TLS. — Use an https:// server; plain http is accepted on loopback only.`,
    'Insecure',
  );
}

async function dataOrFile(data: string | undefined, file: string | undefined, what: string) {
  // Data wins over a file, as in kubectl.
  if (data !== undefined && data !== null) return Buffer.from(data, 'base64');
  if (file === undefined || file === null) return undefined;
  try {
    return await readFile(file);
  } catch (cause) {
    throw refusal(
      `Cannot read the ${what}, ${file}: ${codeOf(cause)}. — Repair the kubeconfig or restore the file.`,
      'Kubeconfig',
      cause,
    );
  }
}
