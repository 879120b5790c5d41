import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KubernetesError, kinds } from '../../src/services/kubernetes.ts';
import { resolveContext } from '../../src/services/kubernetes-config.ts';
import { createCredentials } from '../../src/services/kubernetes-credentials.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import { type FakeRequest, startFakeApiServer } from '../fakes/fake-apiserver.ts';
import { sendSignal } from '../fakes/send-signal.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'runbook-credentials-'));
});

afterAll(() => rm(folder, { recursive: true }));

/** A shell script as credential plugin; it counts its runs in a file beside it. */
async function plugin(name: string, body: string) {
  const command = path.join(folder, name);
  await writeFile(command, `#!/bin/sh\necho run >> ${command}.count\n${body}\n`);
  await chmod(command, 0o700);
  const runs = async () => (await readFile(`${command}.count`, 'utf8')).trim().split('\n').length;
  return { command, runs, user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command } } };
}

const credential = (status: object) =>
  `echo '${JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status })}'`;

const list = (user: object, answer?: (request: FakeRequest) => object) =>
  startFakeApiServer((request) => answer?.(request) ?? { body: { metadata: {}, items: [] } }, user);

async function refusalOf(user: object): Promise<string> {
  await using server = await list(user);
  const failure = await server.kubernetes.list(kinds.pods, {}).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(server.requests).toEqual([]);
  if (failure instanceof KubernetesError) return failure.message;
  throw new Error('expected a refusal');
}

describe('static credentials', () => {
  test.each([
    ['a token', { token: 'abc\n' }, 'Bearer abc'],
    [
      'user and password',
      { username: 'me', password: 'pässword' },
      `Basic ${Buffer.from('me:pässword').toString('base64')}`,
    ],
    ['nothing', {}, undefined],
  ])('%s', async (_, user, expected) => {
    await using server = await list(user);
    await server.kubernetes.list(kinds.pods, {});
    expect(server.requests[0]?.headers.authorization).toBe(expected);
  });

  test('impersonation travels beside them', async () => {
    await using server = await list({ token: 't', as: 'somebody' });
    await server.kubernetes.list(kinds.pods, {});
    expect(server.requests[0]?.headers['impersonate-user']).toBe('somebody');
  });

  test('a token file is read, also when the kubeconfig is YAML with relative paths', async () => {
    await writeFile(path.join(folder, 'token'), 'from-file\n');
    await using server = await list({ tokenFile: path.join(folder, 'token') });
    await server.kubernetes.list(kinds.pods, {});
    const yaml = path.join(folder, 'kubeconfig.yaml');
    await writeFile(
      yaml,
      `current-context: a\nclusters:\n- name: a\n  cluster:\n    server: ${server.url}\nusers:\n- name: a\n  user:\n    tokenFile: token\ncontexts:\n- name: a\n  context: {cluster: a, user: a}\n`,
    );
    await server.connect({ kubeconfig: yaml }).list(kinds.pods, {});
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer from-file',
      'Bearer from-file',
    ]);
  });
});

describe('a credential plugin', () => {
  test('runs once while its credential lasts, with stdin closed and its own variables', async () => {
    const token = await plugin('token', 'printf \'{"status":{"token":"%s-%s"}}\' "$REGION" "$(cat)"');
    const exec = { ...token.user.exec, env: [{ name: 'REGION', value: 'west' }] };
    await using server = await list({ exec });
    await server.kubernetes.list(kinds.pods, {});
    await server.kubernetes.list(kinds.pods, {});
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer west-',
      'Bearer west-',
    ]);
    expect(await token.runs()).toBe(1);
  });

  test('runs again after a 401, once, also for a write', async () => {
    const { user, runs } = await plugin(
      'renewed',
      `printf '{"status":{"token":"t%s"}}' "$(wc -l < "$0.count" | tr -d ' ')"`,
    );
    await using server = await list(user, ({ headers }) =>
      headers.authorization === 'Bearer t2'
        ? { body: { metadata: {}, items: [] } }
        : { status: 401, body: {} },
    );
    await server.kubernetes.delete({ kind: kinds.pods, namespace: 'n', name: 'p' }, {});
    expect(server.requests).toHaveLength(2);
    expect(await runs()).toBe(2);
  });

  test('a second 401 is told', async () => {
    const { user } = await plugin('useless', credential({ token: 'x' }));
    await using server = await list(user, () => ({ status: 401, body: {} }));
    await expect(server.kubernetes.list(kinds.pods, {})).rejects.toMatchObject({
      status: 401,
      reason: 'Unauthorized',
    });
    expect(server.requests).toHaveLength(2);
  });

  test('runs again shortly before its credential expires', async () => {
    const { user, runs } = await plugin(
      'expiring',
      credential({ token: 'x', expirationTimestamp: '1970-01-01T00:01:00Z' }),
    );
    await using server = await list(user);
    const { clock, kubernetes } = server;
    await kubernetes.list(kinds.pods, {});
    await clock.sleep(49_000, new AbortController().signal);
    await kubernetes.list(kinds.pods, {});
    expect(await runs()).toBe(1);
    await clock.sleep(2_000, new AbortController().signal);
    await kubernetes.list(kinds.pods, {});
    expect(await runs()).toBe(2);
  });

  test('that fails is named with its exit code, and what it printed stays out', async () => {
    const { user, command } = await plugin('failing', 'echo token-hunter2; echo hunter2 >&2; exit 3');
    const message = await refusalOf(user);
    expect(message).toContain(`"${command}"`);
    expect(message).toContain('exit code 3');
    expect(message).toContain('user "tester"');
    expect(message).not.toContain('hunter2');
  });

  test.each([
    ['prints no JSON', 'echo hunter2'],
    ['prints no credential', credential({})],
  ])('that %s is refused', async (name, body) => {
    const { user } = await plugin(`odd-${name.replaceAll(' ', '-')}`, body);
    const message = await refusalOf(user);
    expect(message).toContain('without a token');
    expect(message).not.toContain('hunter2');
  });

  test('that does not exist is refused with its install hint', async () => {
    const exec = { command: 'no-such-plugin', installHint: 'Get it from the cloud team.' };
    const message = await refusalOf({ exec });
    expect(message).toContain('could not be started');
    expect(message).toContain('Get it from the cloud team.');
  });

  test('that wants to ask is refused', async () => {
    expect(await refusalOf({ exec: { command: 'x', interactiveMode: 'Always' } })).toContain(
      'interactiveMode',
    );
  });

  test('that hangs is ended and named', async () => {
    const { user } = await plugin('hanging', 'sleep 60');
    await using server = await list(user);
    const context = await resolveContext({ kubeconfig: server.kubeconfig });
    const credentials = createCredentials(context, {
      process: createProcessRunner({ kill: sendSignal, environment: process.env }),
      now: () => 0,
      environment: {},
      limit: 100,
    });
    await expect(credentials.current()).rejects.toThrow('did not answer within 0.1 s');
  });
});
