import { describe, expect, test } from 'vitest';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { retire } from '../../../src/steps/mek/retire.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';
import { captured, input, settled } from './retired.ts';
import { at, fields, first, second, storedKids, third } from './rig.ts';

describe('mek.retire', () => {
  test('takes a key that nothing needs out of both sets, and says what proved it', async () => {
    const { bao, run, look } = await captured();
    const outputs = await run();
    expect(storedKids(bao)).toEqual([second]);
    expect(storedKids(bao, 'private_jwks')).toEqual([second]);
    expect(outputs).toMatchObject({ kid: first, version: 4, previousVersion: 3 });
    expect(outputs.gates.map(({ gate }) => gate)).toEqual([
      'not active',
      'an earlier clean census',
      'namespace keys',
      'rows of API Keys',
      'ess-api uses another key',
      'api-keys uses another key',
      'worker tokens',
    ]);
    expect(await look()).toMatchObject({ state: 'applied', outputs });
    expect(await run()).toEqual(outputs);
  });

  test('the active key, and one that is not there, are refused at once', async () => {
    const { ctx } = settled();
    await expect(retire.predict(input({ kid: second }), ctx)).rejects.toMatchObject({
      code: 'mek-change-refused',
    });
    await expect(retire.capture(input({ kid: third }), ctx)).rejects.toMatchObject({ code: 'kid-missing' });
  });

  test('a time that is none, or a duration that proves nothing, is refused', async () => {
    const { ctx } = settled();
    await expect(retire.predict(input({ cleanSince: 'yesterday' }), ctx)).rejects.toMatchObject({
      code: 'invalid-input',
    });
    const problems = retire.check?.(input({ apart: '10m', tokenLife: '1h' }));
    expect(problems?.map(({ path }) => path)).toEqual([['apart'], ['tokenLife']]);
  });

  test('predicts which key goes', async () => {
    const { ctx, bao } = settled();
    expect(await retire.predict(input(), ctx)).toMatchObject({
      changes: true,
      diff: [
        { path: 'keys[1]', before: `kid ${first} (72cd6e8422c4)` },
        { path: 'private_jwks[1]', before: expect.stringContaining(first) },
      ],
    });
    expect(storedKids(bao)).toEqual([second, first]);
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
    bao.kv.put(at, fields({ [second]: 9 }, second));
    expect(await look()).toMatchObject({ state: 'conflict' });
    bao.kv.put(at, fields({ [second]: 2, [first]: 1 }, second, { [second]: 102 }));
    expect(await look()).toMatchObject({ state: 'conflict', evidence: expect.stringContaining('alone') });
    cluster.hooks = {
      before: () => {
        throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });

  test('the way back puts the key back, with its own bytes in each set, and no other', async () => {
    const made = settled();
    made.bao.kv.put(at, fields({ [second]: 2, [first]: 1, [third]: 3 }, second));
    const { bao, run, undo, look } = await captured(made);
    await run();
    bao.kv.put(at, fields({ [second]: 2 }, second));
    await undo();
    expect(bao.kv.peek(at)).toMatchObject(fields({ [second]: 2, [first]: 1 }, second));
    await undo();
    expect(bao.calls.filter((call) => call.startsWith('write'))).toHaveLength(2);
    // The third key was taken out by somebody else.
    expect(await look()).toMatchObject({ state: 'conflict', evidence: expect.stringContaining(third) });
  });

  test('the way back is not found in a version that is kept no more', async () => {
    const { bao, run, undo } = await captured();
    await run();
    bao.kv.destroy(at, 3);
    await expect(undo()).rejects.toMatchObject({ code: 'kv-destroyed' });
    expect(storedKids(bao)).toEqual([second]);
  });
});
