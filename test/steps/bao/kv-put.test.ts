import { describe, expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { BaoKvPutWith } from '../../../src/generated/types.ts';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { kvPut } from '../../../src/steps/bao/kv-put.ts';
import { baoInput, baoRig } from '../../fakes/bao-rig.ts';

const at = { mount: 'services/all/kv', path: 'encryption/keys' };
const data = { key: Secret.fromText('key', 'canary-new'), user: 'somebody' };
const input = { ...baoInput, ...at, data } as unknown as BaoKvPutWith;
const wanted = { key: 'canary-new', user: 'somebody' };
const old = { key: 'canary-old', user: 'somebody', extra: 'canary-extra' };

function rig(versions: readonly object[] = [old]) {
  const made = baoRig();
  for (const version of versions) made.bao.kv.put(at, version);
  return made;
}

/** Captured; `run` and `undo` then know what was seen. */
async function captured(versions: readonly object[] = [old], given = input) {
  const made = rig(versions);
  const before = await kvPut.capture(given, made.ctx);
  const ctx = { ...made.ctx, before };
  return {
    ...made,
    ctx,
    before,
    look: () => kvPut.observe(given, before, ctx),
    undo: async (outputs?: { version: number; previousVersion: number }) => {
      if (typeof kvPut.undo !== 'function') throw new Error('no undo');
      await kvPut.undo(given, before, outputs, ctx);
    },
  };
}

const lost = () => {
  throw new OpenBaoError('No answer', { outcome: 'unknown', retryable: true });
};

describe('bao.kv-put', () => {
  test('predicts which fields change, without any value', async () => {
    const { ctx, bao } = rig();
    const prediction = await kvPut.predict(input, ctx);
    expect(prediction).toMatchObject({
      predictable: true,
      changes: true,
      diff: [
        { path: 'version', before: 1, after: 2 },
        { path: 'data.extra', before: '«hidden»' },
        { path: 'data.key', before: '«hidden»', after: '«hidden»' },
      ],
      outputs: { version: 2, previousVersion: 1 },
      notes: ['the new version has no extra any more'],
    });
    expect(JSON.stringify(prediction)).not.toContain('canary');
    expect(bao.calls.some((call) => call.startsWith('write'))).toBe(false);
  });

  test('predicts nothing where the fields are there already, in whatever order', async () => {
    const { ctx } = rig([{ user: 'somebody', key: 'canary-new' }]);
    expect(await kvPut.predict(input, ctx)).toMatchObject({
      changes: false,
      diff: [],
      outputs: { version: 1, previousVersion: 1 },
    });
  });

  test('predicts the first version', async () => {
    const { ctx } = rig([]);
    expect(await kvPut.predict(input, ctx)).toMatchObject({
      diff: [
        { path: 'version', before: 0, after: 1 },
        { path: 'data.key', after: '«hidden»' },
        { path: 'data.user', after: '«hidden»' },
      ],
      notes: ['a rollback leaves version 1: the secret did not exist before'],
    });
  });

  test('writes exactly these fields through the active pod', async () => {
    const { ctx, bao } = await captured();
    expect(await kvPut.run(input, ctx)).toEqual({ version: 2, previousVersion: 1 });
    expect(bao.kv.peek(at)).toEqual(wanted);
    expect(bao.calls.at(-1)).toBe('write bao-1 services/all/kv/encryption/keys');
  });

  test('keeps nothing of a value in what is journaled', async () => {
    const { before } = await captured();
    expect(before.state).toEqual({ version: 1, had: 'found', mount: 'mount of services/all/kv' });
    expect(before.witnesses).toEqual([
      {
        resource: 'openbao-kv/vault-system/services/all/kv/encryption/keys',
        description: 'OpenBao secret services/all/kv/encryption/keys version 1',
        digest: 'mount of services/all/kv 1',
      },
    ]);
  });

  test('never writes over what somebody wrote after the step had looked', async () => {
    const { ctx, bao, look } = await captured();
    bao.kv.put(at, { theirs: 'canary' });
    await expect(kvPut.run(input, ctx)).rejects.toMatchObject({ code: 'world-moved', outcome: 'unknown' });
    expect(bao.kv.peek(at)).toEqual({ theirs: 'canary' });
    expect(await look()).toMatchObject({ state: 'conflict' });
  });

  test('refuses a version other than the expected one before anything is written', async () => {
    const { ctx } = rig();
    for (const call of [kvPut.predict, kvPut.capture])
      await expect(call({ ...input, cas: 0 }, ctx)).rejects.toMatchObject({
        code: 'world-moved',
        outcome: 'not-applied',
        message: expect.stringContaining('is 1, not 0'),
      });
    expect(await kvPut.capture({ ...input, cas: 1 }, ctx)).toMatchObject({ state: { version: 1 } });
  });

  test('another mount under the same path is not written to', async () => {
    const { ctx, bao, look } = await captured();
    bao.mounts = { [at.mount]: { type: 'kv', version: '2', uuid: 'a new one' } };
    await expect(kvPut.run(input, ctx)).rejects.toMatchObject({
      code: 'world-moved',
      outcome: 'not-applied',
    });
    expect(await look()).toMatchObject({
      state: 'conflict',
      evidence: expect.stringContaining('another mount'),
    });
  });

  test.each([
    [403, 'policy-missing', 'not-applied'],
    [500, 'kv-unreadable', 'unknown'],
  ] as const)(
    'a refusal (%i) names the rule that is missing, or leaves open what came of it',
    async (status, code, outcome) => {
      const { ctx, bao } = await captured();
      bao.kvWrite = async () => {
        throw new OpenBaoError('refused', { status, outcome, retryable: false });
      };
      const error: unknown = await kvPut.run(input, ctx).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code, outcome });
      if (status === 403)
        expect(error).toMatchObject({ details: expect.arrayContaining(['  capabilities = ["update"]']) });
      expect(String(error)).not.toContain('canary');
    },
  );

  describe('observe', () => {
    test('not-applied, in-progress, applied, conflict and unknown', async () => {
      const { bao, ctx, look, electing } = await captured();
      expect(await look()).toMatchObject({
        state: 'not-applied',
        evidence: expect.stringContaining('version 1'),
      });
      bao.onChange = lost;
      await expect(kvPut.run(input, ctx)).rejects.toMatchObject({ outcome: 'unknown' });
      electing();
      expect(await look()).toMatchObject({
        state: 'in-progress',
        evidence: expect.stringContaining('standby'),
      });
      bao.nodes.set('bao-1', { sealed: true });
      expect(await look()).toMatchObject({ state: 'unknown' });
      bao.nodes.set('bao-2', { active: true });
      expect(await look()).toMatchObject({ state: 'applied', outputs: { version: 2, previousVersion: 1 } });
      bao.kv.put(at, { theirs: 'canary' });
      const conflict = await look();
      expect(conflict).toMatchObject({
        state: 'conflict',
        evidence: expect.stringContaining('is 3, after 1'),
      });
      expect(JSON.stringify(conflict)).not.toContain('canary');
      bao.kv.failure = new OpenBaoError('denied', { status: 403, outcome: 'not-applied', retryable: false });
      expect(await look()).toMatchObject({ state: 'unknown' });
    });

    test('a repeated write whose first answer was lost is ours, not a conflict', async () => {
      const { bao, ctx, look } = await captured();
      bao.onChange = lost;
      await expect(kvPut.run(input, ctx)).rejects.toMatchObject({ code: 'kv-unreadable' });
      await expect(kvPut.run(input, ctx)).rejects.toMatchObject({ code: 'world-moved', outcome: 'unknown' });
      expect(await look()).toMatchObject({ state: 'applied', outputs: { version: 2 } });
      expect(bao.kv.peek(at, 2)).toEqual(wanted);
    });

    test('the same fields before the step are as wanted', async () => {
      const { look } = await captured([old, wanted]);
      expect(await look()).toMatchObject({ state: 'applied', outputs: { version: 2, previousVersion: 2 } });
    });

    test.each([
      ['destroyed', 'destroy'],
      ['deleted', 'delete'],
    ] as const)('a version that was %s since is a conflict', async (_, how) => {
      const { bao, ctx, look } = await captured();
      await kvPut.run(input, ctx);
      bao.kv[how](at, 2);
      expect(await look()).toMatchObject({ state: 'conflict' });
    });

    test('a failure that may pass is asked again by the engine', async () => {
      const { bao, look } = await captured();
      bao.kv.failure = new OpenBaoError('busy', { status: 500, outcome: 'not-applied', retryable: true });
      await expect(look()).rejects.toMatchObject({ retryable: true });
    });
  });

  describe('undo', () => {
    test('writes the earlier content again, and that is seen', async () => {
      const { bao, ctx, look, undo } = await captured();
      const outputs = await kvPut.run(input, ctx);
      await undo(outputs);
      expect(bao.kv.peek(at)).toEqual(old);
      expect(bao.kv.metadata(at)).toMatchObject({ metadata: { currentVersion: 3 } });
      expect(await look()).toMatchObject({
        state: 'not-applied',
        evidence: expect.stringContaining('content of 1 again'),
      });
    });

    test('does not write over what came later', async () => {
      const { bao, ctx, undo } = await captured();
      const outputs = await kvPut.run(input, ctx);
      bao.kv.put(at, { theirs: 'canary' });
      await expect(undo(outputs)).rejects.toMatchObject({ code: 'world-moved' });
      expect(bao.kv.peek(at)).toEqual({ theirs: 'canary' });
    });

    test('deletes nothing: without content before, the version stays', async () => {
      const { bao, ctx, undo } = await captured([]);
      const outputs = await kvPut.run(input, ctx);
      await expect(undo(outputs)).rejects.toMatchObject({
        code: 'cannot-undo',
        outcome: 'not-applied',
        message: expect.stringContaining('did not exist before; version 1 stays'),
      });
      expect(bao.kv.read(at)).toMatchObject({ state: 'found', version: 1 });
    });

    test('says so when the earlier version was deleted before, or is destroyed by now', async () => {
      const made = rig();
      made.bao.kv.delete(at, 1);
      const before = await kvPut.capture(input, made.ctx);
      expect(before.state).toMatchObject({ version: 1, had: 'deleted' });
      const undo = kvPut.undo as (...args: unknown[]) => Promise<void>;
      await expect(undo(input, before, undefined, made.ctx)).rejects.toMatchObject({
        message: expect.stringContaining('version 1 was deleted'),
      });
      const { bao, ctx, undo: take } = await captured();
      const outputs = await kvPut.run(input, ctx);
      bao.kv.destroy(at, 1);
      await expect(take(outputs)).rejects.toMatchObject({
        code: 'cannot-undo',
        message: expect.stringContaining('Version 1 of services/all/kv/encryption/keys cannot be put back'),
      });
    });
  });
});
