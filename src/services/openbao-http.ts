import { Secret } from '../engine/secret.ts';
import { OpenBaoError, type OpenBaoPod, type OpenBaoWriter, type TokenInfo } from './openbao.ts';
import { keyValue } from './openbao-kv.ts';
import { mounts } from './openbao-mount.ts';
import { pathOf } from './openbao-paths.ts';
import { parseAnswer, refusal } from './openbao-refusal.ts';
import { snapshotProblem, whole } from './openbao-snapshot.ts';
import { toNode, toPeers } from './openbao-status.ts';
import { type Body, createTransport, type OpenBaoOptions } from './openbao-transport.ts';

export type { OpenBaoOptions } from './openbao-transport.ts';

/** OpenBao's HTTP API, spoken to each pod itself. Tokens travel in a header, values in bodies, and neither appears anywhere else. */
export function createOpenBao(options: OpenBaoOptions): OpenBaoWriter {
  const open = createTransport(options);
  const node = async (pod: OpenBaoPod, signal: AbortSignal) => {
    const bao = open(pod, 'status');
    const [seal, health, leader] = await Promise.all([
      bao.read('/v1/sys/seal-status', signal),
      // Standby, sealed and uninitialised nodes answer with statuses of their own, body included.
      bao.read('/v1/sys/health', signal, [429, 472, 473, 501, 503]),
      bao.read('/v1/sys/leader', signal, [400, 500, 503]),
    ]);
    return toNode(pod.pod, { seal, health, leader });
  };
  return {
    node,
    ...mounts(open),
    ...keyValue(open),
    raftPeers: async (pod, token, signal) => {
      const bao = open(pod, 'any');
      return toPeers(await bao.read('/v1/sys/storage/raft/configuration', signal, [], token), bao.place);
    },
    capabilities: async (pod, paths, token, signal) => {
      const bao = open(pod, 'any');
      const path = '/v1/sys/capabilities-self';
      const body = Buffer.from(JSON.stringify({ paths }));
      const answer = await bao.ask({ method: 'POST', path, token, body, write: false }, signal);
      if (answer.status !== 200) throw refusal(bao.place, answer, { path, write: false });
      const data = parseAnswer(bao.place, answer).data as Body | undefined;
      return Object.fromEntries(paths.map((asked) => [asked, listOf(data?.[asked], bao.place)]));
    },
    tokenInfo: async (pod, token, signal) => {
      const bao = open(pod, 'any');
      return toTokenInfo(await bao.read('/v1/auth/token/lookup-self', signal, [], token), bao.place);
    },
    async *raftSnapshot(pod, token, signal) {
      const bao = open(pod, 'any');
      yield* whole(bao.download('/v1/sys/storage/raft/snapshot', token, signal), bao.place);
    },
    snapshotProblem,
    stepDown: async (pod, token, signal) => {
      const bao = open(pod, 'status');
      const { active, leaderAddress } = await node(pod, signal);
      if (!active) {
        const now =
          leaderAddress === undefined ? 'There is no active node now' : `The active node is ${leaderAddress}`;
        throw new OpenBaoError(`Cannot make ${bao.place} step down: it is not the active node. ${now}.`, {
          outcome: 'not-applied',
          retryable: false,
        });
      }
      await bao.change({ method: 'PUT', path: '/v1/sys/step-down', token }, signal);
    },
    signJwt: async (pod, { mount, role }, token, signal) => {
      const bao = open(pod, 'any');
      const path = pathOf(bao.place, [mount, 'sign', role]);
      const answer = await bao.change({ method: 'POST', path, token, body: Buffer.from('{}') }, signal);
      const signed = (parseAnswer(bao.place, answer).data as Body | undefined)?.token;
      if (typeof signed === 'string' && signed !== '') return Secret.fromText(`${mount}/${role}`, signed);
      throw unexpected(`${bao.place} signed no token at ${mount}/sign/${role}`);
    },
  };
}

function listOf(value: unknown, place: string): readonly string[] {
  if (Array.isArray(value)) return value.map(String);
  throw unexpected(`${place} told no capabilities`);
}

function toTokenInfo(body: Body, place: string): TokenInfo {
  const data = (body.data ?? {}) as Body;
  const { policies, identity_policies: more, ttl } = data;
  if (!Array.isArray(policies) || typeof ttl !== 'number')
    throw unexpected(`${place} told nothing of the token`);
  const all = [...policies, ...(Array.isArray(more) ? more : [])].map(String);
  const endless = ttl === 0 && (data.expire_time ?? null) === null;
  return { policies: [...new Set(all)], ttl: endless ? undefined : ttl, root: all.includes('root') };
}

function unexpected(what: string): OpenBaoError {
  return new OpenBaoError(`${what}. — Is it OpenBao?`, { outcome: 'not-applied', retryable: false });
}
