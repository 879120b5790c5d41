import type { ResolvedContext } from './kubernetes-config.ts';

/**
 * The resolved context as a kubeconfig of its own (JSON is YAML), with every file it named already inside: Helm reaches exactly the
 * cluster that the rest of the run reaches. Holds credentials.
 */
export function kubeconfigOf(context: ResolvedContext): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': context.context,
    contexts: [{ name: context.context, context: { cluster: 'cluster', user: 'user' } }],
    clusters: [{ name: 'cluster', cluster: clusterOf(context) }],
    users: [{ name: 'user', user: userOf(context) }],
  });
}

function clusterOf(context: ResolvedContext) {
  return {
    server: context.server,
    ...(context.serverName === undefined ? {} : { 'tls-server-name': context.serverName }),
    ...(context.proxyUrl === undefined ? {} : { 'proxy-url': context.proxyUrl }),
    ...(context.ca === undefined ? {} : { 'certificate-authority-data': context.ca.toString('base64') }),
  };
}

function userOf({ user, cert, key }: ResolvedContext) {
  return {
    ...(cert === undefined ? {} : { 'client-certificate-data': cert.toString('base64') }),
    ...(key === undefined ? {} : { 'client-key-data': key.toString('base64') }),
    ...(user.token ? { token: user.token } : {}),
    ...(user.username ? { username: user.username, password: user.password ?? '' } : {}),
    ...(user.impersonateUser ? { as: user.impersonateUser } : {}),
    ...(user.exec ? { exec: user.exec } : {}),
    ...providerOf(user),
  };
}

/** Token files were turned into a provider when the kubeconfig was read. */
function providerOf(user: ResolvedContext['user']) {
  const provider: { readonly name?: string; readonly config?: { readonly tokenFile?: unknown } } | undefined =
    user.authProvider;
  if (!provider) return {};
  const { tokenFile } = provider.config ?? {};
  if (typeof tokenFile === 'string') return { tokenFile };
  return { 'auth-provider': { name: provider.name, config: provider.config } };
}
