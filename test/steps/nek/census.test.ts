import { describe, expect, test } from 'vitest';
import { census } from '../../../src/steps/nek/census.ts';
import { noQuorum } from '../../fakes/memory-nek-store.ts';
import { nekRig, place } from '../../fakes/nek-rig.ts';
import { lostMek, nekOf, nekRow, newMek, oldMek } from '../../fakes/nek-rows.ts';

const instant = Date.parse('2027-01-01T00:00:00Z');

describe('nek.census', () => {
  test('counts what ESS would use by the master key that wraps it', async () => {
    const { ctx, store } = nekRig();
    store.put(
      nekRow({ namespace: 'a' }),
      nekRow({ namespace: 'a', mek: newMek, encryptedAt: instant + 5, status: 'VALIDATED' }),
      nekRow({ namespace: 'b' }),
      nekRow({ namespace: 'b', mek: newMek, encryptedAt: instant + 5, status: 'PENDING_REENCRYPTION' }),
      nekRow({ namespace: 'c', mek: newMek, currentKid: null }),
    );
    expect(await census.run(place, ctx)).toEqual({
      kid: newMek,
      namespaces: 3,
      keys: 3,
      rows: 5,
      current: 2,
      remaining: 1,
      pending: 1,
      unusable: 0,
      anomalyCount: 0,
      anomalies: [],
      byMek: [
        { kid: newMek, rows: 3, selected: 2 },
        { kid: oldMek, rows: 2, selected: 1 },
      ],
      clean: false,
      writeProblems: [],
      finishedAt: '2027-01-10T08:00:00.000Z',
      seconds: 0,
      summary: `3 namespace keys in 3 namespaces: 2 under ${newMek}, 1 under another master key, 1 rows wait for their promotion`,
    });
    expect(store.closed).toBe(1);
    expect(await census.run({ ...place, kid: oldMek }, ctx)).toMatchObject({ current: 1, remaining: 2 });
  });

  test('shows what looks wrong, and is not clean then', async () => {
    const { ctx, store } = nekRig();
    store.put(
      nekRow({ namespace: 'a', mek: newMek }),
      nekRow({ namespace: 'b', mek: newMek, columns: { encryptedByKid: lostMek }, header: { kid: lostMek } }),
      nekRow({ namespace: 'c', mek: newMek, currentKid: 'gone' }),
    );
    const outputs = await census.run(place, ctx);
    expect(outputs).toMatchObject({ clean: false, remaining: 0, unusable: 2 });
    expect(outputs.anomalies).toContainEqual({
      namespace: 'b',
      kid: nekOf('b').kid,
      encryptedAt: instant,
      reason: 'mek-missing',
    });
    expect(outputs.anomalies).toContainEqual({
      namespace: 'c',
      kid: 'gone',
      encryptedAt: 0,
      reason: 'current-kid-unusable',
    });
    expect(outputs.anomalyCount).toBe(outputs.anomalies.length);
  });

  test('tells people what looks wrong by namespace and key, and what not to do', async () => {
    const { ctx, store } = nekRig();
    store.put(
      nekRow({ namespace: 'b', mek: newMek, columns: { encryptedByKid: lostMek }, header: { kid: lostMek } }),
      nekRow({ namespace: 'c', mek: newMek, currentKid: 'gone' }),
    );
    const found = census.findings?.(await census.run(place, ctx));
    expect(found?.details).toEqual(
      expect.arrayContaining([
        `b ${nekOf('b').kid} 2027-01-01T00:00:00.000Z: it is wrapped by a master key that is not in the document (mek-missing)`,
        'c gone: the namespace names a current key that cannot be used (current-kid-unusable)',
      ]),
    );
    expect(found?.hint).toContain('Keep every master key');
  });

  test.each([
    [
      { schemaProblems: ['a column is missing'] },
      ['The table of namespace keys is not as', 'a column is missing'],
    ],
    [{ replicationFactor: 1 }, ['Cassandra keeps 1 copy of each row']],
    [{ durableWrites: false }, ['durable_writes = false']],
  ])('counts where it could not be written, %j, and says so', async (health, said) => {
    const { ctx, store } = nekRig();
    store.put(nekRow({ mek: newMek }));
    store.health = { ...store.health, ...health };
    const outputs = await census.run(place, ctx);
    expect(outputs).toMatchObject({ clean: true, keys: 1 });
    for (const text of said) expect(outputs.writeProblems.join('\n')).toContain(text);
    expect(census.findings?.(outputs).details).toEqual(outputs.writeProblems);
  });

  test('shows fifty anomalies and counts them all', async () => {
    const { ctx, store } = nekRig();
    for (let index = 0; index < 70; index++)
      store.put(nekRow({ namespace: `ns-${index}`, mek: newMek, currentKid: 'gone' }));
    const outputs = await census.run(place, ctx);
    expect(outputs.anomalies).toHaveLength(50);
    expect(outputs.anomalyCount).toBe(70);
  });

  test('a namespace that goes over several pages is one namespace, and so is a key', async () => {
    const { ctx, store } = nekRig();
    const seeds = Array.from({ length: 900 }, (_, index) => `key ${index}`);
    const currentKid = nekOf('key 0').kid;
    for (const seed of seeds)
      store.put(
        nekRow({ seed, currentKid }),
        nekRow({ seed, currentKid, mek: newMek, encryptedAt: instant + 1, status: 'VALIDATED' }),
      );
    store.put(nekRow({ namespace: 'other', mek: newMek }));
    expect(await census.run(place, ctx)).toMatchObject({
      namespaces: 2,
      keys: 901,
      rows: 1801,
      current: 901,
      anomalyCount: 0,
      clean: true,
    });
  });

  test('nothing at all is clean, and a failed or stopped read is not', async () => {
    const { ctx, store, stop } = nekRig();
    expect(await census.run(place, ctx)).toMatchObject({ keys: 0, clean: true });
    store.gate = (call) => {
      if (call === 'scan') throw noQuorum();
    };
    await expect(census.run(place, ctx)).rejects.toMatchObject({
      code: 'cassandra-no-quorum',
      outcome: 'not-applied',
      retryable: true,
    });
    store.gate = (call) => {
      if (call === 'scan') stop.abort();
    };
    await expect(census.run(place, ctx)).rejects.toMatchObject({ code: 'aborted' });
    expect(store.closed).toBe(3);
  });

  test('a master key that is in no set is refused', async () => {
    const { ctx } = nekRig();
    await expect(census.run({ ...place, kid: lostMek }, ctx)).rejects.toMatchObject({
      code: 'kid-unknown',
      details: [`it has ${newMek}`, `it has ${oldMek}`],
    });
  });
});
