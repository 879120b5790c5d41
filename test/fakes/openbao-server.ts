import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect } from 'vitest';
import { type KubernetesObject, kinds } from '../../src/services/kubernetes.ts';
import { OpenBaoError } from '../../src/services/openbao.ts';
import { createOpenBao } from '../../src/services/openbao-http.ts';
import { type LocalServer, startLocalServer } from './local-server.ts';

export const pod = { namespace: 'vault-system', pod: 'openbao-server-0', uid: 'u1' };

export type Answer = readonly [status: number, body: unknown] | 'reset';
/** By 'POST /v1/…', or by '/v1/…' for every method. */
export type Answers = Readonly<Record<string, Answer>>;

export interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface OpenBaoServer extends LocalServer {
  readonly asked: readonly Request[];
}

/** An HTTP server on loopback with OpenBao's answers; 404 with no error for what it does not know, as OpenBao says "nothing here". */
export async function serve(answers: Answers): Promise<OpenBaoServer> {
  const asked: Request[] = [];
  const respond = (request: Request, response: ServerResponse) => {
    asked.push(request);
    const answer = answers[`${request.method} ${request.url}`] ??
      answers[request.url] ?? [404, { errors: [] }];
    if (answer === 'reset') {
      response.socket?.resetAndDestroy();
      return;
    }
    const [status, body] = answer;
    response.writeHead(status);
    response.end(typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body));
  };
  const server = await startLocalServer((incoming, response) => {
    const { method = '', url = '', headers } = incoming;
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () =>
      respond({ method, url, headers, body: Buffer.concat(chunks).toString() }, response),
    );
  });
  return Object.assign(server, { asked });
}

/** OpenBao in a pod with this uid, reached over streams to the server. */
export function inPod(server: LocalServer, uid = () => 'u1') {
  const metadata = { name: pod.pod, namespace: pod.namespace, resourceVersion: '1' };
  return createOpenBao({
    kubernetes: {
      portForward: () => server.open(),
      get: (ref) => {
        expect(ref).toEqual({ kind: kinds.pods, namespace: pod.namespace, name: pod.pod });
        const found: KubernetesObject = {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { ...metadata, uid: uid() },
        };
        return Promise.resolve(found);
      },
    },
  });
}

/** The failure of a call, proven not to repeat any of the `secrets`. */
export async function failureOf(
  call: Promise<unknown>,
  secrets: readonly string[] = ['hunter2'],
): Promise<OpenBaoError> {
  const failure = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(failure instanceof OpenBaoError)) throw new Error(`expected a failure, got ${String(failure)}`);
  for (const secret of secrets) {
    expect(failure.message).not.toContain(secret);
    expect(JSON.stringify(failure)).not.toContain(secret);
  }
  return failure;
}
