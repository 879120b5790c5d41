import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { HttpResponse } from './http.ts';

export interface ExchangeRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly agent?: Agent;
  /** PEM, instead of the system's. */
  readonly ca?: readonly string[];
  /** Milliseconds for the connection, for the answer's head, and between two chunks. */
  readonly limit: number;
}

/** An answer whose body is still on its way: `pieces` is read to its end, or left by `return`. */
export interface StreamedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** Why there is no answer, in words; `sent` when the request may have arrived. */
export class NoAnswer extends Error {
  readonly sent: boolean;

  constructor(why: string, sent: boolean, cause?: unknown) {
    super(why, { cause });
    this.name = 'NoAnswer';
    this.sent = sent;
  }
}

const largestBody = 10 * 1024 * 1024;

/** One request, one answer; throws `NoAnswer`. Any status is an answer. */
export async function exchange(request: ExchangeRequest, signal: AbortSignal): Promise<HttpResponse> {
  const { status, headers, pieces } = await exchangeStream(request, signal);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of pieces) {
    size += chunk.length;
    if (size > largestBody) throw new NoAnswer('the answer is larger than 10 MiB', true);
    chunks.push(chunk);
  }
  return { status, headers, body: Buffer.concat(chunks).toString('utf8') };
}

/** As `exchange`, but the body comes in pieces; it throws `NoAnswer`, too, when the connection breaks. */
export function exchangeStream(request: ExchangeRequest, signal: AbortSignal): Promise<StreamedResponse> {
  const open = request.url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new NoAnswer('it was cancelled', false, signal.reason));
      return;
    }
    let sent = false;
    let late: Error | undefined;
    const outgoing = open(request.url, {
      method: request.method,
      headers: { ...request.headers, ...lengthOf(request.body) },
      signal,
      ...(request.agent === undefined ? {} : { agent: request.agent }),
      ...(request.ca === undefined ? {} : { ca: [...request.ca] }),
    });
    const wait = patience(request.limit, (error) => {
      late = error;
      outgoing.destroy(error);
    });
    outgoing.on('error', (cause) => {
      wait.end();
      reject(new NoAnswer(explain(cause, signal), sent, cause));
    });
    outgoing.on('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => (sent = true));
      else sent = true;
    });
    outgoing.on('response', (answer) => {
      wait.begin();
      const broken = (cause: unknown) => new NoAnswer(explain(late ?? cause, signal), true, late ?? cause);
      resolve({
        status: answer.statusCode ?? 0,
        headers: flatten(answer),
        pieces: piecesOf(answer, wait, broken),
      });
    });
    outgoing.end(request.body);
  });
}

interface Patience {
  /** Starts to wait, anew when it waits already. */
  begin(): void;
  end(): void;
}

function patience(limit: number, giveUp: (error: Error) => void): Patience {
  let timer: NodeJS.Timeout | undefined;
  const end = () => clearTimeout(timer);
  const begin = () => {
    end();
    timer = setTimeout(() => giveUp(new Error(`none within ${limit / 1000} s`)), limit);
  };
  begin();
  return { begin, end };
}

async function* piecesOf(
  answer: IncomingMessage,
  wait: Patience,
  broken: (cause: unknown) => Error,
): AsyncGenerator<Uint8Array> {
  const chunks = answer[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch((cause: unknown) => {
        throw broken(cause);
      });
      // What the reader does with a piece is not the server's time.
      wait.end();
      if (next.done === true) return;
      yield next.value as Uint8Array;
      wait.begin();
    }
  } finally {
    wait.end();
    if (!answer.complete) answer.destroy();
  }
}

function lengthOf(body: Uint8Array | undefined): Record<string, string> {
  return body === undefined ? {} : { 'content-length': String(body.length) };
}

function flatten(answer: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ERR_STREAM_PREMATURE_CLOSE: 'the connection broke',
  ENOTFOUND: 'the name does not resolve',
  EAI_AGAIN: 'the name does not resolve',
  EHOSTUNREACH: 'the host is unreachable',
  ENETUNREACH: 'the network is unreachable',
  ETIMEDOUT: 'the connection timed out',
};

function explain(cause: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'it was cancelled';
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return words[code] ?? (cause instanceof Error && cause.message !== '' ? cause.message : code);
}
