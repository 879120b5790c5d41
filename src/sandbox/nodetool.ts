import { kinds } from '../services/kubernetes.ts';
import { isReady } from './controllers/pods-of.ts';
import type { Pod } from './objects.ts';
import type { World } from './world.ts';

/** `nodetool status` of a Cassandra pod: a ready pod is up and normal. */
export function nodetool(
  world: World,
  pod: Pod,
  words: readonly string[],
): { code: number; out?: string; err?: string } {
  if (words[0] !== 'status') return { code: 1, err: `nodetool: unknown command ${words[0] ?? ''}\n` };
  const peers = world.store
    .all<Pod>(kinds.pods, pod.metadata.namespace)
    .filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/name'] === 'cassandra');
  const lines = peers.map((peer) => {
    const state = isReady(peer) ? 'UN' : 'DN';
    return `${state}  ${(peer.status.podIP ?? '?').padEnd(15)}  1.21 MiB  8       100.0%            ${peer.metadata.uid}  rack1`;
  });
  const head = [
    'Datacenter: ncp',
    '===============',
    'Status=Up/Down',
    '|/ State=Normal/Leaving/Joining/Moving',
    '--  Address          Load      Tokens  Owns (effective)  Host ID                               Rack',
  ];
  return { code: 0, out: `${[...head, ...lines].join('\n')}\n` };
}
