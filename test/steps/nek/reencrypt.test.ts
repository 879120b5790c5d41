import { describe, expect, test } from 'vitest';
import { reencrypt } from '../../../src/steps/nek/reencrypt.ts';
import { captured, place } from '../../fakes/nek-rig.ts';
import { mekBytes, nekOf, nekRow, newMek, oldMek, opened, sha256 } from '../../fakes/nek-rows.ts';
import { inUse, someRows, started } from './reencrypting.ts';

const instant = Date.parse('2027-01-01T00:00:00Z');
const now = Date.parse('2027-01-10T08:00:00Z');

/** Within the minute before now. */
const isRecent = (time: unknown) =>
  Number.isInteger(time) && Number(time) > now - 60_000 && Number(time) <= now;

describe('nek.reencrypt', () => {
  test('puts a proven row of the new master key beside the old one, and touches nothing else', async () => {
    const { ctx, store, begin } = await started();
    store.put(
      nekRow({ namespace: 'a' }),
      nekRow({ namespace: 'a', seed: 'a2', currentKid: nekOf('a').kid }),
      nekRow({ namespace: 'b', mek: newMek }),
      nekRow({ namespace: 'c', seed: 'c', status: 'PENDING_ROTATION', currentKid: null }),
    );
    const before = store.all();
    const outputs = await reencrypt.run(place, await begin());
    expect(outputs).toEqual({
      kid: newMek,
      rewrapped: 2,
      finished: 0,
      alreadyCurrent: 2,
      passes: 3,
      rows: 6,
      seconds: 0,
    });
    const after = store.all();
    expect(after).toEqual(expect.arrayContaining([...before]));
    const added = after.filter((row) => !before.some((old) => old.encryptedKey === row.encryptedKey));
    expect(added).toHaveLength(2);
    for (const row of added) {
      const old = before.find(({ kid }) => kid === row.kid);
      const { encryptedKey, ...columns } = row;
      expect(columns).toEqual({
        namespace: 'a',
        kid: old?.kid,
        encryptedAt: expect.toSatisfy(isRecent),
        createdAt: old?.createdAt,
        encryptedByKid: newMek,
        status: 'VALIDATED',
        currentKid: nekOf('a').kid,
      });
      const [head = ''] = (encryptedKey ?? '').split('.');
      expect(JSON.parse(Buffer.from(head, 'base64url').toString())).toEqual({
        alg: 'dir',
        enc: 'A256GCM',
        kid: newMek,
        version: 1,
        namespace: 'a',
        createdAt: old?.createdAt,
        encryptedAt: row.encryptedAt,
      });
      const text = opened(row, mekBytes(newMek));
      expect(text).toBe(opened(old ?? row, mekBytes(oldMek)));
      expect(sha256(`{"k":"${text}","kty":"oct"}`).toString('base64url')).toBe(row.kid);
    }
    expect(ctx.signal.aborted).toBe(false);
  });

  test('writes first where ESS does not look, and names each row in the side file before', async () => {
    const { store, kept, begin } = await started();
    someRows(store, 3);
    const named: string[] = [];
    store.aroundInsert = async (apply, rows) => {
      if (rows[0]?.status === 'PENDING_REENCRYPTION') named.push(await kept('rows'));
      apply();
    };
    await reencrypt.run(place, await begin());
    expect(store.inserted.map(([row]) => row?.status)).toEqual([
      ...Array(3).fill('PENDING_REENCRYPTION'),
      ...Array(3).fill('VALIDATED'),
    ]);
    const first = store.inserted.slice(0, 3).flat();
    const lines = first.map(
      (row) => `${row.namespace} ${row.kid} ${row.encryptedAt} ${sha256(row.encryptedKey).toString('hex')}\n`,
    );
    for (const text of named) for (const line of lines) expect(text).toContain(line);
    expect(await kept('rows')).toBe(lines.join(''));
  });

  test('takes a namespace in batches, and never more than it is told at once', async () => {
    const { store, begin } = await started();
    const currentKid = nekOf('key 0').kid;
    for (let index = 0; index < 120; index++) store.put(nekRow({ seed: `key ${index}`, currentKid }));
    await reencrypt.run(place, await begin());
    expect(store.inserted.map((rows) => rows.length)).toEqual([50, 50, 50, 50, 20, 20]);
    const small = await started();
    someRows(small.store, 30);
    let open = 0;
    let most = 0;
    small.store.aroundInsert = async (apply) => {
      open += 1;
      most = Math.max(most, open);
      await new Promise(setImmediate);
      apply();
      open -= 1;
    };
    await reencrypt.run({ ...place, inFlight: 32, batch: 10 }, await small.begin());
    expect(most).toBe(4);
  });

  test('does not cut a namespace in two for less than a whole batch', async () => {
    const { store, begin } = await started();
    for (let namespace = 0; namespace < 6; namespace++)
      for (let index = 0; index < 100; index++)
        store.put(nekRow({ namespace: `ns-${namespace}`, seed: `key ${namespace} ${index}` }));
    await reencrypt.run(place, await begin());
    expect(store.inserted.map((rows) => rows.length)).toEqual(Array(24).fill(50));
  });

  test('a second run finds nothing to do', async () => {
    const { store, ctx, begin } = await started();
    someRows(store);
    await reencrypt.run(place, await begin());
    const rows = store.all();
    expect(await reencrypt.predict(place, ctx)).toMatchObject({ changes: false, diff: [] });
    const outputs = await reencrypt.run(place, await begin());
    expect(outputs).toMatchObject({ rewrapped: 0, alreadyCurrent: 5, passes: 2 });
    expect(store.all()).toEqual(rows);
  });

  test('a pending row that is good is promoted instead of adding another; one that is not is left', async () => {
    const { store, begin } = await started();
    const waits = { mek: newMek, status: 'PENDING_REENCRYPTION', encryptedAt: instant + 9 };
    store.put(nekRow({ namespace: 'a' }), nekRow({ namespace: 'a', ...waits }));
    store.put(nekRow({ namespace: 'b' }), nekRow({ namespace: 'b', ...waits, header: { namespace: 'a' } }));
    const [pending] = store.all().filter(({ status }) => status === 'PENDING_REENCRYPTION');
    const outputs = await reencrypt.run(place, await begin());
    expect(outputs).toMatchObject({ rewrapped: 1, finished: 1, rows: 5 });
    expect(inUse(store, 'a')).toEqual({ ...pending, status: 'VALIDATED' });
    expect(inUse(store, 'b').encryptedAt).toSatisfy(isRecent);
    const left = store.all().filter(({ status }) => status === 'PENDING_REENCRYPTION');
    expect(left.map(({ namespace }) => namespace)).toEqual(['b']);
  });

  test('goes on until two passes in a row find nothing, also while ESS makes keys under the old one', async () => {
    const { store, begin } = await started();
    someRows(store, 2);
    let scans = 0;
    store.gate = (call) => {
      if (call !== 'scan') return;
      scans += 1;
      // One of them came with the census, the others are passes.
      if (scans === 3 || scans === 4) store.put(nekRow({ namespace: `late-${scans}` }));
    };
    const outputs = await reencrypt.run(place, await begin());
    expect(outputs).toMatchObject({ rewrapped: 4, passes: 6 });
    expect(inUse(store, 'late-4').encryptedByKid).toBe(newMek);
  });

  test('gives up on somebody who writes under another master key for ever', async () => {
    const { store, begin } = await started();
    someRows(store, 1);
    let made = 0;
    store.gate = (call) => {
      if (call === 'scan') store.put(nekRow({ namespace: `z-${made++}` }));
    };
    await expect(reencrypt.run(place, await begin())).rejects.toMatchObject({
      code: 'not-converging',
      hint: expect.stringContaining('mek.converge'),
    });
  });

  test('waits between the last two passes for as long as caches live', async () => {
    const { store, time: clock, ctx, begin } = await started();
    someRows(store, 1);
    const input = { ...place, cacheTtl: '2m' };
    const start = clock.now();
    await reencrypt.run(input, await begin());
    expect(clock.now() - start).toBe(120_000);
    await expect(
      reencrypt.run({ ...place, cacheTtl: '2h' }, await captured(reencrypt, place, ctx)),
    ).rejects.toMatchObject({ code: 'timeout-too-short', outcome: 'not-applied' });
    expect(reencrypt.check?.({ ...place, cacheTtl: 'an hour' })).toHaveLength(1);
  });

  test('takes no more rows in a second than it is told', async () => {
    const { store, time: clock, begin } = await started();
    someRows(store, 50);
    const ctx = await begin();
    const start = clock.now();
    await reencrypt.run({ ...place, rowsPerSecond: 10 }, ctx);
    // The last ten are written when those before them have had their time.
    expect(clock.now() - start).toBe(4000);
  });

  test('gives new rows the time of the servers, and never one that is older than a row there is', async () => {
    const { store, bao, begin } = await started();
    store.put(nekRow({ namespace: 'a' }), nekRow({ namespace: 'b', encryptedAt: now + 50_000 }));
    bao.nodes.set('bao-0', { active: true, serverTime: now / 1000 + 30 });
    await reencrypt.run(place, await begin());
    expect(inUse(store, 'a').encryptedAt - 30_000).toSatisfy(isRecent);
    expect(inUse(store, 'b').encryptedAt).toBe(now + 50_001);
  });

  test('two who re-encrypt one key at the same moment make two rows', async () => {
    const one = await started();
    someRows(one.store, 200);
    const another = await started(one.store);
    const [mine, theirs] = await Promise.all([
      one.begin(),
      another.begin().then((ctx) => ({ ...ctx, operationKey: 'op-2' })),
    ]);
    const seen = new Map<string, string | null>();
    const changed: string[] = [];
    one.store.gate = () => {
      for (const { namespace, kid, encryptedAt, encryptedKey } of one.store.all()) {
        const key = `${namespace} ${kid} ${encryptedAt}`;
        if (seen.has(key) && seen.get(key) !== encryptedKey) changed.push(key);
        seen.set(key, encryptedKey);
      }
    };
    await Promise.all([reencrypt.run(place, mine), reencrypt.run(place, theirs)]);
    expect(changed).toEqual([]);
    expect(seen.size).toBeGreaterThan(400);
  });

  test('tells how far it is, and remembers counts alone', async () => {
    const { store, begin, progress, checkpoints } = await started();
    someRows(store, 600);
    await reencrypt.run({ ...place, rowsPerSecond: 50 }, await begin());
    expect(checkpoints.length).toBeGreaterThan(1);
    expect(checkpoints[0]).toEqual({
      passes: 0,
      keys: expect.any(Number),
      rewrapped: expect.any(Number),
      finished: 0,
    });
    expect(progress.map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^pass 1: \d+ of 600 namespace keys, \d+ wrapped anew, \d+\/s, \d+.* left/),
    );
  });
});
