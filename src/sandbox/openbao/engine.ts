import type { PodAnswer } from '../pod-port.ts';
import type { World } from '../world.ts';
import { answer, done, errors, wrapped } from './answers.ts';
import type { BaoCall } from './call.ts';
import { jwtEngine } from './jwt.ts';
import { flatKv, versionedKv } from './kv-http.ts';
import { JWT_ENGINE, mountOf } from './mounts.ts';
import { snapshotOf } from './snapshot.ts';
import type { BaoCluster } from './state.ts';
import { changeSystem } from './system.ts';
import { peersView } from './view.ts';

/** A request that reads. Its sender may do it. */
export function readBao(world: World, cluster: BaoCluster, call: BaoCall): PodAnswer {
  if (call.path === 'sys/storage/raft/configuration') {
    const servers = peersView(cluster).map(({ id, address, leader, voter }) => ({
      node_id: id,
      address,
      leader,
      voter,
      protocol_version: '3',
    }));
    return answer(world, { config: { servers, index: 0 } });
  }
  if (call.path === 'sys/storage/raft/snapshot')
    return { status: 200, type: 'application/gzip', body: snapshotOf(world, cluster) };
  if (call.path.startsWith('sys/') || call.path.startsWith('auth/')) return wrapped(404, 'unsupported path');
  return engine(world, cluster, call);
}

/** A request that changes something, or signs. Its sender may do it. */
export function changeBao(world: World, call: BaoCall): PodAnswer {
  const cluster = world.openbao.get(call.namespace);
  if (cluster === undefined) return done();
  return changeSystem(world, cluster, call) ?? engine(world, cluster, call);
}

function engine(world: World, cluster: BaoCluster, call: BaoCall): PodAnswer {
  const found = mountOf(cluster, call.path);
  if (found === undefined) return errors(404, `no handler for route "${call.path}". route entry not found.`);
  const { mount, rest } = found;
  if (mount.type === JWT_ENGINE) return jwtEngine(world, mount, { rest, call });
  if (mount.version === '1') return flatKv(world, mount, { rest, call });
  return versionedKv(world, mount, { rest, call });
}
