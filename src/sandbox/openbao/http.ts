import type { Machine } from '../machine.ts';
import type { PodAnswer, PodRequest } from '../pod-port.ts';
import type { World } from '../world.ts';
import { type Bearer, bearerOf, capabilities, mayTouch } from './acl.ts';
import { answer, denied, errors, json } from './answers.ts';
import type { BaoCall } from './call.ts';
import { changeBao, readBao } from './engine.ts';
import { fieldsOf } from './kv-http.ts';
import { JWT_ENGINE, mountOf } from './mounts.ts';
import type { BaoCluster } from './state.ts';
import { nodeView } from './view.ts';

/**
 * OpenBao's HTTP API as far as its operation needs it. A standby passes requests on to the active node; seal, leadership, tokens and
 * policies are looked at in the order in which the real one looks.
 */
export function answerBao(machine: Machine, request: PodRequest): PodAnswer {
  const { world } = machine;
  const { namespace, pod } = request;
  const node = nodeView(world, namespace, pod);
  const cluster = world.openbao.get(namespace);
  if (node === undefined || cluster === undefined) return errors(503, 'the server is starting');
  const call = callOf(request);
  if (call === undefined) return errors(404);
  const status = statusOf(node, call);
  if (status !== undefined) return status;
  if (node.sealed) return errors(503, 'Vault is sealed');
  if (cluster.leader === undefined)
    return errors(500, 'local node not active but active cluster node not found');
  const token = request.headers['x-vault-token'];
  const bearer = bearerOf(world, cluster, token);
  if (bearer === undefined) return errors(403, 'permission denied');
  if (call.path === 'sys/storage/raft/snapshot' && !node.active)
    return {
      status: 307,
      type: 'text/plain',
      body: '',
      headers: { location: `${node.leaderAddress}/v1/${call.path}` },
    };
  const about = aboutBearer(world, cluster, { call, bearer, token: token ?? '' });
  if (about !== undefined) return about;
  if (!isAllowed(cluster, bearer, call)) return denied();
  if (call.method === 'GET') return readBao(world, cluster, call);
  // Signing leaves nothing behind.
  if (mountOf(cluster, call.path)?.mount.type === JWT_ENGINE) return changeBao(world, call);
  const { body, ...rest } = call;
  const outcome = machine.perform({ do: 'bao', request: rest, sealed: body });
  return outcome.ok ? (outcome.value as PodAnswer) : errors(500, 'internal error');
}

function callOf({ namespace, pod, method, url, headers, body }: PodRequest): BaoCall | undefined {
  const { pathname, searchParams } = new URL(url, 'http://pod');
  if (!pathname.startsWith('/v1/')) return undefined;
  const type = headers['content-type'];
  return {
    namespace,
    pod,
    method,
    path: pathname.slice('/v1/'.length).split('/').map(decodeURIComponent).join('/'),
    query: Object.fromEntries(searchParams),
    ...(type === undefined ? {} : { type }),
    body: body.toString('utf8'),
  };
}

/** What a node says of itself to everybody. */
function statusOf(node: NonNullable<ReturnType<typeof nodeView>>, call: BaoCall): PodAnswer | undefined {
  const { sealed, active, version } = node;
  switch (call.path) {
    case 'sys/seal-status':
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
    case 'sys/health': {
      const code = (name: string, fallback: number) => Number(call.query[name] ?? fallback);
      const standby = call.query.standbyok === 'true' ? 200 : code('standbycode', 429);
      const status = sealed ? code('sealedcode', 503) : active ? 200 : standby;
      return json(status, {
        initialized: true,
        sealed,
        standby: !active,
        version,
        server_time_utc: node.serverTime,
      });
    }
    case 'sys/leader':
      if (sealed) return errors(503, 'Vault is sealed');
      return json(200, {
        ha_enabled: true,
        is_self: active,
        leader_address: node.leaderAddress ?? '',
        raft_committed_index: node.raftCommittedIndex,
        raft_applied_index: node.raftAppliedIndex,
      });
    default:
      return undefined;
  }
}

/** What depends on who asks. */
function aboutBearer(
  world: World,
  cluster: BaoCluster,
  given: { readonly call: BaoCall; readonly bearer: Bearer; readonly token: string },
): PodAnswer | undefined {
  const { call, bearer } = given;
  const [, asked] = /^sys\/internal\/ui\/mounts\/(.+)$/.exec(call.path) ?? [];
  if (asked !== undefined) {
    const found = mountOf(cluster, asked)?.mount;
    if (found === undefined || !mayTouch(cluster, bearer, found.path))
      return errors(
        403,
        `preflight capability check returned 403, please ensure client's policies grant access to path "${asked}/"`,
      );
    const { path, type, uuid, version } = found;
    const options = version === '' ? null : { version };
    return answer(world, { path: `${path}/`, type, uuid, options, accessor: `${type}_${uuid.slice(0, 8)}` });
  }
  if (call.path === 'sys/capabilities-self') {
    if (!isAllowed(cluster, bearer, call)) return denied();
    const paths = fieldsOf(call.body)?.paths;
    const entries = (Array.isArray(paths) ? paths.map(String) : []).map((path) => [
      path,
      capabilities(cluster, bearer, path),
    ]);
    return answer(world, Object.fromEntries(entries), { more: Object.fromEntries(entries) });
  }
  if (call.path === 'auth/token/lookup-self') {
    if (!isAllowed(cluster, bearer, call)) return denied();
    return answer(world, lookUp(world, cluster, given));
  }
  return undefined;
}

function lookUp(
  world: World,
  cluster: BaoCluster,
  { bearer, token: id }: { readonly bearer: Bearer; readonly token: string },
): object {
  const token = cluster.tokens.get(id);
  if (token === undefined)
    return { id, policies: bearer.policies, creation_ttl: 0, ttl: 0, expire_time: null };
  const ends = token.createdAt + token.ttl;
  return {
    id,
    policies: token.policies,
    creation_ttl: token.ttl / 1000,
    ttl: Math.floor((ends - world.timeline.now) / 1000),
    expire_time: new Date(ends).toISOString(),
  };
}

function isAllowed(cluster: BaoCluster, bearer: Bearer, call: BaoCall): boolean {
  const has = capabilities(cluster, bearer, call.path);
  if (has.includes('root')) return true;
  const sudo = /^sys\/(?:step-down|seal)$/.test(call.path);
  return has.includes(neededFor(cluster, call)) && (!sudo || has.includes('sudo'));
}

function neededFor(cluster: BaoCluster, call: BaoCall): string {
  if (call.method === 'GET') return 'read';
  if (call.method === 'DELETE') return 'delete';
  if (call.method === 'PATCH') return 'patch';
  const found = mountOf(cluster, call.path);
  const [, name] = /^(?:data|metadata)\/(.+)$/.exec(found?.rest ?? '') ?? [];
  const isNew = name !== undefined && found?.mount.version === '2' && !found.mount.entries.has(name);
  return isNew ? 'create' : 'update';
}
