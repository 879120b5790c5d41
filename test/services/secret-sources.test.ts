import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { SecretSource } from '../../src/engine/read/runbook.ts';
import { Secret } from '../../src/engine/secret.ts';
import {
  KubernetesError,
  type KubernetesObject,
  type KubernetesReader,
} from '../../src/services/kubernetes.ts';
import type { Prompt } from '../../src/services/prompt.ts';
import { readSecret, type SecretIo, SecretSourceError } from '../../src/services/secret-sources.ts';

const canary = 'hvs.canary-0123456789';
const folder = mkdtempSync(path.join(tmpdir(), 'secret-sources-'));
afterAll(() => rmSync(folder, { recursive: true }));

const { uid } = userInfo();

function io(parts: Partial<SecretIo> = {}): SecretIo {
  return {
    takeEnv: () => undefined,
    euid: uid,
    prompt: promptThatAnswers('no-terminal'),
    kubernetes: () => Promise.reject(new Error('no cluster in this test')),
    openbao: undefined,
    protect: () => undefined,
    signal: new AbortController().signal,
    ...parts,
  };
}

function promptThatAnswers(answer: Secret | 'no-terminal'): Prompt {
  return {
    interactive: answer !== 'no-terminal',
    confirm: () => Promise.resolve('no-terminal'),
    choose: () => Promise.resolve('no-terminal'),
    text: () => Promise.resolve('no-terminal'),
    secret: () => Promise.resolve(answer),
  };
}

/** Only `get` of Secrets is asked. */
function cluster(get: KubernetesReader['get']): Partial<SecretIo> {
  return { kubernetes: () => Promise.resolve({ get } as KubernetesReader) };
}

function object(data: Readonly<Record<string, string>>): KubernetesObject {
  const metadata = { name: 'mek', namespace: 'nvcf', uid: 'u', resourceVersion: '1' };
  return { apiVersion: 'v1', kind: 'Secret', metadata, data };
}

async function text(source: SecretSource, parts?: Partial<SecretIo>): Promise<string> {
  const secret = await readSecret('adminToken', source, io(parts));
  expect(secret.name).toBe('adminToken');
  return secret.revealText((value) => value);
}

async function failure(source: SecretSource, parts?: Partial<SecretIo>): Promise<string> {
  const error = await readSecret('adminToken', source, io(parts)).then(
    () => new Error('it was read'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SecretSourceError);
  const { message, hint } = error as SecretSourceError;
  expect(`${message}${hint}`).not.toContain('canary');
  return `${message} | ${hint}`;
}

function file(name: string, content: string | Uint8Array, mode = 0o600): string {
  const where = path.join(folder, name);
  writeFileSync(where, content, { mode });
  chmodSync(where, mode);
  return where;
}

describe('the environment', () => {
  test.each(['RUNBOOK_SECRET_A', 'BAO_TOKEN', 'VAULT_TOKEN'])('is read from %s', async (env) => {
    expect(await text({ env }, { takeEnv: (name) => (name === env ? canary : undefined) })).toBe(canary);
  });

  test.each([
    ['RUNBOOK_SECRET_X', undefined, /variable RUNBOOK_SECRET_X is not set \| read it without echo/],
    ['RUNBOOK_SECRET_X', '', /RUNBOOK_SECRET_X is empty/],
    ['RUNBOOK_SECRET_X', 'canary', /shorter than 8 bytes, too short to be hidden/],
    ['HOME', canary, /HOME is not read: .* \| name it RUNBOOK_SECRET_ADMIN_TOKEN /],
  ])('%s = %j is refused', async (env, value, message) => {
    expect(await failure({ env }, { takeEnv: () => value })).toMatch(message);
  });
});

describe('a file', () => {
  test.each([
    ['plain', canary, canary],
    ['with a line break', `${canary}\n`, canary],
    ['with CRLF', `${canary}\r\n`, canary],
    ['with two line breaks', `${canary}\n\n`, `${canary}\n`],
  ])('%s', async (name, content, expected) => {
    expect(await text({ file: file(name, content) })).toBe(expected);
  });

  test('may hold any bytes', async () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, index) => 255 - index);
    const secret = await readSecret('adminToken', { file: file('bytes', bytes, 0o400) }, io());
    expect(secret.reveal((read) => [...read])).toEqual([...bytes]);
  });

  test.each([0o640, 0o604, 0o660, 0o620])('of mode %o is refused', async (mode) => {
    const where = file(`mode-${mode}`, canary, mode);
    expect(await failure({ file: where })).toMatch(/can be read by others \(mode 6\d\d\) \| chmod 600/);
  });

  test('of somebody else, a link, a folder, nothing or too much is refused', async () => {
    const where = file('mine', canary);
    expect(await failure({ file: where }, { euid: uid + 1 })).toMatch(/belongs to user \d+, not to you/);
    symlinkSync(where, path.join(folder, 'link'));
    expect(await failure({ file: path.join(folder, 'link') })).toMatch(/is a symbolic link/);
    mkdirSync(path.join(folder, 'folder'), { mode: 0o700 });
    expect(await failure({ file: path.join(folder, 'folder') })).toMatch(/is not a regular file/);
    expect(await failure({ file: path.join(folder, 'absent') })).toMatch(/does not exist/);
    expect(await failure({ file: path.join(where, 'below') })).toMatch(/does not exist/);
    expect(await failure({ file: file('empty', '\n') })).toMatch(/is empty/);
    expect(await failure({ file: file('huge', 'x'.repeat(70_000)) })).toMatch(/larger than 64 KiB/);
    linkSync(where, path.join(folder, 'hard'));
    expect(await text({ file: path.join(folder, 'hard') })).toBe(canary);
  });
});

describe('a prompt', () => {
  test('asks the terminal', async () => {
    const prompt = promptThatAnswers(Secret.fromText('adminToken', canary));
    expect(await text({ prompt: 'Token?' }, { prompt })).toBe(canary);
  });

  test('without a terminal says what to do instead', async () => {
    expect(await failure({ prompt: 'Token?' })).toMatch(/there is no terminal \| start it at a terminal/);
  });
});

describe('a Kubernetes Secret', () => {
  const source: SecretSource = { kubernetes: { namespace: 'nvcf', name: 'mek', key: 'token' } };

  test('gives the bytes of a key', async () => {
    const data = { token: Buffer.from(`${canary}\n`).toString('base64') };
    const asked: unknown[] = [];
    const get: KubernetesReader['get'] = (ref) => {
      asked.push([ref.kind.plural, ref.namespace, ref.name]);
      return Promise.resolve(object(data));
    };
    expect(await text(source, cluster(get))).toBe(`${canary}\n`);
    expect(asked).toEqual([['secrets', 'nvcf', 'mek']]);
  });

  test.each<[string, KubernetesReader['get'], RegExp]>([
    [
      'absent',
      () => Promise.resolve(undefined),
      /Secret nvcf\/mek does not exist \| kubectl get secrets -n nvcf/,
    ],
    ['another key', () => Promise.resolve(object({ other: 'Y2FuYXJ5' })), /key token .* \| its keys: other/],
    ['no data', () => Promise.resolve(object({})), /it holds no data/],
    [
      'forbidden',
      () =>
        Promise.reject(
          new KubernetesError('secrets "mek" is forbidden', {
            status: 403,
            reason: 'Forbidden',
            outcome: 'not-applied',
            retryable: false,
          }),
        ),
      /cannot be read: secrets "mek" is forbidden \| kubectl auth can-i/,
    ],
  ])('%s', async (_, get, message) => {
    expect(await failure(source, cluster(get))).toMatch(message);
  });
});
