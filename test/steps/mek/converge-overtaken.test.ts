import { describe, expect, test } from 'vitest';
import { captured, ess, input, lines, world } from './consumers-world.ts';
import { at, fields, first, second, third } from './rig.ts';

const minute = 60_000;
type World = ReturnType<typeof world>;

/** ESS says that it has loaded what is there now, and an agent may still hand it a file of an earlier version. */
function loaded(...kids: readonly string[]): World {
  const made = world();
  made.logs.set('ess', lines(second, ...kids));
  return made;
}

/** The next version of the document, written so long ago. */
function write(made: World, ago: number, keys: Parameters<typeof fields>[0]): void {
  made.bao.kv.writtenAt = made.clock.now() - ago;
  made.bao.kv.put(at, fields(keys, second));
}

/** How many minutes pass until every pod is proven. */
async function waited(made: World, more: object = {}): Promise<number> {
  const { run, clock } = await captured(made, input({ current: true, consumers: [ess], ...more }));
  const began = clock.now();
  let ended = false;
  const done = run().finally(() => {
    ended = true;
  });
  while (!ended && clock.now() - began < 60 * minute) await clock.advance(5_000);
  expect((await done).pods).toHaveLength(2);
  return (clock.now() - began) / minute;
}

describe('mek.converge, when an earlier version had a key that this one lacks,', () => {
  test('waits until no rendered file of it can reach a service any more, and says until when', async () => {
    const made = loaded(second);
    write(made, minute, { [second]: 2 });
    const { run, look, clock } = await captured(made, input({ current: true, consumers: [ess] }));
    const until = new Date(clock.now() - minute + 17 * minute).toISOString();
    const why = `until ${until} it may still be handed what was there before version 3`;
    expect(await look()).toMatchObject({ state: 'not-applied', evidence: expect.stringContaining(why) });
    const done = run();
    let ended = false;
    done.finally(() => {
      ended = true;
    });
    await clock.advance(16 * minute - 10_000);
    expect(ended).toBe(false);
    expect(made.progress.at(-1)?.text).toContain(why);
    await clock.advance(15_000);
    expect((await done).pods).toHaveLength(2);
    expect(await look()).toMatchObject({ state: 'applied' });
  });

  test.each([
    // Within, and as much again for clocks that differ, two minutes at most.
    [undefined, 16],
    ['5m', 6],
    ['90s', 2],
    ['30s', 0],
  ])('and reloads take %s at most, waits about %i minutes', async (reloadWithin, minutes) => {
    const made = loaded(second);
    write(made, minute, { [second]: 2 });
    const took = await waited(made, reloadWithin === undefined ? {} : { reloadWithin });
    expect(took).toBeGreaterThanOrEqual(minutes);
    expect(took).toBeLessThan(minutes + 0.25);
  });

  test('counts from the version that took the key out, not from a later one', async () => {
    const made = loaded(second, third);
    write(made, 10 * minute, { [second]: 2 });
    write(made, minute, { [second]: 2, [third]: 3 });
    const took = await waited(made);
    expect(took).toBeGreaterThanOrEqual(7);
    expect(took).toBeLessThan(7.25);
  });

  test('waits for one that nobody can read any more, too: what is not known proves nothing', async () => {
    const made = loaded(second, first);
    write(made, minute, { [second]: 2, [first]: 1 });
    made.bao.kv.destroy(at, 2);
    expect(await waited(made)).toBeGreaterThanOrEqual(16);
  });

  test('does not wait where the key was taken out long ago, or where no key was taken out', async () => {
    const made = loaded(second);
    write(made, 18 * minute, { [second]: 2 });
    expect(await waited(made)).toBeLessThan(0.25);
    const added = loaded(second, first, third);
    write(added, minute, { [second]: 2, [first]: 1, [third]: 3 });
    expect(await waited(added)).toBeLessThan(0.25);
  });
});
