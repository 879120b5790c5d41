import { Agent as HttpAgent, type AgentOptions as HttpAgentOptions } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent } from 'node:https';
import type { ResolvedContext } from './kubernetes-config.ts';
import type { Credential } from './kubernetes-credentials.ts';
import { refusal } from './kubernetes-errors.ts';

/** Idle connections are given up before a load balancer or the API server (90 s) closes them under a write. */
const idleLimit = 30_000;

/** Keep-alive connections to the API server; through a proxy when the context or the environment names one. */
export async function createAgent(
  context: ResolvedContext,
  credential: Credential,
  environment: Readonly<Record<string, string>>,
): Promise<HttpAgent> {
  const proxyUrl = context.proxyUrl ?? proxyFromEnvironment(context.server, environment);
  if (proxyUrl !== undefined) return proxyAgent(context, credential, proxyUrl);
  const base: HttpAgentOptions = { keepAlive: true, keepAliveMsecs: 10_000, timeout: idleLimit };
  if (context.server.startsWith('http:')) return new HttpAgent(base);
  return new HttpsAgent({ ...base, ...tlsOptions(context, credential) });
}

function tlsOptions(context: ResolvedContext, credential: Credential): AgentOptions {
  const cert = credential.cert ?? context.cert;
  const key = credential.key ?? context.key;
  return {
    // Spelled out, so that no environment variable switches verification off.
    rejectUnauthorized: true,
    ...(context.ca === undefined ? {} : { ca: context.ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(context.serverName === undefined ? {} : { servername: context.serverName }),
  };
}

async function proxyAgent(context: ResolvedContext, credential: Credential, proxyUrl: string) {
  const { KubeConfig } = await import('./kubernetes-library.ts');
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: 'cluster', server: context.server, skipTLSVerify: false, proxyUrl },
    { name: 'user' },
  );
  const options: AgentOptions & { agent?: HttpAgent | boolean } = tlsOptions(context, credential);
  await config.applyToHTTPSOptions(options);
  if (options.agent instanceof HttpAgent) return options.agent;
  throw refusal(
    `The proxy ${new URL(proxyUrl).host} of context "${context.context}" cannot be used.`,
    'Kubeconfig',
  );
}

/** As kubectl does: HTTPS_PROXY or HTTP_PROXY, except for hosts in NO_PROXY. */
export function proxyFromEnvironment(
  server: string,
  environment: Readonly<Record<string, string>>,
): string | undefined {
  const url = new URL(server);
  const name = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const proxy = environment[name] || environment[name.toUpperCase()];
  if (proxy === undefined || proxy === '') return undefined;
  const host = url.hostname.replace(/^\[|\]$/gu, '');
  if (/^(?:localhost|127\.|::1$)/u.test(host)) return undefined;
  const exempt = (environment.no_proxy || environment.NO_PROXY || '').split(',').map((entry) => entry.trim());
  const matches = exempt.some((entry) => {
    if (entry === '*') return true;
    const suffix = entry.replace(/^\*?\./u, '');
    return suffix !== '' && (host === suffix || host.endsWith(`.${suffix}`));
  });
  return matches ? undefined : proxy;
}
