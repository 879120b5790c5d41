import { expect, test } from 'vitest';
import { never, rig, stored } from '../fakes/nek-store-rig.ts';

/** What keeps the process alive; a file of its own, so that nothing else does. */
test('shares its connections with the next one, and lets the process end after it was closed', async () => {
  const alive = () => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;
  await using world = await rig(() => stored);
  const before = alive();
  const first = await world.open();
  await first.partition({ namespace: 'ns-1' }, never());
  const streams = world.pods.streams.length;
  expect(streams).toBe(3);
  expect(alive()).toBeGreaterThan(before);
  first.close();
  await Promise.resolve();
  expect(alive()).toBe(before);
  const second = await world.open();
  expect(await second.partition({ namespace: 'ns-1' }, never())).toHaveLength(1);
  expect(alive()).toBeGreaterThan(before);
  expect(world.pods.streams.length).toBe(streams);
});
