import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { KubernetesWriter } from '../../src/services/kubernetes.ts';
import { createKubernetes, type KubernetesOptions } from '../../src/services/kubernetes-real.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import { createInstantClock, type InstantClock } from './instant-clock.ts';
import { sendSignal } from './send-signal.ts';

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What the server does with a request: answer, cut the connection after reading it, say nothing, or hand over. */
export type FakeAnswer =
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: unknown }
  | 'reset'
  | 'silence'
  | ((response: ServerResponse) => void);

export interface FakeApiServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly FakeRequest[];
  readonly kubeconfig: string;
  readonly clock: InstantClock;
  readonly kubernetes: KubernetesWriter;
  /** Called for WebSocket handshakes. */
  onUpgrade(handle: (request: FakeRequest, socket: Duplex) => void): void;
  connect(options?: Partial<KubernetesOptions>): KubernetesWriter;
  /** Refuses connections from now on. */
  stop(): Promise<void>;
}

/** An HTTP server on loopback that answers as the test says, and a client that is configured for it. */
export async function startFakeApiServer(
  answer: (request: FakeRequest) => FakeAnswer,
  user: object = { token: 'secret-token' },
): Promise<FakeApiServer> {
  const requests: FakeRequest[] = [];
  const clock = createInstantClock();
  let upgrade: (request: FakeRequest, socket: Duplex) => void = (_, socket) => socket.destroy();
  const server = createServer((incoming, response) => {
    parse(incoming).then((request) => {
      requests.push(request);
      respond(answer(request), response);
    });
  });
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (incoming, socket) => {
    upgraded.add(socket);
    const request = describe(incoming, '');
    requests.push(request);
    upgrade(request, socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const folder = await mkdtemp(path.join(tmpdir(), 'runbook-fake-'));
  const kubeconfig = path.join(folder, 'config');
  await writeFile(kubeconfig, JSON.stringify(kubeconfigFor(url, user)));
  const connect = (options: Partial<KubernetesOptions> = {}) =>
    createKubernetes({
      kubeconfig,
      clock,
      process: createProcessRunner({ kill: sendSignal, environment: process.env }),
      environment: {},
      ...options,
    });
  const stop = async () => {
    server.closeAllConnections();
    for (const socket of upgraded) socket.destroy();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  };
  return {
    url,
    requests,
    kubeconfig,
    clock,
    connect,
    kubernetes: connect(),
    onUpgrade: (handle) => {
      upgrade = handle;
    },
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await rm(folder, { recursive: true });
    },
  };
}

/** A `Status` as the API server writes it. */
export function status(
  code: number,
  reason: string,
  more: { message?: string; details?: object } = {},
): FakeAnswer {
  const body = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, ...more };
  return { status: code, body };
}

export function kubeconfigFor(server: string, user: object, cluster: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server, ...cluster } }],
    users: [{ name: 'tester', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'tester' } }],
  };
}

async function parse(incoming: IncomingMessage): Promise<FakeRequest> {
  return describe(incoming, await text(incoming));
}

function describe(incoming: IncomingMessage, body: string): FakeRequest {
  const url = new URL(incoming.url ?? '/', 'http://fake');
  return {
    method: incoming.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    headers: incoming.headers,
    body,
  };
}

function respond(answer: FakeAnswer, response: ServerResponse): void {
  if (answer === 'silence') return;
  if (answer === 'reset') response.socket?.resetAndDestroy();
  else if (typeof answer === 'function') answer(response);
  else {
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {}));
  }
}
