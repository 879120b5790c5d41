import type { Machine } from '../machine.ts';
import type { PodAnswer, PodPort } from '../pod-port.ts';
import { isRootToken, nodeView, peersView } from './view.ts';

interface BaoRequest extends PodPort {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly token: string | undefined;
}

function json(status: number, value: unknown): PodAnswer {
  return { status, type: 'application/json', body: JSON.stringify(value) };
}

function errors(status: number, ...texts: readonly string[]): PodAnswer {
  return json(status, { errors: texts });
}

/** OpenBao's HTTP API as far as its operation needs it: seal status, health, leader, raft configuration, step-down. */
export function answerBao(machine: Machine, request: BaoRequest): PodAnswer {
  const { world } = machine;
  const { namespace, pod, path, query } = request;
  const node = nodeView(world, namespace, pod);
  const cluster = world.openbao.get(namespace);
  if (node === undefined || cluster === undefined) return errors(503, 'the server is starting');
  const { sealed, active, version } = node;
  if (path === '/v1/sys/seal-status')
    return json(200, {
      type: 'shamir',
      initialized: true,
      sealed,
      t: 1,
      n: 1,
      progress: 0,
      version,
      storage_type: 'raft',
    });
  if (path === '/v1/sys/health') {
    const code = (name: string, fallback: number) => Number(query.get(name) ?? fallback);
    const standby = query.get('standbyok') === 'true' ? 200 : code('standbycode', 429);
    const status = sealed ? code('sealedcode', 503) : active ? 200 : standby;
    return json(status, {
      initialized: true,
      sealed,
      standby: !active,
      version,
      server_time_utc: node.serverTime,
    });
  }
  if (path === '/v1/sys/leader') {
    if (sealed) return errors(503, 'Vault is sealed');
    return json(200, {
      ha_enabled: true,
      is_self: active,
      leader_address: node.leaderAddress ?? '',
      raft_committed_index: node.raftCommittedIndex,
      raft_applied_index: node.raftAppliedIndex,
    });
  }
  if (sealed) return errors(503, 'Vault is sealed');
  if (request.token === undefined || !isRootToken(world, namespace, request.token))
    return errors(403, 'permission denied');
  if (cluster.leader === undefined)
    return errors(500, 'local node not active but active cluster node not found');
  if (path === '/v1/sys/storage/raft/configuration') {
    const servers = peersView(cluster).map(({ id, address, leader, voter }) => ({
      node_id: id,
      address,
      leader,
      voter,
      protocol_version: '3',
    }));
    return json(200, { data: { config: { servers, index: 0 } } });
  }
  if (path === '/v1/sys/step-down' && ['PUT', 'POST'].includes(request.method)) {
    machine.perform({ do: 'step-down', namespace, pod });
    return json(204, {});
  }
  return errors(404, 'unsupported path');
}
