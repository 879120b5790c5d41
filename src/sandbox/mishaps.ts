import type { Machine } from './machine.ts';
import type { Mishap } from './world.ts';

/** The mishap that is due for such a call, used up by one. */
export function takeMishap(machine: Machine, at: Mishap['at']): Mishap | undefined {
  const index = machine.world.mishaps.findIndex((mishap) => mishap.at === at && mishap.times > 0);
  const mishap = machine.world.mishaps[index];
  if (mishap !== undefined) machine.perform({ do: 'mishap-met', index });
  return mishap;
}
