import type { World } from '../world.ts';

/** What OpenBao's servers take for the time, in milliseconds since the epoch. */
export function serverNow(world: World): number {
  return world.timeline.now + world.baoSkew;
}
