import { describe, expect, test } from 'vitest';
import { reencrypt } from '../../../src/steps/nek/reencrypt.ts';
import { noQuorum, refused } from '../../fakes/memory-nek-store.ts';
import { documentAt, mekFields, place } from '../../fakes/nek-rig.ts';
import { lostMek, nekRow, newMek, oldMek } from '../../fakes/nek-rows.ts';
import { someRows, started } from './reencrypting.ts';

const now = Date.parse('2027-01-10T08:00:00Z');

describe('nek.reencrypt looks', () => {
  test('and tells not-applied, in-progress, applied, conflict and unknown', async () => {
    const { ctx, store, bao, time: clock, begin } = await started();
    someRows(store, 3);
    const { before } = await begin();
    const look = () => reencrypt.observe(place, before, ctx);
    expect(await look()).toMatchObject({
      state: 'not-applied',
      evidence: expect.stringContaining('3 under'),
    });
    const mine = { mek: newMek, status: 'VALIDATED' };
    store.put(nekRow({ namespace: 'ns-0', ...mine, encryptedAt: clock.now() - 1000 }));
    expect(await look()).toMatchObject({ state: 'in-progress' });
    await clock.sleep(10_000, ctx.signal);
    expect(await look()).toMatchObject({ state: 'not-applied' });
    for (const index of [1, 2]) store.put(nekRow({ namespace: `ns-${index}`, ...mine, encryptedAt: now }));
    expect(await look()).toMatchObject({
      state: 'applied',
      outputs: { kid: newMek, rewrapped: 0, alreadyCurrent: 3 },
    });
    bao.kv.put(documentAt, mekFields([oldMek, newMek]));
    expect(await look()).toMatchObject({ state: 'conflict' });
    bao.kv.put(documentAt, mekFields([oldMek]));
    expect(await look()).toMatchObject({ state: 'conflict' });
    bao.kv.put(documentAt, mekFields([newMek, oldMek]));
    store.gate = (call) => {
      if (call === 'scan') throw refused('the role may not read');
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
    // What passes by itself is asked again by whoever asks.
    store.gate = (call) => {
      if (call === 'scan') throw noQuorum();
    };
    await expect(look()).rejects.toMatchObject({ retryable: true });
  });

  test('and does not take the first key of a new namespace for a re-encryption that goes on', async () => {
    const { ctx, store, time: clock, begin } = await started();
    someRows(store, 3);
    const { before } = await begin();
    store.put(nekRow({ namespace: 'fresh', mek: newMek, encryptedAt: clock.now() - 1000 }));
    expect(await reencrypt.observe(place, before, ctx)).toMatchObject({ state: 'not-applied' });
  });

  test('gives the outputs of the run, and after a crash what the side file tells', async () => {
    const { store, begin, ctx } = await started();
    someRows(store);
    store.put(nekRow({ namespace: 'other', mek: newMek }));
    const whole = await begin();
    const crash = { ...whole, keep: failingAtTheEnd(whole) };
    await expect(reencrypt.run(place, crash)).rejects.toThrow('crashed');
    const { outputs: told } = await reencrypt.observe(place, whole.before, ctx);
    expect(told).toEqual({
      kid: newMek,
      rewrapped: 5,
      finished: 0,
      alreadyCurrent: 1,
      passes: 0,
      rows: 11,
      seconds: 0,
    });
    const outputs = await reencrypt.run(place, whole);
    expect(await reencrypt.observe(place, whole.before, ctx)).toMatchObject({ state: 'applied', outputs });
  });

  function failingAtTheEnd({ keep }: { keep(name: string, bytes: Uint8Array): Promise<void> }) {
    return async (name: string, bytes: Uint8Array) => {
      if (name === 'outcome') throw new Error('crashed');
      await keep(name, bytes);
    };
  }
});

describe('nek.reencrypt undone', () => {
  const undo = reencrypt.undo as Extract<typeof reencrypt.undo, (...parameters: never) => unknown>;

  test('proves that nothing has to be undone, and begins anew when it runs again', async () => {
    const { ctx, store, begin } = await started();
    someRows(store);
    const whole = await begin();
    await reencrypt.run(place, whole);
    const rows = store.all();
    await undo(place, whole.before, undefined, whole);
    expect(store.all()).toEqual(rows);
    expect(await reencrypt.observe(place, whole.before, ctx)).toMatchObject({
      state: 'not-applied',
      evidence: expect.stringContaining('nothing had to be undone'),
    });
    await reencrypt.run(place, whole);
    expect(await reencrypt.observe(place, whole.before, ctx)).toMatchObject({ state: 'applied' });
  });

  test('is refused when a namespace key could not be read any more', async () => {
    const { store, bao, begin } = await started();
    someRows(store);
    const whole = await begin();
    await reencrypt.run(place, whole);
    store.put(nekRow({ namespace: 'lost', columns: { encryptedByKid: lostMek }, header: { kid: lostMek } }));
    await expect(undo(place, whole.before, undefined, whole)).rejects.toMatchObject({ code: 'nek-unusable' });
    bao.kv.put(documentAt, mekFields([oldMek]));
    await expect(undo(place, whole.before, undefined, whole)).rejects.toMatchObject({ code: 'kid-unknown' });
  });
});
