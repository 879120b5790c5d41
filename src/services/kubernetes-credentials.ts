import type { RequestOptions } from 'node:https';
import type { ResolvedContext, User } from './kubernetes-config.ts';
import { refusal } from './kubernetes-errors.ts';
import type { KubeConfig } from './kubernetes-library.ts';
import type { CommandResult, ProcessReader } from './process.ts';

export interface Credential {
  readonly headers: Readonly<Record<string, string>>;
  /** A client certificate that a plugin issued. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface Credentials {
  /** For the next call; asks a plugin only when there is none or the last one is about to expire. */
  current(): Promise<Credential>;
  /** After a 401: forgets what can be fetched anew. False when a repetition would send the same. */
  renew(): boolean;
}

export interface PluginOptions {
  readonly process: ProcessReader;
  readonly now: () => number;
  /** Credential plugins need their own variables (profiles, regions); everything but ours and tokens. */
  readonly environment: Readonly<Record<string, string>>;
  /** Milliseconds a plugin may take; 30 s without it. */
  readonly limit?: number;
}

const defaultLimit = 30_000;
const renewBefore = 10_000;

export function createCredentials(context: ResolvedContext, options: PluginOptions): Credentials {
  const { user } = context;
  if (user.exec) return pluginCredentials(context, options);
  if (user.authProvider) return providerCredentials(context);
  const headers = { ...staticAuthorization(user), ...impersonation(user) };
  const credential = { headers, cert: undefined, key: undefined };
  return { current: () => Promise.resolve(credential), renew: () => false };
}

function staticAuthorization(user: User): Record<string, string> {
  if (user.token) return { authorization: `Bearer ${user.token.trim()}` };
  if (user.username) {
    const pair = Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64');
    return { authorization: `Basic ${pair}` };
  }
  return {};
}

function impersonation(user: User): Record<string, string> {
  return user.impersonateUser ? { 'impersonate-user': user.impersonateUser } : {};
}

/** OIDC, token files and the cloud providers of old: the library refreshes them itself. */
function providerCredentials(context: ResolvedContext): Credentials {
  const place = `The credentials of user "${context.user.name}" (context "${context.context}")`;
  let pending: Promise<KubeConfig> | undefined;
  return {
    current: async () => {
      const options: RequestOptions = { headers: {} };
      try {
        pending ??= providerConfig(context.user);
        await (await pending).applyToHTTPSOptions(options);
      } catch (cause) {
        throw refusal(`${place} could not be refreshed. — Log in again, then resume.`, 'Credentials', cause);
      }
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(options.headers ?? {})) {
        if (typeof value === 'string') headers[name.toLowerCase()] = value.trim();
      }
      return { headers, cert: undefined, key: undefined };
    },
    renew: () => true,
  };
}

/** The user alone: certificates were read before, and the server is not the provider's business. */
async function providerConfig(user: User): Promise<KubeConfig> {
  const { KubeConfig: Config } = await import('./kubernetes-library.ts');
  const config = new Config();
  const { name, authProvider } = user;
  const alone = {
    name,
    authProvider,
    ...(user.impersonateUser ? { impersonateUser: user.impersonateUser } : {}),
  };
  config.loadFromClusterAndUser({ name, server: 'https://localhost', skipTLSVerify: false }, alone);
  return config;
}

function pluginCredentials(context: ResolvedContext, options: PluginOptions): Credentials {
  let pending: Promise<{ readonly credential: Credential; readonly expires: number }> | undefined;
  return {
    current: async () => {
      const held = await pending?.catch(() => undefined);
      if (held === undefined || held.expires - renewBefore <= options.now()) {
        pending = runPlugin(context, options);
      }
      const issued = await (pending ?? runPlugin(context, options));
      return issued.credential;
    },
    renew: () => {
      pending = undefined;
      return true;
    },
  };
}

interface Plugin {
  readonly apiVersion?: unknown;
  readonly command?: unknown;
  readonly args?: unknown;
  readonly env?: unknown;
  readonly installHint?: unknown;
  readonly interactiveMode?: unknown;
}

async function runPlugin(context: ResolvedContext, options: PluginOptions) {
  const plugin: Plugin = context.user.exec ?? {};
  const command = typeof plugin.command === 'string' ? plugin.command : '';
  const place = `The credential plugin "${command}" of user "${context.user.name}" (context "${context.context}")`;
  if (command === '') {
    throw refusal(`${place} names no command. — Repair the kubeconfig.`, 'Credentials');
  }
  if (plugin.interactiveMode === 'Always') {
    throw refusal(
      `${place} wants to ask questions (interactiveMode: Always), and a run cannot answer them. — Log in first, or use a plugin that needs no terminal.`,
      'Credentials',
    );
  }
  const result = await startPlugin(plugin, command, place, options);
  if (result.exitCode === 0) return readCredential(result.stdout, place, context.user);
  const ended =
    result.exitCode === undefined
      ? `was ended by ${result.signal}`
      : `failed with exit code ${result.exitCode}`;
  // Its error output may hold tokens or device codes; the human can see it by running it.
  throw refusal(`${place} ${ended}. — Run it by hand to see why, log in, then resume.`, 'Credentials');
}

async function startPlugin(
  plugin: Plugin,
  command: string,
  place: string,
  options: PluginOptions,
): Promise<CommandResult> {
  const info = { apiVersion: plugin.apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  const limit = AbortSignal.timeout(options.limit ?? defaultLimit);
  const args = Array.isArray(plugin.args) ? plugin.args.map(String) : [];
  try {
    const result = await options.process.read(
      {
        file: command,
        args,
        env: {
          ...options.environment,
          ...pluginVariables(plugin.env),
          KUBERNETES_EXEC_INFO: JSON.stringify(info),
        },
      },
      limit,
    );
    if (!limit.aborted) return result;
  } catch (cause) {
    if (!limit.aborted) {
      const hint = typeof plugin.installHint === 'string' ? ` ${plugin.installHint.trim()}` : '';
      throw refusal(
        `${place} could not be started. — Install it or repair PATH.${hint}`,
        'Credentials',
        cause,
      );
    }
  }
  throw refusal(
    `${place} did not answer within ${(options.limit ?? defaultLimit) / 1000} s and was ended. — Run it by hand: it may wait for a login.`,
    'Credentials',
  );
}

function pluginVariables(env: unknown): Record<string, string> {
  const variables: Record<string, string> = {};
  if (!Array.isArray(env)) return variables;
  for (const entry of env) {
    if (typeof entry?.name === 'string') variables[entry.name] = String(entry.value ?? '');
  }
  return variables;
}

function readCredential(stdout: string, place: string, user: User) {
  let status: Record<string, unknown> | undefined;
  try {
    status = JSON.parse(stdout)?.status;
  } catch {
    status = undefined;
  }
  const text = (name: string) => {
    const value = status?.[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const token = text('token');
  const cert = text('clientCertificateData');
  if (token === undefined && cert === undefined) {
    throw refusal(
      `${place} answered without a token or a certificate. — Run it by hand: it should print an ExecCredential with a status.`,
      'Credentials',
    );
  }
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  const expires = Date.parse(text('expirationTimestamp') ?? '');
  return {
    credential: { headers: { ...authorization, ...impersonation(user) }, cert, key: text('clientKeyData') },
    // Without a date it holds until the API server says 401.
    expires: Number.isNaN(expires) ? Number.POSITIVE_INFINITY : expires,
  };
}
