import * as nats from '../nats/cluster.ts';
import type { Pod } from '../objects.ts';
import * as openbao from '../openbao/cluster.ts';
import type { World } from '../world.ts';

/** A container of a pod came up: the cluster that its server belongs to gets a member. */
export function containerStarted(world: World, pod: Pod, container: string): void {
  if (container === 'openbao') openbao.serverStarted(world, pod);
  if (container === 'nats') nats.serverStarted(world, pod);
}

/** It ended: the other members notice. */
export function containerStopped(world: World, pod: Pod, container: string): void {
  if (container === 'openbao') openbao.serverStopped(world, pod);
  if (container === 'nats') nats.serverStopped(world, pod);
}
