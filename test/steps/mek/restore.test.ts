import { createHash } from 'node:crypto';
import { Encrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { MekRestoreWith } from '../../../src/generated/types.ts';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { restore } from '../../../src/steps/mek/restore.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';
import type { MekRig } from './rig.ts';
import {
  at,
  fields,
  first,
  isProtected,
  keyText,
  mekRig,
  openbao,
  second,
  storedKids,
  third,
} from './rig.ts';

let identity = '';

beforeAll(async () => {
  identity = await generateIdentity();
});

function input(more: object = {}): MekRestoreWith {
  const key = Secret.fromText('identity', identity);
  return { openbao, file: 'mek.age', identity: key, ...more } as unknown as MekRestoreWith;
}

/** A backup written by hand, of a document with these fields. */
async function backupOf(data: object): Promise<Uint8Array> {
  const json = Buffer.from(JSON.stringify(data));
  const age = new Encrypter();
  age.addRecipient(await identityToRecipient(identity));
  return await age.encrypt(
    JSON.stringify({
      format: 'runbook-mek-backup/v1',
      cluster: 'another',
      ...at,
      version: 7,
      createdTime: '2025-12-24T00:00:00Z',
      sha256: createHash('sha256').update(json).digest('hex'),
      data: json.toString('base64'),
    }),
  );
}

async function world(data: object = fields({ [first]: 1, [third]: 3 }, first)): Promise<MekRig> {
  const rig = mekRig();
  rig.files.all.set('mek.age', await backupOf(data));
  return rig;
}

async function captured(made: MekRig) {
  const before = await restore.capture(input(), made.ctx);
  const ctx = { ...made.ctx, before };
  return {
    ...made,
    run: () => restore.run(input(), ctx),
    look: () => restore.observe(input(), before, ctx),
  };
}

describe('mek.restore', () => {
  test('adds what is missing to the end of each set, and replaces nothing', async () => {
    const rig = await world();
    const { bao, run, look } = await captured(rig);
    const outputs = await run();
    expect(outputs).toEqual({
      version: 3,
      added: [
        { set: 'keys', kid: third },
        { set: 'private_jwks', kid: third },
      ],
      nothingToDo: false,
    });
    expect(bao.kv.peek(at)).toMatchObject(fields({ [first]: 1, [second]: 2, [third]: 3 }, first));
    expect(isProtected(rig, keyText(3))).toBe(true);
    expect(JSON.stringify(outputs)).not.toContain(keyText(3));
    expect(await look()).toMatchObject({ state: 'applied', outputs });
    expect(await run()).toEqual(outputs);
  });

  test('predicts the keys that come back, and says where the backup is from', async () => {
    const rig = await world();
    const prediction = await restore.predict(input(), rig.ctx);
    expect(prediction).toMatchObject({
      changes: true,
      diff: [{ path: 'keys[2]' }, { path: 'private_jwks[2]' }],
    });
    expect(prediction.notes?.join('\n')).toMatch(/version 7 of 2025-12-24[\s\S]*another cluster/);
    expect(storedKids(rig.bao)).toEqual([first, second]);
  });

  test('with every key there already, nothing is written', async () => {
    const rig = await world(fields({ [first]: 1 }, first));
    expect(await restore.predict(input(), rig.ctx)).toMatchObject({ changes: false, diff: [] });
    const { run, look } = await captured(rig);
    expect(await look()).toMatchObject({ state: 'applied', outputs: { version: 2, nothingToDo: true } });
    expect(await run()).toEqual({ version: 2, added: [], nothingToDo: true });
    expect(rig.bao.calls.filter((call) => call.startsWith('write'))).toEqual([]);
  });

  test('a key that is there with other bytes is refused: nothing is replaced', async () => {
    const rig = await world(fields({ [first]: 9 }, first));
    await expect(restore.predict(input(), rig.ctx)).rejects.toMatchObject({
      code: 'mek-change-refused',
      message: expect.stringContaining(first),
      hint: expect.stringContaining('mek.repair'),
    });
    const { run, look } = await captured(rig);
    expect(await look()).toMatchObject({ state: 'conflict' });
    await expect(run()).rejects.toMatchObject({ code: 'mek-change-refused' });
  });

  test('where there is no document at all, or a destroyed one, the backup becomes it', async () => {
    for (const version of [0, 2]) {
      const rig = await world();
      const place = version === 0 ? { ...openbao, path: 'empty' } : openbao;
      const where = version === 0 ? { ...at, path: 'empty' } : at;
      if (version > 0) rig.bao.kv.destroy(at, version);
      const using = input({ openbao: place });
      const before = await restore.capture(using, rig.ctx);
      const ctx = { ...rig.ctx, before };
      expect(await restore.observe(using, before, ctx)).toMatchObject({ state: 'not-applied' });
      expect(await restore.run(using, ctx)).toMatchObject({ version: version + 1, nothingToDo: false });
      expect(rig.bao.kv.peek(where)).toMatchObject(fields({ [first]: 1, [third]: 3 }, first));
      expect(await restore.observe(using, before, ctx)).toMatchObject({ state: 'applied' });
    }
  });

  test('a failed read is never taken for an absent document', async () => {
    const rig = await world();
    rig.bao.kv.failure = new OpenBaoError('500', { status: 500, outcome: 'not-applied', retryable: true });
    await expect(restore.capture(input(), rig.ctx)).rejects.toMatchObject({ code: 'kv-unreadable' });
  });

  test('a deleted document is to be undeleted, not written over', async () => {
    const rig = await world();
    rig.bao.kv.delete(at, 2);
    await expect(restore.capture(input(), rig.ctx)).rejects.toMatchObject({
      code: 'kv-deleted',
      hint: expect.stringContaining('undelete'),
    });
  });

  test('a file that is not there, not whole, or not for this identity, says which', async () => {
    const rig = await world();
    const whole = rig.files.all.get('mek.age') ?? new Uint8Array();
    rig.files.all.set('mek.age', whole.slice(0, -20));
    await expect(restore.capture(input(), rig.ctx)).rejects.toMatchObject({ code: 'backup-unreadable' });
    rig.files.all.set('mek.age', whole);
    const other = Secret.fromText('identity', await generateIdentity());
    await expect(restore.capture(input({ identity: other }), rig.ctx)).rejects.toMatchObject({
      code: 'backup-unreadable',
      message: expect.stringContaining('not encrypted to this identity'),
    });
    rig.files.all.set('mek.age', await backupOf(fields({ [first]: 1 }, second)));
    await expect(restore.capture(input(), rig.ctx)).rejects.toMatchObject({
      code: 'backup-unreadable',
      details: [expect.stringContaining('keys'), expect.stringContaining('private_jwks')],
    });
    rig.files.all.clear();
    await expect(restore.capture(input(), rig.ctx)).rejects.toMatchObject({ code: 'not-found' });
    expect(restore.check?.({ openbao: input().openbao, file: 'x' })).toMatchObject([{ path: ['identity'] }]);
  });

  test('somebody else who wrote meanwhile is not written over', async () => {
    const rig = await world();
    const { run } = await captured(rig);
    rig.bao.kv.put(at, fields({ [second]: 2, [first]: 1 }, second));
    await expect(run()).rejects.toMatchObject({ code: 'world-moved' });
    await expect(restore.capture(input({ after: 2 }), rig.ctx)).rejects.toMatchObject({
      code: 'world-moved',
    });
    expect(storedKids(rig.bao)).toEqual([second, first]);
  });

  test('observe tells not-applied, in-progress, applied, conflict and unknown', async () => {
    const rig = await world();
    const { bao, run, look, clock, cluster } = await captured(rig);
    expect(await look()).toMatchObject({ state: 'not-applied', evidence: expect.stringContaining(third) });
    const write = bao.kvWrite.bind(bao);
    bao.kvWrite = async () => {
      throw new OpenBaoError('No answer', { outcome: 'unknown', retryable: true });
    };
    const lost = run().catch(() => undefined);
    // Decrypting takes real time.
    while (clock.sleeping === 0) await new Promise((done) => setImmediate(done));
    await clock.advance(3000);
    expect(await look()).toMatchObject({ state: 'in-progress' });
    await clock.advance(12_000);
    await lost;
    bao.kvWrite = write;
    const outputs = await run();
    expect(await look()).toMatchObject({ state: 'applied', outputs });
    bao.kv.put(at, fields({ [third]: 3 }, third));
    expect(await look()).toMatchObject({ state: 'conflict' });
    cluster.hooks = {
      before: () => {
        throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });
});
