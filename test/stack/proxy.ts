import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { pki, writeKubeconfigFile } from './certificates.ts';
import { bridge, ports, statePath } from './paths.ts';
import { ClientBytes } from './proxy-frames.ts';

/** A way to a server that a test can spoil. It listens on loopback. */
export interface Proxy {
  port: number;
  /** Everything passes again. */
  pass(): void;
  /** Ends every connection and accepts no new one until `pass`. */
  cut(): void;
  /** Holds back what the server says for so long, in milliseconds. */
  delay(milliseconds: number): void;
  /** What the client says passes, nothing that the server says does, until `pass`; `pass` ends the connections concerned. */
  swallow(): void;
  /**
   * Loses the answer to the next thing that contains `text`, be it an HTTP request or inside a websocket, as a
   * port-forward has it: the server gets it and answers, then the connection ends. Resolves when that happened.
   */
  swallowAnswerTo(text: string): Promise<void>;
  close(): Promise<void>;
}

type Mode = 'pass' | 'cut' | 'swallow';

interface Link {
  client: net.Socket;
  server: net.Socket;
  said: ClientBytes;
  /** Set once an answer was lost. */
  spoilt: boolean;
  /** What the server said, in order, and when it may pass. */
  delayed: { at: number; bytes: Buffer }[];
}

/** How long the server has to carry out a request whose answer is lost, in milliseconds. */
const settleMs = 300;

/** A proxy to a plain TCP server, such as an OpenBao pod's address. */
export function startProxy(target: { host: string; port: number }): Promise<Proxy> {
  return listen(net.createServer(), 'connection', () => net.connect(target));
}

/**
 * A proxy to the stack's API server, and a kubeconfig that leads through it. It ends TLS on both sides, so that it can
 * see what is asked; whoever comes through it is the administrator.
 */
export async function startApiProxy(): Promise<Proxy & { kubeconfig: string }> {
  const read = (file: string) => readFileSync(pki(file));
  const server = tls.createServer({ key: read('apiserver.key'), cert: read('apiserver.crt') });
  const upstream = {
    host: bridge.address,
    port: ports.apiServer,
    ca: read('ca.crt'),
    key: read('admin.key'),
    cert: read('admin.crt'),
    ALPNProtocols: ['http/1.1'],
  };
  const proxy = await listen(server, 'secureConnection', () => tls.connect(upstream));
  const kubeconfig = statePath('users', `proxy-${proxy.port}.kubeconfig`);
  writeKubeconfigFile(kubeconfig, {
    server: `https://127.0.0.1:${proxy.port}`,
    authorityFile: pki('ca.crt'),
    user: {},
  });
  return { ...proxy, kubeconfig };
}

function passOn(link: Link): void {
  for (let next = link.delayed[0]; next !== undefined; next = link.delayed[0]) {
    const wait = next.at - performance.now();
    if (wait > 0) {
      setTimeout(() => passOn(link), wait);
      return;
    }
    link.delayed.shift();
    link.client.write(next.bytes);
  }
}

async function listen(
  server: net.Server,
  event: 'connection' | 'secureConnection',
  connect: () => net.Socket,
): Promise<Proxy> {
  const links = new Set<Link>();
  let mode: Mode = 'pass';
  let delayMs = 0;
  let awaited: { text: string; lost: () => void } | undefined;

  const end = ({ client, server: upstream }: Link) => {
    client.destroy();
    upstream.destroy();
  };

  server.on(event, (client: net.Socket) => {
    if (mode === 'cut') {
      client.destroy();
      return;
    }
    const link: Link = { client, server: connect(), said: new ClientBytes(), spoilt: false, delayed: [] };
    links.add(link);
    for (const socket of [link.client, link.server]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        links.delete(link);
        end(link);
      });
    }
    let lose: (() => void) | undefined;
    link.client.on('data', (bytes: Buffer) => {
      if (link.said.contains(bytes, awaited?.text) && awaited !== undefined) {
        lose = awaited.lost;
        awaited = undefined;
      }
      link.server.write(bytes);
    });
    link.server.on('data', (bytes: Buffer) => {
      link.said.heard(bytes);
      if (lose !== undefined) {
        const lost = lose;
        if (!link.spoilt)
          setTimeout(() => {
            end(link);
            lost();
          }, settleMs);
        link.spoilt = true;
      } else if (mode === 'swallow') link.spoilt = true;
      else {
        link.delayed.push({ at: performance.now() + delayMs, bytes });
        if (link.delayed.length === 1) passOn(link);
      }
    });
  });
  server.on('tlsClientError', () => undefined);

  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port));
  });
  return {
    port,
    pass() {
      mode = 'pass';
      delayMs = 0;
      // What was swallowed is missing for ever in the middle of these.
      for (const link of links) if (link.spoilt) end(link);
    },
    cut() {
      mode = 'cut';
      for (const link of links) end(link);
    },
    delay(milliseconds) {
      delayMs = milliseconds;
    },
    swallow() {
      mode = 'swallow';
    },
    swallowAnswerTo: (text) =>
      new Promise((lost) => {
        awaited = { text, lost };
      }),
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        for (const link of links) end(link);
      }),
  };
}
