import type { Agent } from 'node:http';
import type { Secret } from '../engine/secret.ts';
import type { HttpResponse } from './http.ts';
import { exchange, NoAnswer } from './http-exchange.ts';
import { type KubernetesReader, kinds } from './kubernetes.ts';
import {
  OpenBaoError,
  type OpenBaoNode,
  type OpenBaoPod,
  type OpenBaoWriter,
  type RaftPeer,
} from './openbao.ts';
import { createPodAgent } from './pod-agent.ts';

export interface OpenBaoOptions {
  readonly kubernetes: Pick<KubernetesReader, 'portForward' | 'get'>;
  /**
   * A direct address instead of port-forward. One that holds `{pod}` (and `{namespace}`) reaches each pod; one without
   * reaches whichever node answers, so that facts about one pod are refused.
   */
  readonly address?: string | undefined;
  /** PEM, for an https address with a private CA. */
  readonly ca?: string | undefined;
}

const port = 8200;
const limit = 10_000;

/** OpenBao's HTTP API, spoken to each pod itself. The token travels in a header and appears nowhere else. */
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
    raftPeers: async (pod, token, signal) => {
      const bao = open(pod, 'any');
      return toPeers(await bao.read('/v1/sys/storage/raft/configuration', signal, [], token), bao.place);
    },
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
      await bao.change('PUT', '/v1/sys/step-down', token, signal);
    },
  };
}

interface Endpoint {
  /** 'OpenBao pod vault-system/openbao-server-0', for messages. */
  readonly place: string;
  read(path: string, signal: AbortSignal, accepted?: readonly number[], token?: Secret): Promise<Body>;
  change(method: string, path: string, token: Secret, signal: AbortSignal): Promise<void>;
}

type Body = Readonly<Record<string, unknown>>;

function createTransport(options: OpenBaoOptions) {
  const agents = new Map<string, Agent>();
  return (pod: OpenBaoPod, about: 'status' | 'any'): Endpoint => {
    const place = `OpenBao pod ${pod.namespace}/${pod.pod}`;
    if (options.address !== undefined) return endpoint(place, directAddress(options, pod, { place, about }));
    const agent = agents.get(pod.uid) ?? createPodAgent(boundToPod(options, pod, place), { ...pod, port });
    agents.set(pod.uid, agent);
    return endpoint(place, { base: `http://127.0.0.1:${port}`, agent });
  };
}

interface Target {
  readonly base: string;
  readonly agent?: Agent;
  readonly ca?: string;
}

function directAddress(
  { address = '', ca }: OpenBaoOptions,
  pod: OpenBaoPod,
  { place, about }: { readonly place: string; readonly about: 'status' | 'any' },
): Target {
  const base = address
    .replaceAll('{pod}', pod.pod)
    .replaceAll('{namespace}', pod.namespace)
    .replace(/\/+$/u, '');
  const wrong = (why: string, next: string) =>
    new OpenBaoError(`Cannot ask ${place}: ${why}. — ${next}`, { outcome: 'not-applied', retryable: false });
  if (!URL.canParse(base) || !/^https?:$/u.test(new URL(base).protocol)) {
    throw wrong(`the address "${address}" is no http or https URL`, 'Correct --openbao-addr or BAO_ADDR.');
  }
  if (about === 'status' && !address.includes('{pod}')) {
    throw wrong(
      `the address ${base} reaches some node, not this one`,
      'Write {pod} into the address (http://{pod}.openbao-server-internal.{namespace}:8200), or leave it out to use port-forward.',
    );
  }
  return { base, ...(ca === undefined ? {} : { ca }) };
}

/** A pod's name outlives the pod: every new connection proves first that it leads to the one that was meant. */
function boundToPod(
  { kubernetes }: OpenBaoOptions,
  pod: OpenBaoPod,
  place: string,
): Pick<KubernetesReader, 'portForward'> {
  return {
    portForward: async (ref) => {
      await requirePod(kubernetes, pod, place);
      return kubernetes.portForward(ref);
    },
  };
}

async function requirePod(
  kubernetes: Pick<KubernetesReader, 'get'>,
  pod: OpenBaoPod,
  place: string,
): Promise<void> {
  const found = await kubernetes.get({ kind: kinds.pods, namespace: pod.namespace, name: pod.pod });
  if (found?.metadata.uid === pod.uid) return;
  const now = found === undefined ? 'is gone' : `was replaced (uid ${found.metadata.uid})`;
  throw new OpenBaoError(`Cannot ask ${place}: the pod ${now}; it was to be the one with uid ${pod.uid}.`, {
    outcome: 'not-applied',
    retryable: false,
  });
}

function endpoint(place: string, target: Target): Endpoint {
  async function send(
    method: string,
    path: string,
    signal: AbortSignal,
    token?: Secret,
  ): Promise<HttpResponse> {
    const headers = { accept: 'application/json', 'x-vault-request': 'true' };
    const request = {
      method,
      url: new URL(`${target.base}${path}`),
      limit,
      ...(target.agent === undefined ? {} : { agent: target.agent }),
      ...(target.ca === undefined ? {} : { ca: [target.ca] }),
    };
    try {
      if (token === undefined) return await exchange({ ...request, headers }, signal);
      return await token.revealText((text) =>
        exchange({ ...request, headers: { ...headers, 'x-vault-token': text.trim() } }, signal),
      );
    } catch (cause) {
      throw noAnswer(place, { cause, write: method !== 'GET', withToken: token !== undefined });
    }
  }
  return {
    place,
    read: async (path, signal, accepted = [], token) => {
      const answer = await send('GET', path, signal, token);
      if (answer.status === 200 || accepted.includes(answer.status)) return parse(answer, place);
      throw refused(place, answer, { what: path, write: false });
    },
    change: async (method, path, token, signal) => {
      const answer = await send(method, path, signal, token);
      if (answer.status >= 200 && answer.status < 300) return;
      throw refused(place, answer, { what: path, write: true });
    },
  };
}

function noAnswer(
  place: string,
  {
    cause,
    write,
    withToken,
  }: { readonly cause: unknown; readonly write: boolean; readonly withToken: boolean },
): OpenBaoError {
  if (cause instanceof NoAnswer && cause.cause instanceof OpenBaoError) return cause.cause;
  const sent = cause instanceof NoAnswer && cause.sent;
  const why = cause instanceof Error ? cause.message : 'unknown cause';
  // Requests with a token are audited first; a full or hanging audit device blocks them all.
  const audit =
    sent && withToken ? ' If only requests with a token hang, an audit device may be blocked.' : '';
  return new OpenBaoError(`No answer from ${place}: ${why}.${audit}`, {
    outcome: write && sent ? 'unknown' : 'not-applied',
    retryable: true,
    cause,
  });
}

function refused(
  place: string,
  answer: HttpResponse,
  { what, write }: { readonly what: string; readonly write: boolean },
): OpenBaoError {
  const { status } = answer;
  const errors = parseJson(answer.body)?.errors;
  const said = Array.isArray(errors)
    ? errors.map(String).join('; ').replace(/\s+/gu, ' ').slice(0, 300).trim()
    : '';
  const sealed = status === 503 && /sealed/iu.test(said);
  const next =
    status === 403 ? ` — The token is expired or its policy lacks ${what.replace('/v1/', '')}.` : '';
  return new OpenBaoError(`${place} refused ${what}: ${status}${said === '' ? '' : ` ${said}`}${next}`, {
    status,
    outcome: write && status >= 500 && !sealed ? 'unknown' : 'not-applied',
    retryable: status === 429 || status >= 500,
  });
}

function parse(answer: HttpResponse, place: string): Body {
  const body = parseJson(answer.body);
  if (body !== undefined) return body;
  throw new OpenBaoError(
    `${place} answered with something else than JSON (status ${answer.status}). — Is it OpenBao?`,
    {
      status: answer.status,
      outcome: 'not-applied',
      retryable: false,
    },
  );
}

function parseJson(text: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Body) : undefined;
  } catch {
    return undefined;
  }
}

function toNode(
  pod: string,
  { seal, health, leader }: { readonly seal: Body; readonly health: Body; readonly leader: Body },
): OpenBaoNode {
  const sealed = seal.sealed === true;
  const address = textOf(leader.leader_address);
  return {
    pod,
    initialized: seal.initialized === true,
    sealed,
    version: textOf(seal.version) ?? '',
    active: !sealed && leader.is_self === true,
    leaderAddress: sealed ? undefined : address,
    raftCommittedIndex: numberOf(leader.raft_committed_index),
    raftAppliedIndex: numberOf(leader.raft_applied_index),
    serverTime: numberOf(health.server_time_utc),
  };
}

function toPeers(body: Body, place: string): readonly RaftPeer[] {
  const servers = ((body.data as Body | undefined)?.config as Body | undefined)?.servers;
  if (!Array.isArray(servers)) {
    throw new OpenBaoError(`${place} told no raft configuration. — Does it store its data in raft?`, {
      outcome: 'not-applied',
      retryable: false,
    });
  }
  return servers.map((server: Body) => ({
    id: textOf(server.node_id) ?? '',
    address: textOf(server.address) ?? '',
    leader: server.leader === true,
    voter: server.voter === true,
  }));
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
