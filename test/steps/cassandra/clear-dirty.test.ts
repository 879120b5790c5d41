import { describe, expect, test } from 'vitest';
import { clearDirty } from '../../../src/steps/cassandra/clear-dirty.ts';
import { storeFailure } from '../../fakes/fake-ledger.ts';
import { failedJob, ledgerInput, migrationsRig } from '../../fakes/migrations-rig.ts';

const input = { ...ledgerInput, keyspace: 'nvcf_api', version: 42 };

async function captured() {
  const made = migrationsRig();
  made.ledger.tables.set('nvcf_api', [{ version: 42, dirty: true }]);
  made.putJob('cassandra-migrations', failedJob);
  const before = await clearDirty.capture(input, made.ctx);
  const row = () => made.ledger.tables.get('nvcf_api');
  const look = () => clearDirty.observe(input, before, made.ctx);
  const undo = async () => {
    if (typeof clearDirty.undo !== 'function') throw new Error('it has an undo');
    await clearDirty.undo(input, before, undefined, { ...made.ctx, before });
  };
  return { ...made, row, look, undo };
}

describe('cassandra.clear-dirty', () => {
  test('clears the mark of the version that was named, is seen, and is taken back', async () => {
    const { ctx, row, look, undo } = await captured();
    expect(await clearDirty.predict(input, ctx)).toMatchObject({
      changes: true,
      diff: [{ path: 'schema_migrations.nvcf_api[42].dirty', before: true, after: false }],
    });
    expect(await look()).toMatchObject({ state: 'not-applied' });
    const outputs = await clearDirty.run(input, ctx);
    expect(outputs).toEqual({ keyspace: 'nvcf_api', version: 42 });
    expect(row()).toEqual([{ version: 42, dirty: false }]);
    expect(await look()).toMatchObject({ state: 'applied', outputs });
    await undo();
    expect(row()).toEqual([{ version: 42, dirty: true }]);
    expect(await look()).toMatchObject({ state: 'not-applied' });
    await undo();
    expect(row()).toEqual([{ version: 42, dirty: true }]);
  });

  test('a lost answer is read back, not repeated', async () => {
    const { ctx, ledger, look } = await captured();
    ledger.loses = true;
    await expect(clearDirty.run(input, ctx)).rejects.toMatchObject({
      code: 'cassandra-timeout',
      outcome: 'unknown',
    });
    expect(await look()).toMatchObject({ state: 'applied' });
  });

  test('one that is clean already is left alone, by its undo too', async () => {
    const { ctx, ledger, undo } = await captured();
    ledger.tables.set('nvcf_api', [{ version: 42, dirty: false }]);
    expect(await clearDirty.predict(input, ctx)).toMatchObject({ changes: false, diff: [] });
    const before = await clearDirty.capture(input, ctx);
    expect(await clearDirty.observe(input, before, ctx)).toMatchObject({ state: 'applied' });
    if (typeof clearDirty.undo === 'function')
      await clearDirty.undo(input, before, undefined, { ...ctx, before });
    expect(ledger.tables.get('nvcf_api')).toEqual([{ version: 42, dirty: false }]);
    ledger.tables.set('nvcf_api', [{ version: 43, dirty: false }]);
    // A migration ran since: the mark is nobody's to set again.
    await expect(undo()).rejects.toMatchObject({ code: 'ledger-moved', outcome: 'not-applied' });
  });

  test.each([
    ['another version', [{ version: 43, dirty: true }], 'version-differs'],
    [
      'two rows',
      [
        { version: 42, dirty: true },
        { version: 43, dirty: true },
      ],
      'version-differs',
    ],
    ['no row', [], 'version-differs'],
    ['a row without a mark', [{ version: 42, dirty: null }], 'version-differs'],
    ['no table', undefined, 'ledger-missing'],
  ])('%s is not what was named: nothing is cleared', async (_, rows, code) => {
    const { ctx, ledger, look } = await captured();
    if (rows === undefined) ledger.tables.delete('nvcf_api');
    else ledger.tables.set('nvcf_api', structuredClone(rows));
    for (const call of [clearDirty.predict, clearDirty.capture])
      await expect(call(input, ctx)).rejects.toMatchObject({ code, outcome: 'not-applied' });
    if (rows === undefined) expect(await look()).toMatchObject({ state: 'unknown' });
    else if (rows.length !== 1 || rows[0]?.version !== 42) {
      expect(await look()).toMatchObject({ state: 'conflict' });
      if (rows.length !== 2) await expect(clearDirty.run(input, ctx)).rejects.toMatchObject({ code });
      if (rows.length !== 2) expect(ledger.tables.get('nvcf_api')).toEqual(rows);
    }
  });

  test('a migration at work looks the same, and is let alone', async () => {
    const { ctx, putJob, row } = await captured();
    putJob('cassandra-migrations', { active: 1 });
    for (const call of [clearDirty.predict, clearDirty.capture, clearDirty.run])
      await expect(call(input, ctx)).rejects.toMatchObject({
        code: 'migration-running',
        outcome: 'not-applied',
      });
    expect(row()).toEqual([{ version: 42, dirty: true }]);
  });

  test('what cannot be read is unknown', async () => {
    const { ledger, look } = await captured();
    ledger.fails = storeFailure('forbidden');
    expect(await look()).toMatchObject({ state: 'unknown', evidence: expect.stringContaining('forbidden') });
    ledger.fails = storeFailure('timeout');
    await expect(look()).rejects.toMatchObject({ retryable: true });
  });
});
