import { describe, expect, test } from 'vitest';
import type { MekActivateWith } from '../../../src/generated/types.ts';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { activate } from '../../../src/steps/mek/activate.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';
import type { MekRig } from './rig.ts';
import { at, fields, first, mekRig, openbao, second, storedKeys, storedKids, third } from './rig.ts';

const input = { openbao, kid: second } as unknown as MekActivateWith;

async function captured(rig: MekRig = mekRig()) {
  const before = await activate.capture(input, rig.ctx);
  const ctx = { ...rig.ctx, before };
  return {
    ...rig,
    before,
    run: () => activate.run(input, ctx),
    look: () => activate.observe(input, before, ctx),
    undo: async () => {
      if (typeof activate.undo === 'object') throw new Error('no undo');
      await activate.undo(input, before, undefined, ctx);
    },
  };
}

describe('mek.activate', () => {
  test('moves the key to the front of both sets, sets both marks, and keeps every other key', async () => {
    const { bao, run } = await captured();
    const was = storedKeys(bao, 'private_jwks').map(({ k }) => k);
    expect(await run()).toEqual({
      kid: second,
      version: 3,
      previousKid: first,
      activatedAt: '2026-01-05T09:00:03.000Z',
    });
    expect(storedKids(bao)).toEqual([second, first]);
    expect(storedKids(bao, 'private_jwks')).toEqual([second, first]);
    expect(storedKeys(bao, 'private_jwks').map(({ k }) => k)).toEqual(was.reverse());
    expect(bao.kv.peek(at)).toMatchObject({
      current_kid: second,
      jwe_mapping: `{"payload_jwe_kid":"${second}"}`,
    });
  });

  test('predicts key by key with short hashes', async () => {
    const { ctx } = mekRig();
    // sha256 of 32 bytes 0x01 and 0x02, by sha256sum.
    const [one, two] = [`kid ${first} (72cd6e8422c4)`, `kid ${second} (75877bb41d39)`];
    expect(await activate.predict(input, ctx)).toMatchObject({
      changes: true,
      diff: [
        { path: 'keys[0]', before: one, after: two },
        { path: 'keys[1]', before: two, after: one },
        { path: 'private_jwks[0]' },
        { path: 'private_jwks[1]' },
        { path: 'current_kid', before: first, after: second },
        { path: 'jwe_mapping.payload_jwe_kid', before: first, after: second },
      ],
      outputs: { kid: second, previousKid: first },
    });
  });

  test('a key that is active already is left, and the history tells since when and what was before', async () => {
    const rig = mekRig();
    rig.bao.kv.put(at, fields({ [second]: 2, [first]: 1 }, second));
    rig.bao.kv.put(at, fields({ [second]: 2, [first]: 1, [third]: 3 }, second));
    expect(await activate.predict(input, rig.ctx)).toMatchObject({ changes: false, diff: [] });
    const { look } = await captured(rig);
    expect(await look()).toMatchObject({
      state: 'applied',
      outputs: { version: 3, previousKid: first, activatedAt: '2026-01-05T09:00:03.000Z' },
    });
  });

  test('a key that is not in both sets is refused', async () => {
    const rig = mekRig();
    await expect(activate.capture({ ...input, kid: third }, rig.ctx)).rejects.toMatchObject({
      code: 'kid-missing',
      details: [`keys has: ${first}, ${second}`],
    });
    rig.bao.kv.put(at, fields({ [first]: 1, [third]: 3 }, first, { [first]: 101 }));
    await expect(activate.predict({ ...input, kid: third }, rig.ctx)).rejects.toMatchObject({
      code: 'kid-missing',
      message: expect.stringContaining('in keys alone'),
    });
  });

  test('a key whose kid is no UUIDv1 is refused: ESS would refuse the whole list', async () => {
    const rig = mekRig();
    const kid = '11111111-1111-4111-8111-111111111111';
    rig.bao.kv.put(at, fields({ [first]: 1, [kid]: 3 }, first));
    await expect(activate.predict({ ...input, kid }, rig.ctx)).rejects.toMatchObject({
      code: 'mek-change-refused',
      outcome: 'not-applied',
    });
  });

  test('another version than the captured one is never written over', async () => {
    const { bao, run, look } = await captured();
    bao.kv.put(at, fields({ [first]: 1, [second]: 2, [third]: 3 }, first));
    await expect(run()).rejects.toMatchObject({ code: 'world-moved' });
    expect(storedKids(bao)[0]).toBe(first);
    expect(await look()).toMatchObject({ state: 'not-applied' });
  });

  test('a lost answer is resolved by reading', async () => {
    const { bao, run, look } = await captured();
    bao.onChange = () => {
      throw new OpenBaoError('No answer', { outcome: 'unknown', retryable: true });
    };
    const outputs = await run();
    expect(outputs).toMatchObject({ version: 3, previousKid: first });
    expect(await look()).toMatchObject({ state: 'applied', outputs });
    expect(await run()).toEqual(outputs);
  });

  test('observe tells not-applied, in-progress, applied, conflict and unknown', async () => {
    const { bao, run, look, clock, cluster } = await captured();
    expect(await look()).toMatchObject({ state: 'not-applied' });
    const write = bao.kvWrite.bind(bao);
    bao.kvWrite = async () => {
      throw new OpenBaoError('No answer', { outcome: 'unknown', retryable: true });
    };
    const lost = run().catch(() => undefined);
    await clock.advance(3000);
    expect(await look()).toMatchObject({ state: 'in-progress' });
    await clock.advance(12_000);
    await lost;
    bao.kvWrite = write;
    const outputs = await run();
    expect(await look()).toMatchObject({ state: 'applied', outputs });
    bao.kv.put(at, fields({ [third]: 3, [second]: 2, [first]: 1 }, third));
    expect(await look()).toMatchObject({ state: 'conflict', evidence: expect.stringContaining(third) });
    bao.kv.put(at, fields({ [second]: 2 }, second));
    expect(await look()).toMatchObject({ state: 'conflict', evidence: expect.stringContaining('missing') });
    cluster.hooks = {
      before: () => {
        throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });

  test('the way back makes the previous key active again and keeps the key', async () => {
    const { bao, run, undo, look } = await captured();
    await run();
    await undo();
    expect(storedKids(bao)).toEqual([first, second]);
    expect(bao.kv.peek(at)).toMatchObject({ current_kid: first });
    expect(await look()).toMatchObject({ state: 'not-applied' });
    await undo();
    expect(bao.calls.filter((call) => call.startsWith('write'))).toHaveLength(2);
  });

  test('the way back keeps keys that came meanwhile, and does not fight over the active one', async () => {
    const { bao, run, undo } = await captured();
    await run();
    bao.kv.put(at, fields({ [second]: 2, [first]: 1, [third]: 3 }, second));
    await undo();
    expect(storedKids(bao)).toEqual([first, second, third]);
    bao.kv.put(at, fields({ [third]: 3, [first]: 1, [second]: 2 }, third));
    await expect(undo()).rejects.toMatchObject({ code: 'conflict', outcome: 'not-applied' });
    expect(storedKids(bao)[0]).toBe(third);
  });
});
