import { expect, test } from 'vitest';
import { bounded } from '../../../src/engine/run/deadline.ts';
import type { Runtime } from '../../../src/engine/run/runtime.ts';
import { RunClock } from '../../fakes/run-clock.ts';

test('a step may await many things at once without a warning on the terminal', async () => {
  const clock = new RunClock();
  const runtime = { clock, aborting: new AbortController().signal } as unknown as Runtime;
  const warnings: string[] = [];
  const listen = ({ name }: Error) => void warnings.push(name);
  process.on('warning', listen);
  await bounded(runtime, { deadline: clock.now() + 60_000, timeout: 60_000 }, (signal) =>
    Promise.all(Array.from({ length: 64 }, () => clock.sleep(1000, signal))),
  );
  // Node tells of it a turn later.
  await new Promise(setImmediate);
  process.off('warning', listen);
  expect(warnings).toEqual([]);
});
