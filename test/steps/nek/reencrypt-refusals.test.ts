import { describe, expect, test } from 'vitest';
import { wrapBudget } from '../../../src/steps/nek/health.ts';
import { reencrypt } from '../../../src/steps/nek/reencrypt.ts';
import { healthy } from '../../fakes/memory-nek-store.ts';
import { captured, documentAt, mekFields, type NekRig, place } from '../../fakes/nek-rig.ts';
import { lostMek, nekRow, newMek, oldMek } from '../../fakes/nek-rows.ts';
import { inUse, someRows, started } from './reencrypting.ts';

const instant = Date.parse('2027-01-01T00:00:00Z');
const now = Date.parse('2027-01-10T08:00:00Z');

describe('nek.reencrypt refuses before the first write', () => {
  /** What both a plan and a run are told; nothing is written. */
  async function refusals(input: object, change: (rig: NekRig) => unknown): Promise<unknown> {
    const rig = await started();
    someRows(rig.store, 2);
    change(rig);
    const whole = { ...place, ...input };
    const errors = await Promise.all(
      [reencrypt.capture(whole, rig.ctx), reencrypt.predict(whole, rig.ctx)].map((look) =>
        look.then(
          () => undefined,
          (failure: unknown) => failure,
        ),
      ),
    );
    expect(errors[0]).toMatchObject({ outcome: 'not-applied' });
    expect(errors[1]).toEqual(errors[0]);
    expect(rig.store.inserted).toEqual([]);
    return errors[0];
  }

  test.each([
    ['too few nodes', { quorum: false }, 'cassandra-no-quorum'],
    ['a table of another shape', { schemaProblems: ['status is no text'] }, 'cassandra-schema'],
    ['nodes that do not agree', { schemaAgreed: false }, 'cassandra-schema'],
    ['writes that are not durable', { durableWrites: false }, 'cassandra-not-durable'],
    ['a single copy', { replicationFactor: 1 }, 'cassandra-single-copy'],
  ] as const)('%s', async (_, health, code) => {
    expect(await refusals({}, ({ store }) => (store.health = { ...healthy, ...health }))).toMatchObject({
      code,
    });
  });

  test('unless a single copy is how it is meant', async () => {
    const rig = await started();
    rig.store.health = { ...healthy, replicationFactor: 1 };
    expect(await reencrypt.capture({ ...place, allowSingleCopy: true }, rig.ctx)).toMatchObject({
      state: { kid: newMek },
    });
  });

  test('a master key that is not active, unless that is meant, or not there at all', async () => {
    expect(await refusals({ kid: oldMek }, () => undefined)).toMatchObject({ code: 'kid-inactive' });
    expect(await refusals({ kid: lostMek }, () => undefined)).toMatchObject({ code: 'kid-unknown' });
    const rig = await started();
    rig.store.put(nekRow({ namespace: 'a', mek: newMek }));
    const back = { ...place, kid: oldMek, allowInactive: true };
    await reencrypt.run(back, await captured(reencrypt, back, rig.ctx));
    expect(inUse(rig.store, 'a').encryptedByKid).toBe(oldMek);
  });

  test('a master key that has wrapped too often, and warns before', () => {
    expect(wrapBudget(newMek, 2 ** 28)).toEqual([]);
    expect(wrapBudget(newMek, 2 ** 28 + 1)).toEqual([expect.stringContaining(newMek)]);
    expect(wrapBudget(newMek, 2 ** 31)).toHaveLength(1);
    expect(() => wrapBudget(newMek, 2 ** 31 + 1)).toThrow(/2147483649 times/);
  });

  test('a clock that is minutes away', async () => {
    const wrong = { active: true, serverTime: now / 1000 + 300 };
    expect(await refusals({}, ({ bao }) => bao.nodes.set('bao-0', wrong))).toMatchObject({
      code: 'clock-skew',
    });
  });

  test('anything that looks wrong, with all of it', async () => {
    const error = await refusals({}, ({ store }) => {
      store.put(nekRow({ namespace: 'x', columns: { encryptedByKid: lostMek }, header: { kid: lostMek } }));
      store.put(nekRow({ namespace: 'y', status: null }));
      for (let index = 0; index < 30; index++)
        store.put(nekRow({ namespace: `z-${index}`, header: { namespace: 'other' } }));
    });
    expect(error).toMatchObject({ code: 'nek-anomalies', hint: expect.stringContaining('nek.census') });
    const { details } = error as { readonly details: readonly string[] };
    expect(details[0]).toMatch(
      /^x \S{43} 2027-01-01T00:00:00.000Z: it is wrapped by a master key that is not in the document \(mek-missing\)$/,
    );
    expect(details).toHaveLength(21);
    expect(details.at(-1)).toMatch(/^and \d+ more$/);
  });
});
describe('nek.reencrypt, when something looks wrong only once it is on its way', () => {
  test('stops before further writes, and a repetition writes nothing at all', async () => {
    const { store, begin } = await started();
    for (let index = 0; index < 600; index++) store.put(nekRow({ namespace: `ns-${index + 1000}` }));
    const ctx = await begin();
    store.put(nekRow({ namespace: 'ns-1500', encryptedAt: instant + 1, header: { namespace: 'other' } }));
    await expect(reencrypt.run(place, ctx)).rejects.toMatchObject({ code: 'nek-anomalies' });
    const written = store.inserted.flat().length;
    expect(written).toBeGreaterThan(0);
    expect(inUse(store, 'ns-1599').encryptedByKid).toBe(oldMek);
    await expect(reencrypt.run(place, ctx)).rejects.toMatchObject({ code: 'nek-anomalies' });
    expect(store.inserted.flat()).toHaveLength(written);
    expect(await reencrypt.observe(place, ctx.before, ctx)).toMatchObject({ state: 'not-applied' });
  });

  test('does not go on when another master key became active', async () => {
    const { store, bao, begin } = await started();
    someRows(store);
    const ctx = await begin();
    store.gate = (call) => {
      if (call === 'insert') bao.kv.put(documentAt, mekFields([oldMek, newMek]));
    };
    await expect(reencrypt.run(place, ctx)).rejects.toMatchObject({ code: 'world-moved' });
    expect(await reencrypt.observe(place, ctx.before, ctx)).toMatchObject({ state: 'conflict' });
  });
});
