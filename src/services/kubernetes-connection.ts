import {
  type ClientRequest,
  type Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createAgent } from './kubernetes-agent.ts';
import type { ResolvedContext } from './kubernetes-config.ts';
import type { Credential, Credentials } from './kubernetes-credentials.ts';
import { answerError, type CallPlace, transportError } from './kubernetes-errors.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below the server's address: '/apis/apps/v1/namespaces/nvcf/deployments/nvcf-api'. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Already serialised. */
  readonly body?: string;
  readonly contentType?: string;
  /** Media types wanted; JSON without it. */
  readonly accept?: string;
  readonly place: CallPlace;
}

/** The connection was switched to another protocol. */
export interface Upgraded {
  readonly socket: Duplex;
  /** Bytes that came with the answer's head. */
  readonly head: Buffer;
  readonly headers: IncomingMessage['headers'];
}

/** Bytes to and from one API server, with credentials, time limits and the library's errors turned into ours. */
export interface Connection {
  readonly context: string;
  readonly server: string;
  /** One attempt; the body of a successful answer. */
  call(request: ApiRequest): Promise<Buffer>;
  /** A successful answer whose body is still coming; no limit on its length in time. Ends with the signal. */
  stream(request: ApiRequest, signal: AbortSignal): Promise<IncomingMessage>;
  upgrade(
    request: ApiRequest,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Upgraded>;
}

export interface ConnectionOptions {
  readonly credentials: Credentials;
  /** Proxy variables. */
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: Limits;
}

/** Milliseconds. */
export interface Limits {
  readonly connect: number;
  /** Until the answer's head, and between two chunks of its body. */
  readonly answer: number;
  /** The same for writes: admission webhooks may take 30 s, and giving up earlier makes the outcome unknown. */
  readonly writeAnswer: number;
  /** A watch that brings nothing for this long, not even its regular end, is dead. */
  readonly silence: number;
}

export const defaultLimits: Limits = {
  connect: 10_000,
  answer: 10_000,
  writeAnswer: 35_000,
  silence: 35_000,
};

/** Upper bound of one answer in memory; lists are paged far below it. */
const maxBody = 256 * 1024 * 1024;

export function createConnection(context: ResolvedContext, options: ConnectionOptions): Connection {
  const agents = agentCache(context, options);
  const { limits } = options;

  async function open(request: ApiRequest, extra: Extra): Promise<Exchange> {
    const credential = await options.credentials.current();
    const agent = await agents(credential);
    const exchange = await send(context, request, { ...extra, credential, agent, limits });
    // 401 is refused before anything happens, so that a write may be repeated, too.
    if (exchange.answer.statusCode === 401 && !extra.repeated && options.credentials.renew()) {
      exchange.answer.resume();
      return open(request, { ...extra, repeated: true });
    }
    return exchange;
  }

  return {
    context: context.context,
    server: context.server,
    call: async (request) => {
      const { answer, fail } = await open(request, {});
      const body = await readBody(answer, fail);
      if (isSuccess(answer)) return body;
      throw answerError(request.place, failedAnswer(answer, body));
    },
    stream: async (request, signal) => {
      const { answer, fail, endless } = await open(request, { signal });
      if (isSuccess(answer)) {
        endless();
        return answer;
      }
      throw answerError(request.place, failedAnswer(answer, await readBody(answer, fail)));
    },
    upgrade: async (request, headers, signal) => {
      const { answer, fail, upgraded } = await open(request, { signal, headers });
      if (upgraded !== undefined) return { ...upgraded, headers: answer.headers };
      throw answerError(request.place, failedAnswer(answer, await readBody(answer, fail)));
    },
  };
}

function agentCache(context: ResolvedContext, options: ConnectionOptions) {
  let held: { readonly cert: string | undefined; readonly agent: Promise<HttpAgent> } | undefined;
  return (credential: Credential): Promise<HttpAgent> => {
    if (held === undefined || held.cert !== credential.cert) {
      held = { cert: credential.cert, agent: createAgent(context, credential, options.environment) };
    }
    return held.agent;
  };
}

interface Extra {
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
  readonly repeated?: boolean;
}

interface Exchange {
  readonly answer: IncomingMessage;
  readonly upgraded?: { readonly socket: Duplex; readonly head: Buffer };
  readonly fail: (cause: unknown) => Error;
  /** Lifts the time limit between chunks. */
  readonly endless: () => void;
}

interface Sending extends Extra {
  readonly credential: Credential;
  readonly agent: HttpAgent;
  readonly limits: Limits;
}

function send(context: ResolvedContext, request: ApiRequest, sending: Sending): Promise<Exchange> {
  const url = urlOf(context.server, request);
  const open = url.protocol === 'http:' ? httpRequest : httpsRequest;
  const { limits, agent, signal } = sending;
  const outgoing = open(url, {
    method: request.method,
    agent,
    headers: headersOf(request, sending),
    ...(signal === undefined ? {} : { signal }),
  });
  let sent = false;
  const fail = (cause: unknown) => transportError(request.place, { server: context.server, cause, sent });
  const limit = timeLimit(outgoing, limits.connect, 'no connection');
  outgoing.on('socket', (socket) => {
    const connected = () => {
      sent = true;
      limit.restart(request.place.write ? limits.writeAnswer : limits.answer, 'no answer');
    };
    if (socket.connecting) socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', connected);
    else connected();
  });
  return new Promise((resolve, reject) => {
    outgoing.on('error', (cause) => {
      limit.stop();
      reject(fail(cause));
    });
    outgoing.on('response', (answer) => {
      limit.restart(limits.answer, 'the answer stopped halfway');
      answer.on('data', () => limit.restart(limits.answer, 'the answer stopped halfway'));
      answer.pause();
      answer.on('close', limit.stop);
      resolve({ answer, fail, endless: limit.stop });
    });
    outgoing.on('upgrade', (answer, socket, head) => {
      limit.stop();
      resolve({ answer, upgraded: { socket, head }, fail, endless: limit.stop });
    });
    outgoing.end(request.body);
  });
}

function timeLimit(outgoing: ClientRequest, milliseconds: number, text: string) {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const restart = (ms: number, what: string) => {
    if (stopped) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      outgoing.destroy(Object.assign(new Error(`${what} within ${ms / 1000} s`), { code: 'ETIMEDOUT' }));
    }, ms);
  };
  restart(milliseconds, text);
  return {
    restart,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function urlOf(server: string, request: ApiRequest): URL {
  const url = new URL(`${server}${request.path}`);
  for (const [name, value] of Object.entries(request.query ?? {})) {
    for (const one of typeof value === 'string' ? [value] : (value ?? [])) url.searchParams.append(name, one);
  }
  return url;
}

function headersOf(request: ApiRequest, sending: Sending): Record<string, string> {
  const body =
    request.body === undefined
      ? {}
      : {
          'content-type': request.contentType ?? 'application/json',
          'content-length': String(Buffer.byteLength(request.body)),
        };
  return {
    accept: request.accept ?? 'application/json, */*',
    'user-agent': 'runbook',
    ...body,
    ...sending.credential.headers,
    ...sending.headers,
  };
}

async function readBody(answer: IncomingMessage, fail: (cause: unknown) => Error): Promise<Buffer> {
  try {
    return await buffer(capped(answer));
  } catch (cause) {
    throw fail(cause);
  }
}

async function* capped(answer: IncomingMessage): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of answer) {
    size += chunk.length;
    if (size > maxBody) throw new Error(`the answer is larger than ${maxBody / 1024 / 1024} MiB`);
    yield chunk;
  }
}

function isSuccess(answer: IncomingMessage): boolean {
  const status = answer.statusCode ?? 0;
  return status >= 200 && status < 300;
}

function failedAnswer(answer: IncomingMessage, body: Buffer) {
  return {
    status: answer.statusCode ?? 0,
    retryAfter: answer.headers['retry-after'],
    body: body.toString('utf8'),
  };
}
