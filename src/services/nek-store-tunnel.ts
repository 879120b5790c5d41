import { type AddressInfo, createServer, isIPv6, type Server, type Socket, SocketAddress } from 'node:net';
import type { Duplex } from 'node:stream';
import { type KubernetesObject, type KubernetesReader, kinds } from './kubernetes.ts';

export interface TunnelOptions {
  readonly kubernetes: Pick<KubernetesReader, 'list' | 'portForward'>;
  readonly namespace: string;
  readonly selector: string;
  /** In the pods. */
  readonly port: number;
}

export interface TunnelPod {
  readonly pod: string;
  /** The first of its addresses; empty while it has none. */
  readonly address: string;
  /** Where the driver reaches it: '127.0.0.1:40123'. */
  readonly endpoint: string;
  readonly running: boolean;
}

/**
 * One listener on loopback for each pod, its connections carried through the API server. A listener belongs to the pod's
 * name: a pod that comes back under its name with another address is reached at the same endpoint as before.
 */
export interface Tunnel {
  /** As of the last look. */
  pods(): readonly TunnelPod[];
  /** Lists the pods again: opens what is new, closes what is gone. */
  refresh(): Promise<void>;
  /** The endpoint for an address that a node gave; looks again when it is unknown. Undefined: no pod has it. */
  translate(address: string): Promise<string | undefined>;
  /** Name of the pod behind an endpoint. */
  podAt(endpoint: string): string | undefined;
  /** Why the last connection to a pod failed; undefined since one was opened. */
  failureAt(endpoint: string): unknown;
  /** Whether open connections keep the process alive. Listeners never do. */
  keepAlive(wanted: boolean): void;
  close(): void;
}

interface Entry {
  readonly pod: string;
  readonly server: Server;
  readonly endpoint: string;
  readonly open: Set<Duplex>;
  addresses: readonly string[];
  running: boolean;
  failure: unknown;
}

/** Rejects when the pods cannot be listed. */
export async function openTunnel(options: TunnelOptions): Promise<Tunnel> {
  const entries = new Map<string, Entry>();
  /** Every address that a pod was seen with: nodes know an old one for a while after a restart. */
  const former = new Map<string, string>();
  let looking: Promise<void> | undefined;
  let closed = false;

  async function look(): Promise<void> {
    const { namespace, selector: labelSelector } = options;
    const listed = await options.kubernetes.list(kinds.pods, { namespace, labelSelector });
    const pods = listed.filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
    const names = new Set(pods.map(({ metadata }) => metadata.name));
    for (const entry of entries.values()) if (!names.has(entry.pod)) shut(entry);
    for (const pod of pods) {
      const entry = entries.get(pod.metadata.name) ?? (await listen(pod.metadata.name));
      entry.addresses = addressesOf(pod);
      entry.running = pod.status?.phase === 'Running' && pod.metadata.deletionTimestamp === undefined;
      for (const address of entry.addresses) former.set(address, entry.pod);
    }
  }

  async function listen(pod: string): Promise<Entry> {
    const open = new Set<Duplex>();
    const server = createServer((socket) => {
      carry(socket, entry, options).catch((cause: unknown) => {
        entry.failure = cause;
        socket.resetAndDestroy();
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    const entry: Entry = {
      pod,
      server: server.unref(),
      endpoint: `127.0.0.1:${port}`,
      open,
      addresses: [],
      running: false,
      failure: undefined,
    };
    entries.set(pod, entry);
    // The tunnel was closed while this opened: nobody would close it later.
    if (closed) shut(entry);
    return entry;
  }

  function shut(entry: Entry): void {
    entries.delete(entry.pod);
    entry.server.close();
    for (const stream of entry.open) stream.destroy();
  }

  const refresh = () => {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  };
  const find = (address: string) => {
    const all = [...entries.values()];
    return all.find(({ addresses }) => addresses.includes(address))?.endpoint;
  };
  const at = (endpoint: string) => [...entries.values()].find((entry) => entry.endpoint === endpoint);

  await refresh();
  return {
    refresh,
    pods: () =>
      [...entries.values()].map(({ pod, addresses: [address = ''], endpoint, running }) => ({
        pod,
        address,
        endpoint,
        running,
      })),
    translate: async (given) => {
      const address = plainAddress(given);
      const known = find(address);
      if (known !== undefined) return known;
      await refresh();
      return find(address) ?? entries.get(former.get(address) ?? '')?.endpoint;
    },
    podAt: (endpoint) => at(endpoint)?.pod,
    failureAt: (endpoint) => at(endpoint)?.failure,
    keepAlive: (wanted) => {
      for (const { open } of entries.values()) for (const stream of open) setAlive(stream, wanted);
    },
    close: () => {
      closed = true;
      for (const entry of [...entries.values()]) shut(entry);
    },
  };
}

/** Joins an accepted connection with a stream to the pod; the end of one is the end of both. */
async function carry(socket: Socket, entry: Entry, options: TunnelOptions): Promise<void> {
  entry.open.add(socket);
  // Its end is noticed by 'close'; why it broke does not matter on loopback.
  socket.on('error', () => undefined);
  socket.once('close', () => entry.open.delete(socket));
  socket.setNoDelay(true);
  const { kubernetes, namespace, port } = options;
  const stream = await kubernetes.portForward({ namespace, pod: entry.pod, port });
  stream.on('error', (cause) => {
    entry.failure = cause;
  });
  if (socket.destroyed) {
    stream.destroy();
    return;
  }
  entry.failure = undefined;
  entry.open.add(stream);
  let answered = false;
  stream.once('data', () => {
    answered = true;
  });
  // While it greets a node, the driver notices a reset at once and a silent end only by its time limit.
  stream.once('end', () => {
    if (answered) socket.end();
    else socket.resetAndDestroy();
  });
  stream.once('close', () => {
    entry.open.delete(stream);
    if (answered) socket.destroy();
    else socket.resetAndDestroy();
  });
  socket.once('close', () => stream.destroy());
  socket.pipe(stream).pipe(socket, { end: false });
}

function setAlive(stream: Duplex & { ref?: () => unknown; unref?: () => unknown }, wanted: boolean): void {
  if (wanted) stream.ref?.();
  else stream.unref?.();
}

function addressesOf({ status }: KubernetesObject): readonly string[] {
  const all = Array.isArray(status?.podIPs) ? status.podIPs : [];
  const listed = all.map((item) =>
    typeof item === 'object' && item !== null && 'ip' in item ? String(item.ip) : '',
  );
  const first = typeof status?.podIP === 'string' ? status.podIP : '';
  return [...new Set([first, ...listed])].filter((address) => address !== '').map(plainAddress);
}

/** IPv6 addresses are written in many ways. */
function plainAddress(address: string): string {
  return isIPv6(address) ? new SocketAddress({ address, family: 'ipv6' }).address : address;
}
