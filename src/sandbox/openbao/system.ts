import type { PodAnswer } from '../pod-port.ts';
import type { World } from '../world.ts';
import { parsePolicy } from './acl.ts';
import { answer, done, errors, wrapped } from './answers.ts';
import type { BaoCall } from './call.ts';
import { seal, stepDown } from './cluster.ts';
import { fieldsOf } from './kv-http.ts';
import { addMount, derived } from './mounts.ts';
import type { BaoCluster } from './state.ts';

/** What changes OpenBao itself: mounts, policies, tokens, leadership, seal. Undefined for a path that is none of these. */
export function changeSystem(world: World, cluster: BaoCluster, call: BaoCall): PodAnswer | undefined {
  const { path, method } = call;
  const fields = fieldsOf(call.body) ?? {};
  if (path === 'sys/step-down') {
    stepDown(world, call.namespace, call.pod);
    return done();
  }
  if (path === 'sys/seal') {
    if (cluster.leader !== call.pod)
      return errors(500, 'vault cannot seal when in standby mode; please restart instead');
    seal(world, call.namespace, call.pod);
    return done();
  }
  if (path === 'auth/token/create') return createToken(world, cluster, fields);
  const [, what, name = ''] = /^sys\/(mounts|policies\/acl)\/(.+)$/.exec(path) ?? [];
  if (what === 'mounts')
    return method === 'DELETE' ? unmount(cluster, name) : mount(world, cluster, { name, fields });
  if (what === 'policies/acl') {
    if (method === 'DELETE') cluster.policies.delete(name);
    else cluster.policies.set(name, parsePolicy(String(fields.policy ?? '')));
    return done();
  }
  return path.startsWith('sys/') || path.startsWith('auth/') ? wrapped(404, 'unsupported path') : undefined;
}

function mount(
  world: World,
  cluster: BaoCluster,
  { name, fields }: { readonly name: string; readonly fields: Readonly<Record<string, unknown>> },
): PodAnswer {
  if (cluster.mounts.has(name)) return errors(400, `path is already in use at ${name}/`);
  const { type, options } = fields;
  const version =
    typeof options === 'object' && options !== null && 'version' in options ? options.version : '1';
  addMount(world, cluster, {
    path: name,
    type: String(type),
    version: type === 'kv' ? String(version) : '',
  });
  return done();
}

function unmount(cluster: BaoCluster, name: string): PodAnswer {
  cluster.mounts.delete(name);
  return done();
}

function createToken(
  world: World,
  cluster: BaoCluster,
  fields: Readonly<Record<string, unknown>>,
): PodAnswer {
  const asked = Array.isArray(fields.policies) ? fields.policies.map(String) : [];
  const policies = [...(fields.no_default_policy === true ? [] : ['default']), ...asked].sort();
  const token = `s.${derived(world, 'token', String(cluster.tokens.size)).slice(0, 24)}`;
  const ttl = durationOf(fields.ttl);
  cluster.tokens.set(token, { policies, createdAt: world.timeline.now, ttl });
  const auth = { client_token: token, policies, token_policies: policies, lease_duration: ttl / 1000 };
  return answer(world, null, { more: { auth } });
}

/** '1h', '30s', seconds as a number; 768 h, the server's longest, when nothing is given. */
function durationOf(value: unknown): number {
  const [, amount = '768', unit = 'h'] = /^(\d+)([smh]?)$/.exec(String(value ?? '')) ?? [];
  return Number(amount) * ({ m: 60_000, h: 3_600_000 }[unit] ?? 1000);
}
