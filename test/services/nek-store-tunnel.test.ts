import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { KubernetesError } from '../../src/services/kubernetes.ts';
import { openTunnel, type Tunnel } from '../../src/services/nek-store-tunnel.ts';
import { FakePods } from '../fakes/fake-pods.ts';

const opened: { close(): unknown }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

/** Says its name, then repeats what it hears; `bye` ends the connection. */
async function startEcho(name: string): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.write(`${name}:`);
    socket.on('data', (chunk: Buffer) => {
      if (chunk.toString() === 'bye') socket.destroy();
      else socket.write(chunk);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  opened.push(server);
  return (server.address() as AddressInfo).port;
}

async function rig(names: readonly string[]) {
  const ports = new Map<string, number>();
  for (const name of names) ports.set(name, await startEcho(name));
  const pods = new FakePods(
    names.map((name, index) => ({ name, ip: `10.0.0.${index + 1}` })),
    ({ name }) => ({ host: '127.0.0.1', port: ports.get(name) ?? 1 }),
  );
  const tunnel = await openTunnel({ kubernetes: pods, namespace: 'cs', selector: 'app=c', port: 9042 });
  opened.push(tunnel);
  return { pods, tunnel, ports };
}

function dial(endpoint: string): Socket {
  const [host, port] = endpoint.split(':');
  const socket = connect(Number(port), host);
  opened.push({ close: () => socket.destroy() });
  return socket;
}

async function greeting(endpoint: string): Promise<string> {
  const [chunk] = (await once(dial(endpoint), 'data')) as [Buffer];
  return chunk.toString();
}

const endpointOf = (tunnel: Tunnel, pod: string) =>
  tunnel.pods().find((each) => each.pod === pod)?.endpoint ?? '';

describe('a tunnel', () => {
  test('leads to each pod by an endpoint of its own on loopback', async () => {
    const { tunnel } = await rig(['c-0', 'c-1']);
    expect(tunnel.pods().map(({ pod, address, running }) => [pod, address, running])).toEqual([
      ['c-0', '10.0.0.1', true],
      ['c-1', '10.0.0.2', true],
    ]);
    for (const { pod, endpoint } of tunnel.pods()) {
      expect(endpoint).toMatch(/^127\.0\.0\.1:\d+$/u);
      expect(await greeting(endpoint)).toBe(`${pod}:`);
      expect(tunnel.podAt(endpoint)).toBe(pod);
    }
  });

  test('carries bytes both ways, and the end of the connection', async () => {
    const { tunnel } = await rig(['c-0']);
    const socket = dial(endpointOf(tunnel, 'c-0'));
    await once(socket, 'data');
    const load = 'x'.repeat(300_000);
    socket.write(load);
    let heard = '';
    for await (const chunk of socket) {
      heard += String(chunk);
      if (heard.length === load.length) break;
    }
    expect(heard).toBe(load);
    const other = dial(endpointOf(tunnel, 'c-0'));
    other.write('bye');
    expect(await text(other)).toBe('c-0:');
  });

  test('translates addresses of pods, and looks again for one that it does not know', async () => {
    const { tunnel, pods } = await rig(['c-0', 'c-1']);
    const first = endpointOf(tunnel, 'c-0');
    expect(await tunnel.translate('10.0.0.1')).toBe(first);
    expect(pods.lists).toBe(1);
    pods.pods = [
      { name: 'c-0', ip: '10.0.0.9' },
      { name: 'c-1', ip: '10.0.0.2' },
    ];
    expect(await tunnel.translate('10.0.0.9')).toBe(first);
    expect(pods.lists).toBe(2);
    // Nodes still speak of the old address for a while.
    expect(await tunnel.translate('10.0.0.1')).toBe(first);
    expect(await tunnel.translate('192.0.2.1')).toBeUndefined();
  });

  test('gives an address that another pod took over to that pod', async () => {
    const { tunnel, pods } = await rig(['c-0', 'c-1']);
    pods.pods = [
      { name: 'c-0', ip: '10.0.0.2' },
      { name: 'c-1', ip: '10.0.0.7' },
    ];
    await tunnel.refresh();
    expect(await tunnel.translate('10.0.0.2')).toBe(endpointOf(tunnel, 'c-0'));
    expect(await tunnel.translate('10.0.0.7')).toBe(endpointOf(tunnel, 'c-1'));
  });

  test('reads addresses of version 6 however they are written', async () => {
    const { tunnel, pods } = await rig(['c-0']);
    pods.pods = [{ name: 'c-0', ip: 'FD00:0:0:0:0:0:0:1' }];
    await tunnel.refresh();
    expect(await tunnel.translate('fd00::1')).toBe(endpointOf(tunnel, 'c-0'));
  });

  test('closes the listener and the connections of a pod that is gone, and those of no other', async () => {
    const { tunnel, pods } = await rig(['c-0', 'c-1']);
    const [gone, kept] = [dial(endpointOf(tunnel, 'c-0')), dial(endpointOf(tunnel, 'c-1'))];
    await Promise.all([once(gone, 'data'), once(kept, 'data')]);
    const ended = once(gone, 'close');
    gone.on('error', () => undefined);
    const endpoint = endpointOf(tunnel, 'c-0');
    pods.pods = [{ name: 'c-1', ip: '10.0.0.2' }];
    await tunnel.refresh();
    await ended;
    const [refused] = (await once(dial(endpoint), 'error')) as [NodeJS.ErrnoException];
    expect(refused.code).toBe('ECONNREFUSED');
    kept.write('still here');
    expect(String((await once(kept, 'data'))[0])).toBe('still here');
    expect(tunnel.podAt(endpoint)).toBeUndefined();
  });

  test('resets a connection to a pod that cannot be reached, and knows why until one can', async () => {
    const { tunnel, pods, ports } = await rig(['c-0']);
    const endpoint = endpointOf(tunnel, 'c-0');
    const port = ports.get('c-0') ?? 0;
    ports.set('c-0', 1);
    const [reset] = (await once(dial(endpoint), 'error')) as [NodeJS.ErrnoException];
    expect(reset.code).toBe('ECONNRESET');
    expect(tunnel.failureAt(endpoint)).toBeInstanceOf(KubernetesError);
    expect(pods.streams).toHaveLength(0);
    ports.set('c-0', port);
    expect(await greeting(endpoint)).toBe('c-0:');
    expect(tunnel.failureAt(endpoint)).toBeUndefined();
  });

  test('resets a connection that a pod ends without a word', async () => {
    const { tunnel, ports } = await rig(['c-0']);
    const server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    opened.push(server);
    ports.set('c-0', (server.address() as AddressInfo).port);
    const socket = dial(endpointOf(tunnel, 'c-0')).resume();
    const [reset] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(reset.code).toBe('ECONNRESET');
  });

  test('does not count on pods that have ended, and tells which ones are not running', async () => {
    const { tunnel, pods } = await rig(['c-0']);
    pods.pods = [
      { name: 'c-0', ip: '10.0.0.1', deleting: true },
      { name: 'c-1', ip: '', phase: 'Pending' },
      { name: 'c-2', ip: '10.0.0.3', phase: 'Failed' },
    ];
    await tunnel.refresh();
    expect(tunnel.pods().map(({ pod, running, address }) => [pod, running, address])).toEqual([
      ['c-0', false, '10.0.0.1'],
      ['c-1', false, ''],
    ]);
  });

  test('asks once when several ask at the same time', async () => {
    const { tunnel, pods } = await rig(['c-0']);
    await Promise.all([tunnel.refresh(), tunnel.refresh(), tunnel.translate('192.0.2.1')]);
    expect(pods.lists).toBe(2);
  });
});
