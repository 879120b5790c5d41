import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { createSystemClock } from '../../src/services/clock-system.ts';

const clock = createSystemClock();

test('now is the time of day, monotonic never goes back', () => {
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1000);
  let last = clock.monotonic();
  for (let count = 0; count < 10_000; count++) {
    const next = clock.monotonic();
    expect(next).toBeGreaterThanOrEqual(last);
    last = next;
  }
});

test('a sleep lasts as long as asked, on its own clock', async () => {
  const started = clock.monotonic();
  await clock.sleep(30, new AbortController().signal);
  expect(clock.monotonic() - started).toBeGreaterThanOrEqual(30);
});

test('a sleep of a month does not end at once, but with its signal', async () => {
  const stop = new AbortController();
  let ended = false;
  const sleeping = clock.sleep(30 * 24 * 3600 * 1000, stop.signal).then(() => {
    ended = true;
  });
  await clock.sleep(20, new AbortController().signal);
  expect(ended).toBe(false);
  stop.abort();
  await sleeping;
  expect(ended).toBe(true);
});

test('an aborted signal and a past time need no sleep', async () => {
  const started = clock.monotonic();
  await clock.sleep(60_000, AbortSignal.abort());
  await clock.sleep(0, new AbortController().signal);
  await clock.sleep(-5, new AbortController().signal);
  expect(clock.monotonic() - started).toBeLessThan(1000);
});

test('many sleeps on one signal leave no listener behind', async () => {
  const { signal } = new AbortController();
  for (let count = 0; count < 50; count++) await clock.sleep(1, signal);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});
