import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { openKeys } from './keys-rig.ts';
import { never, pass } from './rig.ts';

const root = Secret.fromText('token', 's.sandbox-root-5');
const url = 'http://ess-api.ess.svc.cluster.local:8080/v1/functions/f-1/env%2Fname';

/** A token as the simulated OpenBao signs it. */
async function tokenOf(sandbox: Sandbox, mount: string, role: string): Promise<string> {
  const [pod] = await sandbox.services.kubernetes.list(kinds.pods, {
    namespace: 'vault-system',
    labelSelector: 'openbao-active=true',
  });
  const at = { namespace: 'vault-system', pod: pod?.metadata.name ?? '', uid: pod?.metadata.uid ?? '' };
  const token = await sandbox.services.openbao.signJwt(at, { mount, role }, root, never);
  return token.revealText((text) => text);
}

async function headers(
  sandbox: Sandbox,
  namespace = 'nvcf',
): Promise<Readonly<Record<string, Secret | string>>> {
  const token = await tokenOf(sandbox, 'services/ess-api/jwt', 'nvcf-api');
  return { Authorization: Secret.fromText('bearer', `Bearer ${token}`), 'X-ESS-NAMESPACE': namespace };
}

const body = (value: unknown) => Secret.fromText('body', JSON.stringify(value));

describe('ESS over HTTP', () => {
  test('writes, reads and deletes a secret, with a version for each write', async () => {
    const sandbox = openKeys();
    const { http } = sandbox.services;
    const given = { url, headers: await headers(sandbox) };
    const put = await http.send({ ...given, method: 'PUT', body: body({ data: { a: 'ü', n: [1] } }) }, never);
    expect(put.status).toBe(200);
    const get = await http.request({ ...given, method: 'GET' }, never);
    expect(get.status).toBe(200);
    expect(JSON.parse(get.body)).toEqual({ data: { a: 'ü', n: [1] }, version: JSON.parse(put.body).version });
    const again = await http.send({ ...given, method: 'PUT', body: body({ data: {} }) }, never);
    expect(JSON.parse(again.body).version).not.toBe(JSON.parse(put.body).version);
    expect((await http.send({ ...given, method: 'DELETE' }, never)).status).toBe(204);
    expect((await http.request({ ...given, method: 'GET' }, never)).status).toBe(404);
    expect((await http.send({ ...given, method: 'DELETE' }, never)).status).toBe(404);
    expect(sandbox.inspect.everySecretReadable()).toMatchObject({ ok: true, checked: 6 });
  });

  test('knows its clients by the tokens that OpenBao signs for them', async () => {
    const sandbox = openKeys();
    const ask = async (token: string | undefined) => {
      const authorization =
        token === undefined ? {} : { Authorization: Secret.fromText('bearer', `Bearer ${token}`) };
      const given = { url, headers: { 'X-ESS-NAMESPACE': 'nvcf', ...authorization } };
      return (await sandbox.services.http.request({ ...given, method: 'GET' }, never)).status;
    };
    const good = await tokenOf(sandbox, 'services/ess-api/jwt', 'nvcf-api');
    expect(await ask(good)).toBe(404);
    expect(await ask(undefined)).toBe(401);
    expect(await ask(`${good}AA`)).toBe(401);
    const [header = '', claims = '', signature = ''] = good.split('.');
    const more = { ...JSON.parse(Buffer.from(claims, 'base64url').toString()), sub: 'nvct-api' };
    const forged = Buffer.from(JSON.stringify(more)).toString('base64url');
    expect(await ask(`${header}.${forged}.${signature}`)).toBe(401);
    expect(await ask(await tokenOf(sandbox, 'services/nvcf-api/jwt', 'nvcf-api'))).toBe(401);
    expect(await ask(await tokenOf(sandbox, 'services/ess-api/jwt', 'somebody'))).toBe(401);
    await pass(sandbox, 12 * 3_600_000 + 1000);
    expect(await ask(good)).toBe(401);
  });

  test('refuses what it does not understand', async () => {
    const sandbox = openKeys();
    const { http } = sandbox.services;
    const good = await headers(sandbox);
    const put = async (given: object) =>
      (await http.send({ url, headers: good, method: 'PUT', ...given }, never)).status;
    expect(await put({ body: body({ value: 1 }) })).toBe(400);
    expect(await put({ body: Secret.fromText('body', 'no json') })).toBe(400);
    expect(await put({ method: 'POST', body: body({ data: {} }) })).toBe(405);
    const { Authorization } = good;
    expect(await put({ headers: { Authorization }, body: body({ data: {} }) })).toBe(400);
    expect(await put({ url: url.replace('functions', 'robots'), body: body({ data: {} }) })).toBe(404);
  });

  test('answers each replica apart, and its health as before', async () => {
    const sandbox = openKeys();
    const { http, kubernetes } = sandbox.services;
    await kubernetes.patch(
      { kind: kinds.deployments, namespace: 'ess', name: 'ess-api-deployment' },
      { type: 'merge', body: { spec: { replicas: 3 } } },
    );
    await pass(sandbox, 120_000);
    const pods = sandbox.inspect.loaded().filter(({ kind }) => kind === 'ess');
    expect(pods).toHaveLength(3);
    const given = await headers(sandbox);
    for (const { pod } of pods) {
      const through = { namespace: 'ess', pod, port: 8080 };
      const put = { url, headers: given, through, method: 'PUT', body: body({ data: { pod } }) } as const;
      expect((await http.send(put, never)).status).toBe(200);
      for (const other of pods) {
        const get = { url, headers: given, through: { ...through, pod: other.pod }, method: 'GET' } as const;
        expect(JSON.parse((await http.request(get, never)).body).data).toEqual({ pod });
      }
      const health = { method: 'GET', url: 'http://pod/health/readiness', through } as const;
      expect((await http.request(health, never)).status).toBe(200);
    }
  });

  test('tells that it has no usable key, without saying what the secret is', async () => {
    const sandbox = openKeys();
    sandbox.control.setCurrentKid('nvcf', 'no-such-kid');
    const given = { url, headers: await headers(sandbox), method: 'PUT' } as const;
    const answer = await sandbox.services.http.send({ ...given, body: body({ data: { a: 'hush' } }) }, never);
    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.body)).toHaveProperty('error');
    expect(answer.body).not.toContain('hush');
  });
});

describe('API Keys and NVCF API over HTTP', () => {
  const post = async (sandbox: Sandbox, address: string, value: unknown) => {
    const given = { url: address, method: 'POST', body: body(value) } as const;
    const answer = await sandbox.services.http.send(given, never);
    return { status: answer.status, fields: JSON.parse(answer.body) as Record<string, unknown> };
  };

  test('a key is issued and valid, another text is not', async () => {
    const sandbox = openKeys();
    const address = 'http://api-keys.api-keys:8080/v1/keys';
    const issued = await post(sandbox, address, { owner: 'me' });
    expect(issued.status).toBe(200);
    expect(await post(sandbox, `${address}/validate`, { key: issued.fields.key })).toEqual({
      status: 200,
      fields: { valid: true },
    });
    expect(await post(sandbox, `${address}/validate`, { key: 'another' })).toMatchObject({ status: 401 });
    expect(await post(sandbox, address, {})).toMatchObject({ status: 400 });
  });

  test('a token is issued and renewed', async () => {
    const sandbox = openKeys();
    const address = 'http://api.nvcf:8080/v1/worker-tokens';
    const issued = await post(sandbox, address, {});
    expect(issued.status).toBe(200);
    const renewed = await post(sandbox, `${address}/refresh`, { token: issued.fields.token });
    expect(renewed.status).toBe(200);
    expect(renewed.fields.token).not.toBe(issued.fields.token);
    expect(await post(sandbox, `${address}/refresh`, { token: 'a.b.c.d.e' })).toMatchObject({ status: 401 });
  });
});
