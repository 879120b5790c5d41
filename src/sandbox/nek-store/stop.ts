import { kinds } from '../../services/kubernetes.ts';
import { find, keyOf } from '../kubelet/containers.ts';
import { syncPod } from '../kubelet/pod-status.ts';
import type { Pod } from '../objects.ts';
import type { World } from '../world.ts';

const NAMESPACE = 'cassandra-system';
const CONTAINER = 'cassandra';
/** From the start of a server until it answers again, in milliseconds. */
const BACK = 15_000;

function serverIn(world: World, name: string) {
  const pod = world.store.get<Pod>(kinds.pods, NAMESPACE, name);
  const running = pod === undefined ? undefined : find(world, keyOf(pod));
  const container = running?.runtime.containers.find((known) => known.name === CONTAINER);
  return running === undefined || container === undefined ? undefined : { ...running, container };
}

/** Stops the server in a Cassandra pod: the pod is not ready until somebody starts it again, even when it is replaced. */
export function stopNode(world: World, pod: string): void {
  world.cassandra.stopped.add(pod);
  const server = serverIn(world, pod);
  if (server === undefined) return;
  if (server.container.run !== undefined) server.container.run.live.waiting = true;
  server.container.ready = false;
  syncPod(world, server.runtime, keyOf(server.pod));
}

export function startNode(world: World, pod: string): void {
  world.cassandra.stopped.delete(pod);
  const run = serverIn(world, pod)?.container.run;
  if (run === undefined) return;
  run.live.waiting = false;
  // A server that has only just come up has its own start-up before it.
  if (world.timeline.now - run.startedAt < 60_000) return;
  world.timeline.schedule(BACK, () => {
    const server = serverIn(world, pod);
    if (server?.container.run !== run || run.finished !== undefined || run.live.waiting) return;
    server.container.ready = true;
    syncPod(world, server.runtime, keyOf(server.pod));
  });
}
