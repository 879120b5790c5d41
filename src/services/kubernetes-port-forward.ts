import { Duplex } from 'node:stream';
import { KubernetesError, type KubernetesReader, kinds } from './kubernetes.ts';
import type { Connection } from './kubernetes-connection.ts';
import { refusal } from './kubernetes-errors.ts';
import { objectPath, placeOf } from './kubernetes-paths.ts';
import { openWebSocket, type WebSocketChannel } from './websocket.ts';

const protocol = 'v4.channel.k8s.io';
const chunkSize = 32 * 1024;

/** One stream to one port of a pod. Each call opens a connection of its own. */
export function createPortForward(connection: Connection): KubernetesReader['portForward'] {
  return async ({ namespace, pod, port }) => {
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw refusal(`${port} is no port. — Give a number from 1 to 65535.`, 'InvalidPort');
    }
    const ref = { kind: kinds.pods, namespace, name: pod };
    const place = placeOf(`reach port ${port} of`, ref, false);
    const request = {
      method: 'GET',
      path: objectPath(ref, 'portforward'),
      query: { ports: String(port) },
      place,
    } as const;
    const signal = new AbortController().signal;
    const fail = (why: string, cause?: unknown) =>
      new KubernetesError(`Cannot ${place.what}: ${why}`, {
        reason: 'Unreachable',
        outcome: 'not-applied',
        retryable: true,
        cause,
      });
    const channel = await openWebSocket(
      (headers) => connection.upgrade(request, headers, signal),
      [protocol],
    ).catch((cause: unknown) => {
      throw cause instanceof KubernetesError ? cause : fail('the handshake failed', cause);
    });
    return new PodStream(channel, fail);
  };
}

/** Bytes to and from the port: channel 0 carries data, channel 1 the reason of a failure, each led by the port number. */
export class PodStream extends Duplex {
  readonly #channel: WebSocketChannel;
  #wanted: () => void = () => undefined;

  constructor(channel: WebSocketChannel, fail: (why: string, cause?: unknown) => Error) {
    super();
    this.#channel = channel;
    this.#receive(fail).catch((cause: unknown) => this.destroy(fail('the connection broke', cause)));
  }

  /** As of `net.Socket`, for connection pools. */
  ref(): void {
    this.#channel.keepAlive(true);
  }

  unref(): void {
    this.#channel.keepAlive(false);
  }

  override _read(): void {
    this.#wanted();
  }

  override _write(chunk: Buffer, _encoding: string, done: (cause?: Error | null) => void): void {
    this.#sendAll(chunk).then(() => done(), done);
  }

  /** The protocol knows no half-closed connection: the end of writing is the end. */
  override _final(done: () => void): void {
    this.#channel.close();
    done();
  }

  override _destroy(cause: Error | null, done: (cause: Error | null) => void): void {
    this.#wanted();
    this.#channel.close();
    done(cause);
  }

  async #sendAll(chunk: Buffer): Promise<void> {
    for (let start = 0; start < chunk.length; start += chunkSize) {
      await this.#channel.send(Buffer.concat([Buffer.from([0]), chunk.subarray(start, start + chunkSize)]));
    }
  }

  async #receive(fail: (why: string) => Error): Promise<void> {
    const led = new Set<number>();
    try {
      for await (const message of this.#channel.messages()) {
        const [number = 0] = message;
        const data = led.has(number) ? message.subarray(1) : message.subarray(3);
        led.add(number);
        if (data.length === 0) continue;
        if (number === 1) throw fail(data.toString('utf8').trim());
        if (!this.push(data)) await this.#demand();
        if (this.destroyed) return;
      }
    } catch (cause) {
      if (cause instanceof KubernetesError) {
        this.destroy(cause);
        return;
      }
      if (this.destroyed || this.writableEnded) return;
      throw cause;
    }
    this.push(null);
  }

  #demand(): Promise<void> {
    return new Promise((resolve) => {
      this.#wanted = resolve;
    });
  }
}
