import { expect, test } from 'vitest';
import { battery } from './battery.ts';

/** The same every time, so that a change is to blame for what it breaks; `npm run chaos` draws others. */
const seed = Number(process.env.RUNBOOK_CHAOS_SEED ?? 1);
const runs = Number(process.env.RUNBOOK_CHAOS_RUNS ?? 300);

test(`${runs} rotations under a load are struck, killed, resumed and rolled back (RUNBOOK_CHAOS_SEED=${seed})`, {
  timeout: 3_600_000,
}, async () => {
  const { broken, missing, struck, ends, restored, again } = await battery({ seed, runs });
  expect(broken.map(({ number, story, problems }) => ({ number, story, problems }))).toEqual([]);
  expect(missing).toEqual([]);
  // Every way to end, and every way to go on from there.
  expect(Object.keys(ends).sort()).toEqual(expect.arrayContaining(['0', '4', '5']));
  expect(restored).toBeGreaterThan(0);
  expect(again).toBeGreaterThan(0);
  expect(Object.values(struck).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(runs);
});
