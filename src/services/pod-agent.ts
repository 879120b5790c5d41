import { type ClientRequest, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { KubernetesReader } from './kubernetes.ts';

export interface PodPort {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

export interface PodTls {
  readonly servername: string;
  readonly ca: readonly string[] | undefined;
}

/** A kept connection is given up after this long without a request. */
const idleLimit = 10_000;

type Created = (cause: Error | null, stream?: Duplex) => void;

/** Connections to a port of a pod for `http.request`; kept for the next request, without keeping the process alive. */
export function createPodAgent(kubernetes: Pick<KubernetesReader, 'portForward'>, port: PodPort): HttpAgent {
  return new PodHttpAgent(() => kubernetes.portForward(port));
}

/** The same for `https.request`: TLS inside the forwarded stream. */
export function createPodTlsAgent(
  kubernetes: Pick<KubernetesReader, 'portForward'>,
  port: PodPort,
  tls: PodTls,
): HttpsAgent {
  return new PodHttpsAgent(async () => {
    const socket = await kubernetes.portForward(port);
    const ca = tls.ca === undefined ? {} : { ca: [...tls.ca] };
    return connectTls({ socket, servername: tls.servername, ...ca });
  });
}

class PodHttpAgent extends HttpAgent {
  readonly #open: () => Promise<Duplex>;

  constructor(open: () => Promise<Duplex>) {
    super({ keepAlive: true });
    this.#open = open;
  }

  override createConnection(_options: object, created: Created): undefined {
    this.#open().then((stream) => created(null, stream), created);
  }

  override keepSocketAlive(stream: Duplex): boolean {
    return rest(stream);
  }

  override reuseSocket(stream: Duplex, request: ClientRequest): void {
    resume(stream);
    super.reuseSocket(stream, request);
  }
}

class PodHttpsAgent extends HttpsAgent {
  readonly #open: () => Promise<Duplex>;

  constructor(open: () => Promise<Duplex>) {
    super({ keepAlive: true });
    this.#open = open;
  }

  override createConnection(_options: object, created: Created): undefined {
    this.#open().then((stream) => created(null, stream), created);
  }

  override keepSocketAlive(stream: Duplex): boolean {
    return rest(stream);
  }

  override reuseSocket(stream: Duplex, request: ClientRequest): void {
    resume(stream);
    super.reuseSocket(stream, request);
  }
}

const timers = new WeakMap<Duplex, NodeJS.Timeout>();

function rest(stream: Duplex & { unref?: () => void }): boolean {
  stream.unref?.();
  timers.set(stream, setTimeout(() => stream.destroy(), idleLimit).unref());
  return true;
}

/** The base class keeps the process alive by `ref`, which sockets have and other streams may not. */
function resume(stream: Duplex & { ref?: () => void }): void {
  clearTimeout(timers.get(stream));
  stream.ref ??= () => undefined;
}
