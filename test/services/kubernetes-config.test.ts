import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KubernetesError } from '../../src/services/kubernetes.ts';
import { type KubeconfigOptions, resolveContext } from '../../src/services/kubernetes-config.ts';
import { kubeconfigFor } from '../fakes/fake-apiserver.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'runbook-kubeconfig-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: object | string): Promise<string> {
  const target = path.join(folder, name);
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, typeof content === 'string' ? content : JSON.stringify(content));
  return target;
}

async function refusalOf(options: KubeconfigOptions): Promise<string> {
  const failure = await resolveContext(options).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(failure instanceof KubernetesError)) throw new Error('expected a refusal');
  expect(failure).toMatchObject({ outcome: 'not-applied', retryable: false, status: undefined });
  return failure.message;
}

const server = 'https://api.example:6443';

describe('which kubeconfig', () => {
  test('an explicit one wins over the variable, the variable over the home', async () => {
    const explicit = await file('explicit', kubeconfigFor('https://explicit.example', {}));
    const variable = await file('variable', kubeconfigFor('https://variable.example', {}));
    await file('home/.kube/config', kubeconfigFor('https://home.example', {}));
    const home = path.join(folder, 'home');
    const serverOf = async (options: KubeconfigOptions) => (await resolveContext(options)).server;
    expect(await serverOf({ kubeconfig: explicit, kubeconfigVariable: variable, home })).toBe(
      'https://explicit.example',
    );
    expect(await serverOf({ kubeconfigVariable: variable, home })).toBe('https://variable.example');
    expect(await serverOf({ kubeconfigVariable: '', home })).toBe('https://home.example');
  });

  test('several files are merged, the first that defines a name wins, missing ones are left out', async () => {
    const one = await file('one', kubeconfigFor('https://one.example', {}));
    const two = await file('two', {
      ...kubeconfigFor('https://two.example', {}),
      'current-context': 'second',
      contexts: [
        { name: 'second', context: { cluster: 'test', user: 'tester' } },
        { name: 'test', context: { cluster: 'other', user: 'tester' } },
      ],
    });
    const kubeconfigVariable = [path.join(folder, 'missing'), one, two].join(path.delimiter);
    expect(await resolveContext({ kubeconfigVariable })).toMatchObject({
      context: 'test',
      server: 'https://one.example',
    });
    expect(await resolveContext({ kubeconfigVariable, context: 'second' })).toMatchObject({
      context: 'second',
      server: 'https://one.example',
    });
  });

  test('none at all: says where it looked and how to go on without a cluster', async () => {
    const home = path.join(folder, 'nobody');
    const message = await refusalOf({ home });
    expect(message).toContain(path.join(home, '.kube', 'config'));
    expect(message).toContain('--sandbox');
    expect(await refusalOf({})).toContain('There is no kubeconfig');
  });

  test('a named one that is missing, empty or unreadable is refused by name', async () => {
    const missing = path.join(folder, 'missing');
    expect(await refusalOf({ kubeconfig: missing })).toContain(`${missing}: it does not exist`);
    expect(await refusalOf({ kubeconfigVariable: missing })).toContain(`${missing}: it does not exist`);
    expect(await refusalOf({ kubeconfig: ' ' })).toContain('--kubeconfig is empty');
    expect(await refusalOf({ kubeconfig: folder })).toContain('EISDIR');
  });

  test('broken YAML is refused with its place, and without its text', async () => {
    const broken = await file('broken', 'users:\n- name: x\n  user: {token: hunter2\n');
    const message = await refusalOf({ kubeconfig: broken });
    expect(message).toMatch(/broken is not valid YAML at \d+:\d+/u);
    expect(message).not.toContain('hunter2');
  });
});

describe('which context', () => {
  test('an unknown one is refused with those that exist', async () => {
    const kubeconfig = await file('context', kubeconfigFor(server, {}));
    const message = await refusalOf({ kubeconfig, context: 'tset' });
    expect(message).toContain('no context "tset"');
    expect(message).toContain('It has: test.');
    expect(await refusalOf({ kubeconfig, context: '' })).toContain('no context ""');
  });

  test('no current context is refused', async () => {
    const config = { ...kubeconfigFor(server, {}), 'current-context': '' };
    expect(await refusalOf({ kubeconfig: await file('current', config) })).toContain('no current-context');
  });

  test('one that names a missing cluster or user is refused', async () => {
    const config = kubeconfigFor(server, {});
    const noCluster = await file('no-cluster', { ...config, clusters: [] });
    expect(await refusalOf({ kubeconfig: noCluster })).toContain('names cluster "test"');
    const noUser = await file('no-user', { ...config, users: [] });
    expect(await refusalOf({ kubeconfig: noUser })).toContain('names user "tester"');
  });

  test('broken entries of other contexts do not matter', async () => {
    const config = kubeconfigFor(server, {}) as { clusters: object[] };
    const kubeconfig = await file('others', { ...config, clusters: [{ name: 'bad' }, ...config.clusters] });
    expect(await resolveContext({ kubeconfig })).toMatchObject({ context: 'test', server });
  });
});

describe('what would be unsafe', () => {
  test.each([
    ['insecure-skip-tls-verify', server, { 'insecure-skip-tls-verify': true }, 'insecure-skip-tls-verify'],
    ['plain http', 'http://api.example:8080', {}, 'without TLS'],
    ['no URL', 'api.example', {}, 'no URL'],
    ['another protocol', 'ftp://api.example', {}, 'without TLS'],
  ])('%s is refused', async (name, url, cluster, words) => {
    const kubeconfig = await file(`unsafe-${name}`, kubeconfigFor(url, {}, cluster));
    const message = await refusalOf({ kubeconfig });
    expect(message).toContain(words);
    expect(message).toContain('Context "test"');
  });

  test.each(['http://127.0.0.1:8001', 'http://localhost:8001', 'http://[::1]:8001'])(
    'plain http on loopback (%s) is a proxy of the operator',
    async (url) => {
      const kubeconfig = await file('loopback', kubeconfigFor(url, {}));
      expect((await resolveContext({ kubeconfig })).server).toBe(url);
    },
  );

  test('impersonation that would be cut short is refused', async () => {
    const kubeconfig = await file('groups', kubeconfigFor(server, { as: 'a', 'as-groups': ['g'] }));
    expect(await refusalOf({ kubeconfig })).toContain('as-groups');
  });
});

describe('files it names', () => {
  test('are relative to it, read once, and data wins over files', async () => {
    await file('pki/ca.crt', 'the ca');
    await file('pki/client.key', 'the key');
    const user = {
      'client-certificate-data': btoa('the cert'),
      'client-certificate': 'gone',
      'client-key': 'pki/client.key',
    };
    const kubeconfig = await file(
      'files',
      kubeconfigFor(server, user, { 'certificate-authority': 'pki/ca.crt' }),
    );
    const context = await resolveContext({ kubeconfig });
    await rm(path.join(folder, 'pki'), { recursive: true });
    expect([context.ca, context.cert, context.key].map(String)).toEqual(['the ca', 'the cert', 'the key']);
  });

  test('one that is missing is named with its role', async () => {
    const kubeconfig = await file('lost', kubeconfigFor(server, {}, { 'certificate-authority': 'lost.crt' }));
    expect(await refusalOf({ kubeconfig })).toContain('certificate-authority of cluster "test"');
  });
});
