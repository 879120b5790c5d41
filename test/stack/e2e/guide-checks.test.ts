import { generateKeyPairSync } from 'node:crypto';
import type { V1Deployment } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shortCertificate, testCertificate, testKey } from '../../fakes/tls-pair.ts';
import { type Connection, connect, putObject, readObject } from '../api.ts';
import { askActiveOpenBao, ensureUp, reset, type Stack } from '../control.ts';
import { image } from '../image-names.ts';
import type { Manifest } from '../manifests/manifest.ts';
import { waitFor } from '../shell.ts';
import { waitForWorkloads } from '../workloads.ts';
import { createOperator } from './rig.ts';

let stack: Stack;
let admin: Connection;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
});

afterAll(reset);

const run = (...args: string[]) => createOperator(stack.kubeconfig).run(['exec', ...args, '--yes']);
const base64 = (text: string) => Buffer.from(text).toString('base64');
const secret = (name: string, type: string, data: Record<string, string>): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type,
  metadata: { name, namespace: 'nvcf' },
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)])),
});

test('cluster-state asks all three clusters', async () => {
  const { code, stdout, stderr } = await run('cluster-state');
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/nats: 3 of 3 healthy/);
  expect(stdout).toMatch(/cassandra: 3 of 3 nodes up/);
  expect(stdout).toMatch(/openbao: 3 of 3 unsealed/);
});

test('observability-check finds metrics on the real ports, and a service that has none', async () => {
  const all = await run('observability-check', '--input', 'over=2s');
  expect(all.code, all.stderr).toBe(1);
  expect(all.stderr).toContain('--input except=NAME');
  const some = await run('observability-check', '--input', 'over=2s', '--input', 'except=["cassandra"]');
  expect(some.code, some.stderr).toBe(0);
});

describe('check-certificates', () => {
  test('tells a certificate that expires from one that does not, and shows no key', async () => {
    const none = await run('check-certificates');
    expect(none.code, none.stderr).toBe(0);
    await putObject(
      admin,
      secret('fine', 'kubernetes.io/tls', { 'tls.crt': testCertificate, 'tls.key': testKey }),
    );
    const fine = await run('check-certificates');
    expect(fine.code, fine.stderr).toBe(0);
    expect(fine.stdout).toContain('1 of 1 certificates are valid for 30 more days');
    const chain = testCertificate + shortCertificate;
    await putObject(admin, secret('short', 'kubernetes.io/tls', { 'tls.crt': chain, 'tls.key': testKey }));
    const short = await run('check-certificates', '--input', 'minDays=3650');
    expect(short.code, short.stderr).toBe(1);
    expect(short.stderr).toMatch(
      /nvcf\/short: it .*\(certificate 2 of the chain\)|nvcf\/short: it is valid only from/,
    );
    const key = testKey.split('\n')[1] ?? '';
    expect(short.stdout + short.stderr).not.toContain(key.slice(0, 20));
  });
});

describe('registry-credentials', () => {
  const auths = (auth: string) => JSON.stringify({ auths: { 'nvcr.io': { auth } } });

  test('finds the password that was encoded without its user', async () => {
    const type = 'kubernetes.io/dockerconfigjson';
    const good = { '.dockerconfigjson': auths(base64('$oauthtoken:nvapi-canary')) };
    await putObject(admin, secret('nvcr-pull-secret', type, good));
    const fine = await run('registry-credentials');
    expect(fine.code, fine.stderr).toBe(0);
    const bad = { '.dockerconfigjson': auths(base64('nvapi-canary')) };
    await putObject(admin, secret('nvcr-pull-secret', type, bad));
    const wrong = await run('registry-credentials');
    expect(wrong.code, wrong.stderr).toBe(1);
    expect(wrong.stderr).toContain('nvcr.io: auth: decoded, it has no colon');
    for (const text of ['canary', base64('nvapi-canary')])
      expect(wrong.stdout + wrong.stderr).not.toContain(text);
  });
});

const notary = 'services/nvcf-notary/kv';

describe('notary-key-check', () => {
  const write = (jwk: object) =>
    waitFor(
      () =>
        askActiveOpenBao('POST', `${notary}/data/keys/signing-key`, {
          data: { keys: base64(JSON.stringify({ keys: [jwk] })), kid: 'one', alg: 'ES256' },
        }),
      { what: 'the signing key to be written', seconds: 30 },
    );

  test('tells a whole key from one that is a character too short', async () => {
    await askActiveOpenBao('POST', `sys/mounts/${notary}`, { type: 'kv', options: { version: '2' } });
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'one' };
    await write(jwk);
    const whole = await run('notary-key-check');
    expect(whole.code, whole.stderr).toBe(0);
    await write({ ...jwk, d: jwk.d?.slice(1) });
    const short = await run('notary-key-check');
    expect(short.code, short.stderr).toBe(1);
    expect(short.stderr).toContain('key one in field keys: d has 42 characters, P-256 wants 43');
    for (const part of [jwk.d, jwk.x]) expect(short.stdout + short.stderr).not.toContain(part?.slice(1, 20));
  });
});

test('vault-agent-login finds a login that was refused', async () => {
  const metadata = { name: 'notary-service', namespace: 'nvcf' };
  const target = { apiVersion: 'apps/v1', kind: 'Deployment', metadata };
  const found = (await readObject(admin, target)) as V1Deployment;
  const said = 'error authenticating: 400: no known key successfully validated the token signature';
  const agent = {
    name: 'vault-agent-init',
    image,
    imagePullPolicy: 'Never',
    command: ['/bin/sh', '-c', `echo '${said}'`],
  };
  const template = found.spec?.template;
  await putObject(admin, {
    ...target,
    spec: { ...found.spec, template: { ...template, spec: { ...template?.spec, initContainers: [agent] } } },
  });
  await waitForWorkloads(admin, 60);
  const { code, stderr } = await run('vault-agent-login', '--input', 'service=notary');
  expect(code, stderr).toBe(1);
  expect(stderr).toContain('issuerDiscovery.enabled');
});
