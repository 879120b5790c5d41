import { describe, expect, test } from 'vitest';
import type { MekCensusApiKeysWith, MekRepairWith } from '../../../src/generated/types.ts';
import { NekStoreError } from '../../../src/services/nek-store.ts';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { censusApiKeys } from '../../../src/steps/mek/census-api-keys.ts';
import { repair } from '../../../src/steps/mek/repair.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';
import type { MekRig } from './rig.ts';
import { at, cassandra, fields, first, keyDetails, mekRig, openbao, second, third } from './rig.ts';

const input = { openbao, apiKeys: cassandra, fromVersion: 2 } as unknown as MekRepairWith;
const keys = { [third]: 3, [first]: 1, [second]: 2 };
const repaired = { [third]: 3, [first]: 101, [second]: 102 };

/** The published procedure has copied `keys` over `private_jwks`; rows of before are under the first key. */
function world(): MekRig {
  const rig = mekRig();
  rig.bao.kv.put(at, fields(keys, third, keys));
  rig.store.columns.set('keys', [keyDetails({ kid: first, byte: 101 }), keyDetails({ kid: third, byte: 3 })]);
  rig.store.columns.set('keys_by_owner_and_service', [keyDetails({ kid: first, byte: 101 })]);
  return rig;
}

async function captured(made: MekRig = world()) {
  const before = await repair.capture(input, made.ctx);
  const ctx = { ...made.ctx, before };
  return {
    ...made,
    run: () => repair.run(input, ctx),
    look: () => repair.observe(input, before, ctx),
    undo: async () => {
      if (typeof repair.undo === 'object') throw new Error('no undo');
      await repair.undo(input, before, undefined, ctx);
    },
  };
}

describe('mek.repair', () => {
  test('puts the bytes back that every row of API Keys opens with', async () => {
    const { bao, run, look } = await captured();
    const outputs = await run();
    expect(outputs).toEqual({ version: 4, previousVersion: 3, kids: [first, second], rowsProven: 2 });
    expect(bao.kv.peek(at)).toMatchObject(fields(keys, third, repaired));
    expect(await look()).toMatchObject({ state: 'applied', outputs });
    expect(await run()).toEqual(outputs);
  });

  test('predicts the keys, and the proof', async () => {
    const { ctx, bao } = world();
    expect(await repair.predict(input, ctx)).toMatchObject({
      changes: true,
      diff: [{ path: 'private_jwks[1]' }, { path: 'private_jwks[2]' }],
      outputs: { kids: [first, second], rowsProven: 2 },
      notes: [expect.stringContaining('2 rows'), expect.anything(), expect.anything()],
    });
    expect(bao.calls.filter((call) => call.startsWith('write'))).toEqual([]);
  });

  test.each([
    [
      'a row that opens with the present bytes',
      keyDetails({ kid: first, byte: 1 }),
      '2 open with the earlier bytes, 1 with',
    ],
    [
      'a row that opens with neither',
      keyDetails({ kid: first, byte: 50 }),
      '2 open with the earlier bytes, 0 with',
    ],
  ])('is refused for %s', async (_, jwe, said) => {
    const rig = world();
    rig.store.columns.set('keys', [...(rig.store.columns.get('keys') ?? []), jwe]);
    const { run, look } = await captured(rig);
    for (const ask of [run, () => repair.predict(input, rig.ctx)])
      await expect(ask()).rejects.toMatchObject({
        code: 'repair-refused',
        outcome: 'not-applied',
        details: [expect.stringContaining(`${first}: of 3 rows ${said}`)],
      });
    expect(rig.bao.kv.peek(at)).toMatchObject(fields(keys, third, keys));
    expect(await look()).toMatchObject({ state: 'not-applied' });
  });

  test('fails, and changes nothing, when the rows cannot be read', async () => {
    const { store, run, bao } = await captured();
    store.failure = new NekStoreError('down', { reason: 'timeout', outcome: 'not-applied', retryable: true });
    await expect(run()).rejects.toMatchObject({ code: 'cassandra-timeout', outcome: 'not-applied' });
    expect(bao.kv.peek(at)).toMatchObject(fields(keys, third, keys));
  });

  test('with nothing overwritten there is nothing to do', async () => {
    const rig = mekRig();
    rig.bao.kv.put(at, fields({ [second]: 2, [first]: 1 }, second));
    expect(await repair.predict(input, rig.ctx)).toMatchObject({ changes: false, diff: [] });
    const { look } = await captured(rig);
    expect(await look()).toMatchObject({ state: 'applied', outputs: { kids: [], version: 3 } });
  });

  test('a version that is not earlier, or not kept, is refused', async () => {
    const rig = world();
    const later = { ...input, fromVersion: 3 };
    await expect(repair.capture(later, rig.ctx)).rejects.toMatchObject({ code: 'invalid-input' });
    rig.bao.kv.destroy(at, 2);
    await expect(repair.capture(input, rig.ctx)).rejects.toMatchObject({ code: 'kv-destroyed' });
  });

  test('what is missing altogether is not brought back, and said so', async () => {
    const rig = mekRig();
    rig.bao.kv.put(at, fields({ [first]: 1 }, first, { [first]: 1 }));
    const prediction = await repair.predict(input, rig.ctx);
    expect(prediction.notes?.join('\n')).toMatch(new RegExp(`mek.restore does.*${second}`));
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
    bao.kv.put(at, fields(keys, third, { ...repaired, [second]: 55 }));
    expect(await look()).toMatchObject({ state: 'conflict' });
    cluster.hooks = {
      before: () => {
        throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });

  test('the way back writes the bytes of before, and keeps what came meanwhile', async () => {
    const { bao, run, undo, look } = await captured();
    await run();
    await undo();
    expect(bao.kv.peek(at)).toMatchObject(fields(keys, third, keys));
    expect(await look()).toMatchObject({ state: 'not-applied' });
    await undo();
    expect(bao.calls.filter((call) => call.startsWith('write'))).toHaveLength(2);
  });

  test('a write of somebody else after the capture is not written over', async () => {
    const { bao, run } = await captured();
    bao.kv.put(
      at,
      fields({ [first]: 1, [second]: 2, [third]: 3 }, first, { [third]: 3, [first]: 1, [second]: 2 }),
    );
    await expect(run()).rejects.toMatchObject({ code: 'world-moved' });
  });
});

describe('mek.census-api-keys', () => {
  test('counts by the headers alone, in both tables', async () => {
    const rig = world();
    rig.store.columns.set('keys_by_owner_and_service', [keyDetails({ kid: first, byte: 9 }), 'plain', '']);
    const with_ = { openbao, apiKeys: cassandra } as unknown as MekCensusApiKeysWith;
    expect(await censusApiKeys.run(with_, rig.ctx)).toEqual({
      kids: [
        { kid: first, rows: 2 },
        { kid: third, rows: 1 },
      ],
      rows: 5,
      unparsable: 2,
      byTable: [
        { table: 'keys', rows: 2, unparsable: 0 },
        { table: 'keys_by_owner_and_service', rows: 3, unparsable: 2 },
      ],
    });
    expect(rig.bao.calls.every((call) => call.includes('services/api-keys-api/kv'))).toBe(true);
  });

  test('credentials that OpenBao does not have, or that hold nothing, are a failure', async () => {
    const rig = world();
    const using = (path: string) =>
      ({ openbao, apiKeys: { ...cassandra, credentials: { path } } }) as unknown as MekCensusApiKeysWith;
    await expect(censusApiKeys.run(using('elsewhere'), rig.ctx)).rejects.toMatchObject({ code: 'kv-absent' });
    rig.bao.kv.put({ mount: 'services/api-keys-api/kv', path: 'empty' }, { username: 'app' });
    await expect(censusApiKeys.run(using('empty'), rig.ctx)).rejects.toMatchObject({
      code: 'cassandra-credentials',
    });
  });
});
