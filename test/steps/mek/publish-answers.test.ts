import { describe, expect, test } from 'vitest';
import { captured, unanswered } from './published.ts';
import { at, fields, first, second, storedKids } from './rig.ts';

describe('a lost answer to mek.publish', () => {
  test('is resolved by reading: the write took place', async () => {
    const { bao, run, kid } = await captured();
    bao.onChange = () => {
      throw unanswered();
    };
    expect(await run()).toMatchObject({ kid, version: 3 });
    expect(storedKids(bao)).toEqual([first, second, kid]);
  });

  test('of a write that never arrived: it is in progress for a while, then it is not there, and may be repeated', async () => {
    const { bao, run, look, clock, kid } = await captured();
    const write = bao.kvWrite.bind(bao);
    bao.kvWrite = async () => {
      throw unanswered();
    };
    const failed = run().catch((error: unknown) => error);
    await clock.advance(5000);
    expect(await look()).toMatchObject({ state: 'in-progress' });
    await clock.advance(10_000);
    expect(await failed).toMatchObject({ code: 'write-unanswered', outcome: 'unknown', retryable: true });
    expect(await look()).toMatchObject({ state: 'not-applied' });
    bao.kvWrite = write;
    expect(await run()).toMatchObject({ kid, version: 3 });
  });

  test('of a write that arrives late is found, and a repetition finds the key there', async () => {
    const { bao, run, look, clock, kid } = await captured();
    const write = bao.kvWrite.bind(bao);
    bao.kvWrite = async (pod, to) => {
      void clock.sleep(4000, new AbortController().signal).then(() => write(pod, to));
      throw unanswered();
    };
    const done = run();
    await clock.advance(6000);
    const outputs = await done;
    expect(await look()).toMatchObject({ state: 'applied', outputs });
    bao.kvWrite = write;
    expect(await run()).toEqual(outputs);
    expect(storedKids(bao)).toEqual([first, second, kid]);
  });

  test('does not hide that somebody else wrote instead', async () => {
    const { bao, run } = await captured();
    bao.kvWrite = async () => {
      bao.kv.put(at, fields({ [second]: 2, [first]: 1 }, second));
      throw unanswered();
    };
    await expect(run()).rejects.toMatchObject({ code: 'world-moved', outcome: 'not-applied' });
  });
});
