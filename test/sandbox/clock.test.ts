import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { hasPendingRequests } from '../../src/sandbox/busy.ts';
import { VirtualClock } from '../../src/sandbox/clock.ts';
import { Timeline } from '../../src/sandbox/timeline.ts';

const never = new AbortController().signal;

function rig(options: { isBusy?: () => boolean } = {}) {
  const timeline = new Timeline(1_000_000);
  const recorded: number[] = [];
  const clock = new VirtualClock({
    timeline,
    epoch: 1_000_000,
    record: (now) => recorded.push(now),
    isBusy: options.isBusy ?? hasPendingRequests,
  });
  return { timeline, clock, recorded };
}

describe('virtual time', () => {
  test('stands still while nobody waits and jumps when everybody does', async () => {
    const { clock } = rig();
    expect(clock.now()).toBe(1_000_000);
    await clock.sleep(90 * 86_400_000, never);
    expect(clock.now()).toBe(1_000_000 + 90 * 86_400_000);
    expect(clock.monotonic()).toBe(90 * 86_400_000);
  });

  test('wakes sleepers in the order of time, and of falling asleep at the same moment', async () => {
    const { clock } = rig();
    const seen: string[] = [];
    const sleeper = async (name: string, naps: readonly number[]) => {
      for (const ms of naps) {
        await clock.sleep(ms, never);
        seen.push(`${name}@${clock.monotonic()}`);
      }
    };
    await Promise.all([sleeper('a', [10, 10, 10]), sleeper('b', [10, 20]), sleeper('c', [5, 25])]);
    expect(seen).toEqual(['c@5', 'a@10', 'b@10', 'a@20', 'c@30', 'b@30', 'a@30']);
  });

  test('waits for reading a file, however long it takes', async () => {
    const { clock } = rig();
    const seen: string[] = [];
    const slow = async () => {
      for (let round = 0; round < 5; round += 1) await readFile(import.meta.filename);
      seen.push(`read@${clock.monotonic()}`);
      await clock.sleep(10, never);
      seen.push(`slow@${clock.monotonic()}`);
    };
    const quick = async () => {
      await clock.sleep(20, never);
      seen.push(`quick@${clock.monotonic()}`);
    };
    await Promise.all([quick(), slow()]);
    expect(seen).toEqual(['read@0', 'slow@10', 'quick@20']);
  });

  test('waits for WebCrypto, which works in threads of its own', async () => {
    const { clock } = rig();
    const waiting = clock.sleep(10, never);
    const key = await crypto.subtle.importKey('raw', new Uint8Array(32), 'PBKDF2', false, ['deriveBits']);
    const how = { name: 'PBKDF2', hash: 'SHA-256', salt: new Uint8Array(16), iterations: 200_000 };
    await crypto.subtle.deriveBits(how, key, 256);
    expect(clock.monotonic()).toBe(0);
    await waiting;
  });

  test('waits for whoever holds it', async () => {
    const { clock } = rig();
    const release = clock.hold();
    let woken = false;
    const sleeping = clock.sleep(10, never).then(() => {
      woken = true;
    });
    for (let round = 0; round < 50; round += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(woken).toBe(false);
    expect(clock.monotonic()).toBe(0);
    release();
    release();
    await sleeping;
    expect(clock.monotonic()).toBe(10);
  });

  test('an aborted sleep ends at once and moves no time', async () => {
    const { clock } = rig();
    const stop = new AbortController();
    const sleeping = clock.sleep(1000, stop.signal);
    stop.abort();
    await sleeping;
    await clock.sleep(1000, AbortSignal.abort());
    expect(clock.monotonic()).toBe(0);
  });

  test('the world lives on while somebody waits for it, and wakes who waits', async () => {
    const { clock, timeline } = rig();
    const seen: number[] = [];
    const wakers: (() => void)[] = [];
    timeline.schedule(10, () => undefined);
    timeline.schedule(40, () => {
      for (const wake of wakers) wake();
    });
    await clock.until((wake) => {
      wakers.push(wake);
      return () => seen.push(clock.monotonic());
    }, never);
    expect(clock.monotonic()).toBe(40);
    expect(seen).toEqual([40]);
  });

  test('what the world does at the moment of a wake-up comes before it', async () => {
    const { clock, timeline } = rig();
    const seen: string[] = [];
    timeline.schedule(10, () => seen.push('world'));
    await clock.sleep(10, never);
    seen.push('sleeper');
    expect(seen).toEqual(['world', 'sleeper']);
  });

  test('records a time before anybody sees it, and only once', async () => {
    const { clock, recorded } = rig();
    await clock.sleep(5, never);
    expect(recorded).toEqual([1_000_005]);
    clock.now();
    expect(recorded).toEqual([1_000_005]);
  });

  test('a time that cannot be recorded fails every later call', async () => {
    const timeline = new Timeline(0);
    const record = () => {
      throw new Error('disk full');
    };
    const clock = new VirtualClock({ timeline, epoch: 0, record, isBusy: () => false });
    await clock.sleep(5, never);
    expect(() => clock.touch()).toThrow('disk full');
  });

  test('goes on after there was nothing to wait for', async () => {
    const { clock, timeline } = rig();
    const wakers: (() => void)[] = [];
    const seen = clock.until((wake) => {
      wakers.push(wake);
      return () => undefined;
    }, never);
    for (let round = 0; round < 20; round += 1) await new Promise((resolve) => setImmediate(resolve));
    timeline.schedule(70, () => {
      for (const wake of wakers) wake();
    });
    clock.touch();
    await seen;
    expect(clock.monotonic()).toBe(70);
  });

  test('onlookers of the same moment take turns, in the order in which they began to wait', async () => {
    const { clock, timeline } = rig();
    const wakers: (() => void)[] = [];
    const seen: string[] = [];
    const onlooker = async (name: string) => {
      await clock.until((wake) => {
        wakers.unshift(wake);
        return () => undefined;
      }, never);
      seen.push(`${name} begins`);
      await readFile(import.meta.filename);
      seen.push(`${name} ends`);
    };
    timeline.schedule(10, () => {
      for (const wake of wakers) wake();
    });
    await Promise.all([onlooker('a'), onlooker('b')]);
    expect(seen).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  });

  test('a sleep without end blocks nobody', async () => {
    const { clock } = rig();
    const stop = new AbortController();
    const endless = clock.sleep(Number.POSITIVE_INFINITY, stop.signal);
    await clock.sleep(10, never);
    for (let round = 0; round < 20; round += 1) await new Promise((resolve) => setImmediate(resolve));
    await clock.sleep(10, never);
    stop.abort();
    await endless;
    expect(clock.monotonic()).toBe(20);
  });
});
