import { describe, expect, test } from 'vitest';
import type { SecretSource } from '../../src/engine/read/runbook.ts';
import type { Secret } from '../../src/engine/secret.ts';
import {
  KubernetesError,
  type KubernetesObject,
  type KubernetesReader,
} from '../../src/services/kubernetes.ts';
import { OpenBaoError, type OpenBaoPod } from '../../src/services/openbao.ts';
import { readSecret, type SecretIo, SecretSourceError } from '../../src/services/secret-sources.ts';
import { FakeOpenBao } from '../fakes/fake-openbao.ts';

const source = (more: object = {}): SecretSource => ({
  openbao: { path: 'services/all/kv/data/encryption/keys', field: 'keys', ...more },
});
const at = { mount: 'services/all/kv', path: 'encryption/keys' };
const canary = 'canary-0123456789';

function rig(names: readonly string[] = ['bao-0', 'bao-1', 'bao-2']) {
  const openbao = new FakeOpenBao();
  const environment = new Map([['BAO_TOKEN', 's.canary-token\n']]);
  const tokens: string[] = [];
  const protectedOnes: Secret[] = [];
  for (const name of names) openbao.nodes.set(name, { active: name === 'bao-1' });
  const reader = {
    node: openbao.node.bind(openbao),
    kvRead: async (pod: OpenBaoPod, where: typeof at, token: Secret) => {
      tokens.push(token.revealText((text) => text));
      return await openbao.kvRead(pod, where);
    },
  };
  const listed: unknown[] = [];
  const kubernetes = {
    list: async (_: unknown, options: unknown) => {
      listed.push(options);
      return names.map(
        (name): KubernetesObject => ({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name, namespace: 'vault-system', uid: `uid of ${name}`, resourceVersion: '1' },
        }),
      );
    },
  };
  const io: SecretIo = {
    takeEnv: (name) => environment.get(name),
    euid: 0,
    prompt: {} as SecretIo['prompt'],
    kubernetes: async () => kubernetes as unknown as KubernetesReader,
    openbao: { reader, namespace: 'vault-system', selector: 'component=server' },
    protect: (secret) => void protectedOnes.push(secret),
    signal: new AbortController().signal,
  };
  return { openbao, environment, tokens, protectedOnes, kubernetes, listed, io };
}

async function failure(given: SecretSource, io: SecretIo): Promise<string> {
  const error: unknown = await readSecret('mek', given, io).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SecretSourceError);
  const { message, hint } = error as SecretSourceError;
  expect(`${message}${hint}`).not.toContain('canary');
  return `${message} | ${hint}`;
}

describe('a secret in OpenBao', () => {
  test("is read from the active pod with the environment's token, which is protected", async () => {
    const { openbao, io, tokens, protectedOnes, listed } = rig();
    openbao.kv.put(at, { keys: 'an older value' });
    openbao.kv.put(at, { keys: canary, current_kid: 'x' });
    const secret = await readSecret('mek', source(), io);
    expect([secret.name, secret.revealText((text) => text)]).toEqual(['mek', canary]);
    expect(openbao.calls).toEqual(['read bao-1 services/all/kv/encryption/keys']);
    expect(listed).toEqual([{ namespace: 'vault-system', labelSelector: 'component=server' }]);
    expect(tokens).toEqual(['s.canary-token\n']);
    expect(protectedOnes.map((token) => token.revealText((text) => text))).toEqual(['s.canary-token\n']);
    const older = await readSecret('mek', source({ version: 1 }), io);
    expect(older.revealText((text) => text)).toBe('an older value');
  });

  test('is read with the token that is named for us first', async () => {
    const { openbao, io, environment, tokens } = rig();
    openbao.kv.put(at, { keys: canary });
    environment.set('RUNBOOK_SECRET_BAO_TOKEN', 's.canary-ours');
    await readSecret('mek', source(), io);
    expect(tokens).toEqual(['s.canary-ours']);
  });

  test('is never read without a token, and the root token is not taken from its Secret', async () => {
    const { openbao, io, environment, listed } = rig();
    environment.clear();
    environment.set('VAULT_TOKEN', 's.canary-other');
    expect(await failure(source(), io)).toMatch(
      /without a token: .* never used unasked \| .*read -rs BAO_TOKEN/,
    );
    expect([openbao.calls, listed]).toEqual([[], []]);
  });

  test('is asked of another pod while the active one is away', async () => {
    const { openbao, io } = rig();
    openbao.kv.put(at, { keys: canary });
    openbao.nodes.delete('bao-1');
    openbao.nodes.set('bao-0', { sealed: true });
    await readSecret('mek', source(), io);
    expect(openbao.calls[0]).toContain('read bao-1');
    openbao.kv.failure = new OpenBaoError('no answer', { outcome: 'not-applied', retryable: true });
    openbao.calls.length = 0;
    expect(await failure(source(), io)).toMatch(/cannot be read: no answer \| bao\.status/);
    expect(openbao.calls.map((call) => call.split(' ')[1])).toEqual(['bao-1', 'bao-2', 'bao-0']);
  });

  test.each([
    [
      403,
      /permission denied \| the token in .* needs the capability read on services\/all\/kv\/data\/encryption/,
    ],
    [404, /permission denied \| bao\.status/],
  ])('a refusal (%i) is not asked again', async (status, text) => {
    const { openbao, io } = rig();
    openbao.kv.failure = new OpenBaoError('permission denied', {
      status,
      outcome: 'not-applied',
      retryable: false,
    });
    expect(await failure(source(), io)).toMatch(text);
    expect(openbao.calls.length).toBe(1);
  });

  test('nothing, a deleted and a destroyed version are told apart', async () => {
    const { openbao, io } = rig();
    expect(await failure(source(), io)).toMatch(
      /does not exist \| bao kv metadata get -mount=services\/all\/kv encryption\/keys/,
    );
    openbao.kv.put(at, { keys: canary });
    openbao.kv.delete(at, 1);
    expect(await failure(source(), io)).toContain('is deleted (version 1)');
    openbao.kv.destroy(at, 1);
    expect(await failure(source(), io)).toContain('is destroyed (version 1)');
  });

  test('a field that is not there, or no text, is told with those that are', async () => {
    const { openbao, io } = rig();
    openbao.kv.put(at, { keys: { inner: canary }, other: canary });
    expect(await failure(source(), io)).toMatch(/field keys of .* is no text \| its fields: keys, other/);
    expect(await failure(source({ field: 'toString' }), io)).toMatch(/does not exist in it \| its fields/);
  });

  test.each(['services/all/kv/encryption/keys', '/data/x', 'kv/data/', 'data/x'])(
    'the path %s is none of the API',
    async (path) => {
      expect(await failure(source({ path }), rig().io)).toContain('write it as MOUNT/data/PATH');
    },
  );

  test('no pods, no API server and no entry in the inventory are told', async () => {
    expect(await failure(source(), rig([]).io)).toMatch(
      /no pod in namespace vault-system .* kubectl get pods/,
    );
    const { io } = rig();
    const inventoryless = await failure(source(), { ...io, openbao: undefined });
    expect(inventoryless).toMatch(/inventory has no service "openbao" \| add it/);
    const list = () => Promise.reject(new KubernetesError('pods is forbidden', forbidden));
    const kubernetes = async () => ({ list }) as unknown as KubernetesReader;
    expect(await failure(source(), { ...io, kubernetes })).toContain('cannot be read: pods is forbidden');
  });
});

const forbidden = { status: 403, reason: 'Forbidden', outcome: 'not-applied', retryable: false } as const;
