import type { Agent } from 'node:http';
import type { Secret } from '../engine/secret.ts';
import type { HttpResponse } from './http.ts';
import { exchange, exchangeStream, NoAnswer } from './http-exchange.ts';
import { type KubernetesReader, kinds } from './kubernetes.ts';
import { OpenBaoError, type OpenBaoPod } from './openbao.ts';
import { type Asked, parseAnswer, refusal } from './openbao-refusal.ts';
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

/** A parsed JSON object. */
export type Body = Readonly<Record<string, unknown>>;

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  /** Path and query, encoded: '/v1/sys/health'. */
  readonly path: string;
  readonly token?: Secret;
  /** JSON. It may hold secrets: nothing of it is repeated in an error. */
  readonly body?: Uint8Array;
  readonly type?: string;
  /** Whether it changes something, so that a missing answer leaves that open. */
  readonly write: boolean;
}

export interface Endpoint {
  /** 'OpenBao pod vault-system/openbao-server-0', for messages. */
  readonly place: string;
  /** Any status is an answer; throws `OpenBaoError` when none comes. */
  ask(call: Call, signal: AbortSignal): Promise<HttpResponse>;
  /** A JSON object with status 200, or one of the `accepted`; throws `OpenBaoError` otherwise. */
  read(path: string, signal: AbortSignal, accepted?: readonly number[], token?: Secret): Promise<Body>;
  /** Throws `OpenBaoError` unless the status is one of success. */
  change(call: Omit<Call, 'write'>, signal: AbortSignal): Promise<HttpResponse>;
  /** The body of an answer with status 200, in pieces. */
  download(path: string, token: Secret, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

const port = 8200;
const limit = 10_000;
// The server writes a snapshot to its disk before it sends the first byte.
const downloadLimit = 120_000;

/** Endpoints by pod; `about: 'status'` refuses an address that cannot tell one pod from another. */
export type Transport = (pod: OpenBaoPod, about: 'status' | 'any') => Endpoint;

export function createTransport(options: OpenBaoOptions): Transport {
  const agents = new Map<string, Agent>();
  return (pod, about) => {
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
  const request = ({ method, path, body, type }: Call) => ({
    method,
    url: new URL(`${target.base}${path}`),
    headers: {
      accept: 'application/json',
      'x-vault-request': 'true',
      ...(body === undefined ? {} : { 'content-type': type ?? 'application/json' }),
    },
    limit,
    ...(body === undefined ? {} : { body }),
    ...(target.agent === undefined ? {} : { agent: target.agent }),
    ...(target.ca === undefined ? {} : { ca: [target.ca] }),
  });
  const withToken = (headers: Readonly<Record<string, string>>, text: string) => ({
    ...headers,
    'x-vault-token': text.trim(),
  });
  const ask: Endpoint['ask'] = async (call, signal) => {
    const plain = request(call);
    try {
      if (call.token === undefined) return await exchange(plain, signal);
      return await call.token.revealText((text) =>
        exchange({ ...plain, headers: withToken(plain.headers, text) }, signal),
      );
    } catch (cause) {
      throw noAnswer(place, cause, { write: call.write, withToken: call.token !== undefined });
    }
  };
  const refused = (answer: HttpResponse, asked: Asked) => refusal(place, answer, asked);
  return {
    place,
    ask,
    read: async (path, signal, accepted = [], token) => {
      const call: Call = { method: 'GET', path, write: false, ...(token === undefined ? {} : { token }) };
      const answer = await ask(call, signal);
      if (answer.status === 200 || accepted.includes(answer.status)) return parseAnswer(place, answer);
      throw refused(answer, { path, write: false });
    },
    change: async (given, signal) => {
      const answer = await ask({ ...given, write: true }, signal);
      if (answer.status >= 200 && answer.status < 300) return answer;
      throw refused(answer, { ...given, write: true });
    },
    async *download(path, token, signal) {
      const plain = { ...request({ method: 'GET', path, write: false }), limit: downloadLimit };
      try {
        const answer = await token.revealText((text) =>
          exchangeStream({ ...plain, headers: withToken(plain.headers, text) }, signal),
        );
        if (answer.status === 200) {
          yield* answer.pieces;
          return;
        }
        const body = await textOf(answer.pieces);
        throw refused({ ...answer, body }, { path, write: false });
      } catch (cause) {
        throw cause instanceof NoAnswer ? noAnswer(place, cause, { write: false, withToken: true }) : cause;
      }
    },
  };
}

async function textOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const piece of pieces) {
    text += Buffer.from(piece).toString('latin1');
    if (text.length > 4096) break;
  }
  return text;
}

function noAnswer(
  place: string,
  cause: unknown,
  { write, withToken }: { readonly write: boolean; readonly withToken: boolean },
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
