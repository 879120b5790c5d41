import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { kubeconfigOf } from '../../src/services/helm-kubeconfig.ts';
import { type WorkspaceOptions, withWorkspace } from '../../src/services/helm-workspace.ts';
import type { ResolvedContext } from '../../src/services/kubernetes-config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'helm-workspace-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const now = Date.UTC(2027, 0, 1);
const options = (alive: readonly number[] = []): WorkspaceOptions => ({
  pid: 100,
  kill: (pid) => alive.includes(pid),
  now: () => now,
  folder,
});

test('a folder and its files belong to the user alone, and are gone when their use fails', async () => {
  let seen = '';
  const use = withWorkspace(options(), async (workspace) => {
    seen = await workspace.write('secret', 'x');
    expect(statSync(workspace.folder).mode & 0o777).toBe(0o700);
    expect(statSync(seen).mode & 0o777).toBe(0o600);
    throw new Error('in use');
  });
  await expect(use).rejects.toThrow('in use');
  expect(seen).not.toBe('');
  expect(readdirSync(folder)).toEqual([]);
});

/** The name of a folder as another process beside this one would make it. */
async function nameOf(pid: number, suffix: string): Promise<string> {
  const own = await withWorkspace(options(), async (workspace) => path.basename(workspace.folder));
  return own.replace('-100-', `-${pid}-`).replace(/[^-]+$/u, suffix);
}

test('what a killed process left is removed, unless a client of it still works, and nothing else', async () => {
  const dead = await nameOf(7, 'dead');
  const used = await nameOf(7, 'used');
  const alive = await nameOf(8, 'alive');
  for (const name of [dead, used, alive, 'something-else']) mkdirSync(path.join(folder, name));
  const env = { KUBECONFIG: path.join(folder, used, 'kubeconfig') };
  const client = spawn('sleep', ['60'], { env: { ...process.env, ...env } });
  try {
    await once(client, 'spawn');
    await withWorkspace(options([8]), async () => undefined);
    expect(readdirSync(folder).sort()).toEqual([used, alive, 'something-else'].sort());
  } finally {
    client.kill('SIGKILL');
    await once(client, 'exit');
  }
  await withWorkspace(options([8]), async () => undefined);
  expect(readdirSync(folder).sort()).toEqual([alive, 'something-else'].sort());
});

test('what a process of another container or machine made is left alone for a day: nobody here sees whether it works', async () => {
  const [, own = ''] = /-100-([^-]+)-/u.exec(await nameOf(100, 'own')) ?? [];
  expect(own).toMatch(/^[\da-f]{12}$/u);
  const elsewhere = `runbook-helm-7-${own.replace(/./u, (digit) => (digit === '0' ? '1' : '0'))}-fresh`;
  const unmarked = 'runbook-helm-7-fresh';
  const old = elsewhere.replace('fresh', 'old');
  for (const name of [elsewhere, unmarked, old]) mkdirSync(path.join(folder, name));
  const age = (name: string, hours: number) => {
    const time = new Date(now - hours * 3_600_000);
    utimesSync(path.join(folder, name), time, time);
  };
  age(elsewhere, 23);
  age(unmarked, 23);
  age(old, 25);
  // A process of this number beside this one says nothing about that one.
  for (const beside of [[], [7]]) {
    await withWorkspace(options(beside), async () => undefined);
    expect(readdirSync(folder).sort()).toEqual([elsewhere, unmarked].sort());
  }
});

test('a runtime folder that is not there is no obstacle', async () => {
  const missing = path.join(folder, 'missing');
  const used = await withWorkspace({ ...options(), folder: missing }, async (workspace) => workspace.folder);
  expect(path.dirname(used)).toBe(os.tmpdir());
  expect(existsSync(used)).toBe(false);
});

const context: ResolvedContext = {
  context: 'prod',
  server: 'https://api.test',
  serverName: 'internal.test',
  proxyUrl: 'http://proxy.test:3128',
  ca: Buffer.from('ca'),
  cert: Buffer.from('cert'),
  key: Buffer.from('key'),
  user: { name: 'me' },
};

function userOf(user: object): unknown {
  const config = JSON.parse(
    kubeconfigOf({ ...context, cert: undefined, key: undefined, user: { name: 'me', ...user } }),
  );
  return config.users[0].user;
}

test('a kubeconfig has everything inside that the context came from', () => {
  const config = JSON.parse(kubeconfigOf(context));
  expect(config.clusters[0].cluster).toEqual({
    server: 'https://api.test',
    'tls-server-name': 'internal.test',
    'proxy-url': 'http://proxy.test:3128',
    'certificate-authority-data': 'Y2E=',
  });
  expect(config.users[0].user).toEqual({ 'client-certificate-data': 'Y2VydA==', 'client-key-data': 'a2V5' });
  expect(config.contexts).toEqual([{ name: 'prod', context: { cluster: 'cluster', user: 'user' } }]);
});

test('a kubeconfig keeps plugins, token files and impersonation', () => {
  const plugin = { apiVersion: 'client.authentication.k8s.io/v1', command: '/bin/login', args: ['a'] };
  expect(userOf({ exec: plugin })).toEqual({ exec: plugin });
  expect(userOf({ authProvider: { name: 'tokenFile', config: { tokenFile: '/token' } } })).toEqual({
    tokenFile: '/token',
  });
  const oidc = { name: 'oidc', config: { 'idp-issuer-url': 'https://idp' } };
  expect(userOf({ authProvider: oidc })).toEqual({ 'auth-provider': oidc });
  expect(userOf({ token: 't', impersonateUser: 'ops' })).toEqual({ token: 't', as: 'ops' });
  expect(userOf({ username: 'u', password: 'p' })).toEqual({ username: 'u', password: 'p' });
});
