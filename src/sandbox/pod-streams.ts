import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import { type KubernetesReader, kinds } from '../services/kubernetes.ts';
import { answerError, transportError } from '../services/kubernetes-errors.ts';
import { objectPath, placeOf } from '../services/kubernetes-paths.ts';
import { notFound } from './api-error.ts';
import { type Caller, permit, requireServer, SERVER } from './connection.ts';
import type { Machine } from './machine.ts';
import { answerHttp, runOf } from './pod-http.ts';
import type { PodPort } from './pod-port.ts';

/** Larger requests are refused, as most servers do. */
const LARGEST_BODY = 32 * 1024 * 1024;

/** The whole body of a request; undefined when it is too large. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= LARGEST_BODY) chunks.push(chunk);
  }
  return size > LARGEST_BODY ? undefined : Buffer.concat(chunks);
}

function headersOf(request: IncomingMessage): Record<string, string> {
  const single = Object.entries(request.headers).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(single);
}

/** HTTP servers of pods, spoken to over streams inside this process. */
function podServer(machine: Machine, target: PodPort): Server {
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = 'GET', url = '/' } = request;
    const body = await bodyOf(request);
    const answer =
      body === undefined
        ? { status: 413, type: 'text/plain', body: 'request body too large' }
        : answerHttp(machine, { ...target, method, url, headers: headersOf(request), body });
    if (answer === undefined) {
      request.socket.destroy();
      return;
    }
    // The date of the answer is the world's, so that a run repeats.
    response.sendDate = false;
    const date = new Date(machine.clock.now()).toUTCString();
    response
      .writeHead(answer.status, { ...answer.headers, 'content-type': answer.type, date })
      .end(answer.body);
  };
  return createServer((request, response) => {
    // A request whose sender left half-way, and a world that cannot be written any more, get no answer.
    respond(request, response).catch(() => request.socket.destroy());
  });
}

/** Streams to the ports of simulated pods. */
export function sandboxPortForward(machine: Machine, caller: Caller): KubernetesReader['portForward'] {
  return async (target): Promise<Duplex> => {
    const ref = { kind: kinds.pods, namespace: target.namespace, name: target.pod };
    const place = placeOf(`reach port ${target.port} of`, ref, false);
    objectPath(ref, 'portforward');
    requireServer(machine, place);
    const { namespace, pod: name } = target;
    const asked = { verb: 'create', group: '', resource: 'pods/portforward', namespace, name };
    permit(machine, caller, { asked, place });
    if (machine.world.store.get(kinds.pods, namespace, name) === undefined)
      throw answerError(place, notFound(kinds.pods, name));
    if (runOf(machine.world, target) === undefined)
      throw transportError(place, {
        server: SERVER,
        cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
        sent: false,
      });
    const [near, far] = duplexPair();
    const first = runOf(machine.world, target);
    // A stream ends with the container that it leads to, though the next pod may have the same name.
    const leave = machine.world.store.onChange(() => {
      if (runOf(machine.world, target) === first || far.destroyed) return;
      // Time waits until the other end has heard of it.
      machine.clock.touch();
      far.destroy();
    });
    // A pair of streams does not end together by itself.
    far.once('close', () => {
      leave();
      near.destroy();
    });
    near.once('close', () => far.destroy());
    podServer(machine, target).emit('connection', far);
    return near;
  };
}
