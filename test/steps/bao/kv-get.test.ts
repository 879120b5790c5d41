import { describe, expect, test } from 'vitest';
import type { Secret } from '../../../src/engine/secret.ts';
import type { BaoKvGetWith } from '../../../src/generated/types.ts';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { kvGet } from '../../../src/steps/bao/kv-get.ts';
import { baoInput, baoRig } from '../../fakes/bao-rig.ts';

const at = { mount: 'services/all/kv', path: 'encryption/keys' };
const input = { ...baoInput, ...at } as unknown as BaoKvGetWith;
const password = { ...input, field: 'password' };

function rig() {
  const made = baoRig();
  made.bao.kv.put(at, { username: 'canary-first', password: 'canary-one' });
  made.bao.kv.put(at, { password: 'canary-two', username: 'canary-second', extra: 'canary-extra' });
  return made;
}

function textOf(secret: unknown): string {
  return (secret as Secret).revealText((text) => text);
}

describe('bao.kv-get', () => {
  test('tells version, fields and history of the active pod, and no value', async () => {
    const { ctx, bao, hidden } = rig();
    bao.kv.configure({ ...at, casRequired: true, maxVersions: 20 });
    const outputs = await kvGet.run(input, ctx);
    expect(outputs).toEqual({
      exists: true,
      state: 'found',
      version: 2,
      createdTime: '2026-01-05T09:00:02.000Z',
      fields: ['extra', 'password', 'username'],
      currentVersion: 2,
      oldestVersion: 1,
      casRequired: true,
      maxVersions: 20,
    });
    expect(bao.calls.map((call) => call.split(' ').slice(0, 2).join(' '))).toEqual([
      'read bao-1',
      'metadata bao-1',
    ]);
    expect(hidden).toEqual([]);
  });

  test('tells an older version', async () => {
    const { ctx } = rig();
    expect(await kvGet.run({ ...input, version: 1 }, ctx)).toMatchObject({
      version: 1,
      fields: ['password', 'username'],
      currentVersion: 2,
    });
  });

  test('gives one field as a secret, which nobody can print', async () => {
    const { ctx, hidden } = rig();
    const outputs = await kvGet.run(password, ctx);
    expect(textOf(outputs.value)).toBe('canary-two');
    expect(hidden).toEqual(['canary-two']);
    expect(JSON.stringify(outputs)).not.toContain('canary');
  });

  test('reads the very version again that it has given, though there is a newer one', async () => {
    const { ctx, bao, hidden } = rig();
    const outputs = await kvGet.run(password, ctx);
    bao.kv.put(at, { password: 'canary-three' });
    expect(textOf(await kvGet.reread?.('value', password, outputs, ctx))).toBe('canary-two');
    expect(hidden).toEqual(['canary-two', 'canary-two']);
    bao.kv.destroy(at, 2);
    await expect(kvGet.reread?.('value', password, outputs, ctx)).rejects.toMatchObject({
      code: 'kv-destroyed',
      message: expect.stringContaining('Version 2 of services/all/kv/encryption/keys'),
    });
    await expect(kvGet.reread?.('value', password, { ...outputs, version: 9 }, ctx)).rejects.toMatchObject({
      code: 'kv-absent',
      message: expect.stringContaining('not kept any more'),
    });
  });

  test.each([
    ['absent', () => undefined, { version: 0, currentVersion: 0, oldestVersion: 0 }],
    ['deleted', 'delete', { version: 2, currentVersion: 2, oldestVersion: 1 }],
    ['destroyed', 'destroy', { version: 2, currentVersion: 2, oldestVersion: 1 }],
  ] as const)('%s is an answer', async (state, how, expected) => {
    const { ctx, bao } = how === 'delete' || how === 'destroy' ? rig() : baoRig();
    if (how === 'delete' || how === 'destroy') bao.kv[how](at, 2);
    const outputs = await kvGet.run(password, ctx);
    expect(outputs).toMatchObject({ exists: false, state, createdTime: '', fields: [], ...expected });
    expect('value' in outputs).toBe(false);
  });

  test.each<[string, string, unknown]>([
    ['is not there', 'keys', undefined],
    ['is no text', 'keys', { inner: 'canary' }],
    ['is empty', 'keys', ''],
    ['belongs to every object', 'toString', undefined],
  ])('a field that %s is an error with those that are', async (_, field, value) => {
    const { ctx, bao } = rig();
    bao.kv.put(at, { other: 'canary', ...(value === undefined ? {} : { keys: value }) });
    await expect(kvGet.run({ ...input, field }, ctx)).rejects.toMatchObject({
      code: 'field-missing',
      hint: expect.stringContaining('other'),
    });
  });

  test('a value too short to be hidden is not handed on', async () => {
    const { ctx, bao } = rig();
    bao.kv.put(at, { password: 'short' });
    await expect(kvGet.run(password, ctx)).rejects.toMatchObject({ code: 'secret-too-short' });
  });

  test.each([
    [{ status: 403 }, 'policy-missing', false],
    [{ status: 503 }, 'kv-unreadable', true],
    [{}, 'kv-unreadable', true],
  ])('a failed read (%j) is an error and never "absent"', async (status, code, retryable) => {
    const { ctx, bao } = rig();
    bao.kv.failure = new OpenBaoError('no', { ...status, outcome: 'not-applied', retryable });
    const error = await kvGet.run(input, ctx).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, outcome: 'not-applied', retryable });
    if (code === 'policy-missing')
      expect(error).toMatchObject({
        details: ['path "services/all/kv/data/encryption/keys" {', '  capabilities = ["read"]', '}'],
      });
  });

  test.each([
    [{ type: 'kv', version: '1', uuid: 'm' }, /version 1 of the engine/],
    [{ type: 'transit', version: '', uuid: 'm' }, /an engine of type transit/],
  ])('a mount that keeps no versions is refused', async (mount, message) => {
    const { ctx, bao } = rig();
    bao.mounts = { [at.mount]: mount };
    const refused = { code: 'not-kv-v2', message: expect.stringMatching(message) };
    await expect(kvGet.run(input, ctx)).rejects.toMatchObject(refused);
    expect(bao.calls).toEqual([]);
  });

  test('a mount that is not there is told apart from a token that is refused', async () => {
    const { ctx, bao } = rig();
    const refuse = (message: string) => {
      bao.mount = async () => {
        throw new OpenBaoError(message, { status: 403, outcome: 'not-applied', retryable: false });
      };
    };
    refuse('OpenBao pod x has no mount y, or the token may do nothing in it.');
    await expect(kvGet.run(input, ctx)).rejects.toMatchObject({ code: 'not-kv-v2' });
    refuse('403 permission denied');
    await expect(kvGet.run(input, ctx)).rejects.toMatchObject({ code: 'policy-missing' });
  });

  test('nothing is asked while every pod is sealed, or none is active', async () => {
    const { ctx, bao, electing } = rig();
    electing();
    await expect(kvGet.run(input, ctx)).rejects.toMatchObject({
      code: 'no-active-pod',
      retryable: true,
      details: ['bao-0: standby', 'bao-1: standby', 'bao-2: standby'],
    });
    for (const name of ['bao-0', 'bao-1', 'bao-2']) bao.nodes.set(name, { sealed: true });
    await expect(kvGet.run(input, ctx)).rejects.toMatchObject({ code: 'openbao-sealed', retryable: true });
    expect(bao.calls).toEqual([]);
  });

  test.each([
    ['mount', 'services/all/kv/'],
    ['mount', '/services'],
    ['path', 'a//b'],
    ['path', '../sys'],
    ['path', 'data/encryption/keys'],
  ])('%s %s is a mistake', (field, value) => {
    expect(kvGet.check?.({ ...input, [field]: value })).toMatchObject([{ path: [field] }]);
  });
});
