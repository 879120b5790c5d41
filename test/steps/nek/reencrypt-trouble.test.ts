import { describe, expect, test } from 'vitest';
import { reencrypt } from '../../../src/steps/nek/reencrypt.ts';
import { noAnswer, noQuorum, refused } from '../../fakes/memory-nek-store.ts';
import { place } from '../../fakes/nek-rig.ts';
import { nekOf, newMek, oldMek } from '../../fakes/nek-rows.ts';
import { inUse, someRows, started } from './reencrypting.ts';

const now = Date.parse('2027-01-10T08:00:00Z');

describe('nek.reencrypt and a Cassandra in trouble', () => {
  test('an answer that is lost is looked up, not guessed', async () => {
    const { store, begin } = await started();
    someRows(store);
    let calls = 0;
    store.aroundInsert = (apply) => {
      calls += 1;
      // Some were written, some were not, and none of the answers came.
      if (calls % 2 === 0) apply();
      if (calls < 12) throw noAnswer();
      apply();
    };
    const outputs = await reencrypt.run(place, await begin());
    expect(outputs).toMatchObject({ rewrapped: 5, rows: 10 });
    const batches = store.inserted.filter(([row]) => row?.status === 'PENDING_REENCRYPTION');
    expect(new Set(batches.map(([row]) => row?.encryptedKey)).size).toBe(5);
  });

  test('waits while there is no quorum, and goes on', async () => {
    const { store, begin, time: clock, progress } = await started();
    someRows(store);
    const ctx = await begin();
    const back = clock.now() + 60_000;
    store.gate = (call) => {
      if (['insert', 'rows', 'scan'].includes(call) && clock.now() < back) throw noQuorum();
    };
    expect(await reencrypt.run(place, ctx)).toMatchObject({ rewrapped: 5 });
    expect(progress.map(({ text }) => text)).toContainEqual(expect.stringContaining('replicas are down'));
  });

  test('writes fewer rows at once after trouble', async () => {
    const { store, begin } = await started();
    someRows(store, 200);
    const ctx = await begin();
    let [open, calls] = [0, 0];
    const seen: number[] = [];
    store.aroundInsert = async (apply) => {
      calls += 1;
      open += 1;
      seen.push(open);
      await new Promise(setImmediate);
      open -= 1;
      if (calls === 20) throw noAnswer();
      apply();
    };
    await reencrypt.run({ ...place, inFlight: 128 }, ctx);
    expect(Math.max(...seen.slice(0, 20))).toBe(16);
    expect(Math.max(...seen.slice(60, 80))).toBeLessThan(16);
  });

  test('what is refused for good ends the step', async () => {
    const { store, begin } = await started();
    someRows(store);
    store.aroundInsert = () => {
      throw refused('the role may not write');
    };
    await expect(reencrypt.run(place, await begin())).rejects.toMatchObject({
      code: 'cassandra-error',
      outcome: 'not-applied',
    });
  });

  test('a promotion by a clock that is behind is made to take', async () => {
    const { store, begin } = await started();
    someRows(store, 1);
    let time = 1_000_000;
    store.micros = () => time--;
    const outputs = await reencrypt.run(place, await begin());
    expect(outputs).toMatchObject({ rewrapped: 1, rows: 2 });
    expect(inUse(store, 'ns-0').encryptedByKid).toBe(newMek);
  });

  test('a row that a deletion from the future swallows is written under another time', async () => {
    const { store, begin } = await started();
    someRows(store, 1);
    const { kid } = nekOf('ns-0');
    // From the first millisecond on that a row may say of itself, up to now.
    for (let encryptedAt = now - 60_000; encryptedAt <= now; encryptedAt += 1)
      store.delete({ namespace: 'ns-0', kid, encryptedAt }, 1_900_000_000_000_000);
    const outputs = await reencrypt.run(place, await begin());
    expect(outputs.rewrapped).toBe(1);
    expect(inUse(store, 'ns-0').encryptedAt).toBeGreaterThan(now);
  });

  test('a row that is stored as it was written and yet is no good is never promoted', async () => {
    const { store, begin } = await started();
    someRows(store, 1);
    const ctx = await begin();
    store.gate = (call) => {
      if (call !== 'rows') return;
      for (const row of store.all().filter(({ status }) => status === 'PENDING_REENCRYPTION'))
        store.put({ ...row, encryptedKey: `${row.encryptedKey?.slice(0, -4)}AAAA` });
    };
    await expect(reencrypt.run(place, ctx)).rejects.toMatchObject({ code: 'not-converging' });
    expect(inUse(store, 'ns-0').encryptedByKid).toBe(oldMek);
    expect(store.inserted.flat().filter(({ status }) => status === 'VALIDATED')).toEqual([]);
  });

  test('stopped in the middle it says so; what was written stays, and a repetition finishes it', async () => {
    const { store, begin, stop, ctx } = await started();
    someRows(store, 20);
    const whole = await begin();
    let inserts = 0;
    store.aroundInsert = (apply) => {
      apply();
      inserts += 1;
      if (inserts === 7) stop.abort();
    };
    await expect(reencrypt.run({ ...place, inFlight: 1 }, whole)).rejects.toMatchObject({ code: 'aborted' });
    const live = { ...whole, signal: new AbortController().signal };
    expect(await reencrypt.observe(place, whole.before, { ...ctx, signal: live.signal })).toMatchObject({
      state: 'in-progress',
    });
    const outputs = await reencrypt.run(place, { ...live, resumed: { rewrapped: 3, finished: 0 } });
    expect(outputs).toMatchObject({ finished: 1, rewrapped: 19, alreadyCurrent: 0, rows: 40 });
  });
});
