import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { buildWorld } from '../../src/sandbox/build-world.ts';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import { kvPeek, kvSeed } from '../../src/sandbox/openbao/kv.ts';
import { SandboxError } from '../../src/sandbox/world-file.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import type { OpenBaoPod } from '../../src/services/openbao.ts';
import { never } from './rig.ts';

const namespace = 'vault-system';
const token = Secret.fromText('token', 's.sandbox-root-5');
const at = { mount: 'services/all/kv', path: 'contract/doc' };
const value = (text: string) => Secret.fromText('value', JSON.stringify({ text }));
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function newFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'runbook-sandbox-kv-'));
  folders.push(folder);
  return folder;
}

async function activePod({ services }: Sandbox): Promise<OpenBaoPod> {
  const options = { namespace, labelSelector: 'component=server,openbao-active=true' };
  const [pod] = await services.kubernetes.list(kinds.pods, options);
  return { namespace, pod: pod?.metadata.name ?? '', uid: pod?.metadata.uid ?? '' };
}

describe('a secret that a run writes', () => {
  test('is there for the next process, and not to be read in the file of the world', async () => {
    const dir = newFolder();
    const first = openSandbox({ seed: 5, dir });
    const pod = await activePod(first);
    await first.services.openbao.kvWrite(pod, { ...at, cas: 0, data: value('canary') }, token, never);
    const before = await first.services.openbao.kvRead(pod, at, token, never);
    first.close();

    const second = openSandbox({ seed: 5, dir });
    const after = await second.services.openbao.kvRead(pod, at, token, never);
    second.close();
    expect(after).toMatchObject({ state: 'found', version: 1 });
    expect(JSON.stringify(after)).toBe(JSON.stringify(before));
    expect(after.state === 'found' && after.data.revealText((text) => text)).toBe('{"text":"canary"}');
    const written = readFileSync(path.join(dir, 'world.jsonl'), 'utf8');
    expect(written).toContain('services/all/kv/data/contract/doc');
    for (const form of ['canary', Buffer.from('canary').toString('base64').slice(0, 6), 's.sandbox-root'])
      expect(written).not.toContain(form);
    expect(statSync(path.join(dir, 'world.key')).mode & 0o777).toBe(0o600);
  });

  test('cannot be brought back with another key, and that is told', async () => {
    const dir = newFolder();
    const first = openSandbox({ seed: 5, dir });
    const data = value('x');
    await first.services.openbao.kvWrite(await activePod(first), { ...at, cas: 0, data }, token, never);
    first.close();
    for (const key of [Buffer.alloc(32), Buffer.alloc(3)]) {
      writeFileSync(path.join(dir, 'world.key'), key);
      expect(() => openSandbox({ seed: 5, dir })).toThrow(SandboxError);
    }
  });

  test('takes place although its answer is lost', async () => {
    const sandbox = openSandbox({ seed: 5, faults: [{ step: 'put', kind: 'lost-answer' }] });
    const pod = await activePod(sandbox);
    const { openbao } = sandbox.servicesFor('put');
    const lost = openbao.kvWrite(pod, { ...at, cas: 0, data: value('x') }, token, never);
    await expect(lost).rejects.toMatchObject({ outcome: 'unknown', retryable: true, casMismatch: false });
    const again = openbao.kvWrite(pod, { ...at, cas: 0, data: value('x') }, token, never);
    await expect(again).rejects.toMatchObject({ outcome: 'not-applied', casMismatch: true });
    await openbao.kvConfigure(pod, { ...at, casRequired: true }, token, never);
  });

  test('is refused while nobody leads', async () => {
    const sandbox = openSandbox({ seed: 5 });
    const pod = await activePod(sandbox);
    const { openbao } = sandbox.services;
    await openbao.stepDown(pod, token, never);
    const refused = openbao.kvWrite(pod, { ...at, cas: 0, data: value('x') }, token, never);
    await expect(refused).rejects.toMatchObject({ status: 500, outcome: 'not-applied', retryable: true });
    await sandbox.services.clock.sleep(10_000, never);
    expect(await openbao.kvWrite(pod, { ...at, cas: 0, data: value('x') }, token, never)).toBe(1);
  });
});

test('a seeded secret has the age that it was given', async () => {
  const world = buildWorld(5, {});
  kvSeed(world, namespace, 'services/all/kv', 'old', { n: 1 }, Date.UTC(2024, 1, 2));
  expect(kvSeed(world, namespace, 'services/all/kv', 'old', { n: 2 })).toBe(2);
  kvSeed(world, namespace, 'services/new/kv', 'x', { password: 'p' });
  expect(kvPeek(world, namespace, 'services/all/kv', 'old')).toEqual({ version: 2, data: { n: 2 } });
  expect(kvPeek(world, namespace, 'services/new/kv', 'x')?.data).toEqual({ password: 'p' });
  expect(kvPeek(world, namespace, 'services/new/kv', 'y')).toBeUndefined();
  const entry = world.openbao.get(namespace)?.mounts.get('services/all/kv')?.entries.get('old');
  expect(entry?.versions.get(1)?.createdAt).toBe(Date.UTC(2024, 1, 2));
});

test('a service token is well-formed and good for twelve hours', async () => {
  const sandbox = openSandbox({ seed: 5 });
  const signed = await sandbox.services.openbao.signJwt(
    await activePod(sandbox),
    { mount: 'services/ess-api/jwt', role: 'nvcf-api' },
    token,
    never,
  );
  const [header, claims, signature, ...more] = signed.revealText((text) => text.split('.'));
  const decode = (part = '') =>
    JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
  expect(more).toEqual([]);
  expect(decode(header)).toMatchObject({ alg: 'ES256', typ: 'JWT' });
  expect(Buffer.from(signature ?? '', 'base64url').length).toBe(64);
  const { sub, iat, exp } = decode(claims);
  expect(sub).toBe('nvcf-api');
  expect(Number(exp) - Number(iat)).toBe(43_200);
  expect(Number(iat)).toBe(Math.floor(sandbox.services.clock.now() / 1000));
});

test('the same seed gives the same snapshot, and a change another one', async () => {
  const take = async (change: boolean) => {
    const sandbox = openSandbox({ seed: 5 });
    const pod = await activePod(sandbox);
    const { openbao } = sandbox.services;
    if (change) await openbao.kvWrite(pod, { ...at, cas: 0, data: value('x') }, token, never);
    const chunks: Uint8Array[] = [];
    for await (const piece of openbao.raftSnapshot(pod, token, never)) chunks.push(piece);
    return Buffer.concat(chunks);
  };
  const [first, same, other] = [await take(false), await take(false), await take(true)];
  expect(first.equals(same)).toBe(true);
  expect(first.equals(other)).toBe(false);
});

test('a secret input from OpenBao has the simulated value', async () => {
  const sandbox = openSandbox({ seed: 5 });
  const pod = await activePod(sandbox);
  const { openbao } = sandbox.services;
  for (const [cas, text] of ['first value', 'second value'].entries())
    await openbao.kvWrite(pod, { ...at, cas, data: value(text) }, token, never);
  const path = 'services/all/kv/data/contract/doc';
  const inputs = sandbox.inputs({
    newest: { type: 'secret', description: 'd', from: { openbao: { path, field: 'text' } } },
    older: { type: 'secret', description: 'd', from: { openbao: { path, field: 'text', version: 1 } } },
  });
  const reveal = (secret: unknown) => (secret as Secret).revealText((text) => text);
  expect([reveal(inputs.newest), reveal(inputs.older)]).toEqual(['second value', 'first value']);
});
