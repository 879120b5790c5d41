import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { HttpResponse } from './http.ts';

export interface ExchangeRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly agent?: Agent;
  /** PEM, instead of the system's. */
  readonly ca?: readonly string[];
  /** Milliseconds for the connection, for the answer's head, and between two chunks. */
  readonly limit: number;
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
export function exchange(request: ExchangeRequest, signal: AbortSignal): Promise<HttpResponse> {
  const open = request.url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new NoAnswer('it was cancelled', false, signal.reason));
      return;
    }
    let sent = false;
    const outgoing = open(request.url, {
      method: request.method,
      headers: { ...request.headers, ...lengthOf(request.body) },
      signal,
      ...(request.agent === undefined ? {} : { agent: request.agent }),
      ...(request.ca === undefined ? {} : { ca: [...request.ca] }),
    });
    const timer = setTimeout(
      () => outgoing.destroy(new Error(`none within ${request.limit / 1000} s`)),
      request.limit,
    );
    const fail = (cause: unknown) => {
      clearTimeout(timer);
      reject(new NoAnswer(explain(cause, signal), sent, cause));
    };
    outgoing.on('error', fail);
    outgoing.on('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => (sent = true));
      else sent = true;
    });
    outgoing.on('response', (answer) => {
      timer.refresh();
      readBody(answer, () => timer.refresh()).then((body) => {
        clearTimeout(timer);
        resolve({ status: answer.statusCode ?? 0, headers: flatten(answer), body });
      }, fail);
    });
    outgoing.end(request.body);
  });
}

async function readBody(answer: IncomingMessage, progressed: () => void): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    progressed();
    size += chunk.length;
    if (size > largestBody) throw new Error('the answer is larger than 10 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function lengthOf(body: Buffer | undefined): Record<string, string> {
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
