import { createHash, randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { encodeFrame, FrameReader, opcodes } from './websocket-frames.ts';

/** Switches a connection to WebSocket (RFC 6455) with these headers, or throws with the server's refusal. */
export type Upgrade = (headers: Readonly<Record<string, string>>) => Promise<{
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly headers: IncomingHttpHeaders;
}>;

export interface WebSocketChannel {
  /** The subprotocol that the server chose. */
  readonly protocol: string;
  /** Whole binary or text messages; ends with the connection, throws when it breaks without a goodbye. One consumer. */
  messages(): AsyncGenerator<Buffer>;
  /** Resolves when the operating system took it: the sender feels a slow receiver. */
  send(message: Buffer): Promise<void>;
  /** Says goodbye and closes. */
  close(): void;
  /** Whether this connection keeps the process alive. */
  keepAlive(wanted: boolean): void;
}

const pingEvery = 10_000;
const silenceLimit = 60_000;

/**
 * A client without extensions. Our own rather than a package, so that a refused handshake keeps the API server's
 * answer, and time limits, cancelling and back-pressure are those of the other calls.
 */
export async function openWebSocket(
  upgrade: Upgrade,
  protocols: readonly string[],
): Promise<WebSocketChannel> {
  const key = randomBytes(16).toString('base64');
  const { socket, head, headers } = await upgrade({
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': key,
    'sec-websocket-protocol': protocols.join(', '),
  });
  const protocol = headers['sec-websocket-protocol'] ?? '';
  if (headers['sec-websocket-accept'] !== acceptOf(key) || !protocols.includes(protocol)) {
    socket.destroy();
    throw new Error(`the server switched protocols, but not to one of ${protocols.join(', ')}`);
  }
  return createChannel(socket, head, protocol);
}

export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

function createChannel(socket: Duplex, head: Buffer, protocol: string): WebSocketChannel {
  // The reader of messages hears of errors; between two reads nobody else must.
  socket.on('error', () => undefined);
  if (head.length > 0) socket.unshift(head);
  const ping = setInterval(() => send(opcodes.ping, Buffer.alloc(0)).catch(() => undefined), pingEvery);
  const silent = setTimeout(() => socket.destroy(new Error('the connection fell silent')), silenceLimit);
  ping.unref();
  silent.unref();
  socket.once('close', () => {
    clearInterval(ping);
    clearTimeout(silent);
  });

  function send(opcode: number, payload: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (socket.destroyed || !socket.writable) {
        reject(new Error('the connection is closed'));
        return;
      }
      socket.write(encodeFrame(opcode, payload), (cause) => (cause ? reject(cause) : resolve()));
    });
  }

  function close(): void {
    if (socket.destroyed) return;
    send(opcodes.close, Buffer.from([0x03, 0xe8])).catch(() => undefined);
    socket.end(() => socket.destroy());
  }

  async function* messages(): AsyncGenerator<Buffer> {
    const reader = new FrameReader();
    for await (const chunk of socket) {
      silent.refresh();
      for (const frame of reader.read(chunk)) {
        if (frame.opcode === opcodes.close) return;
        if (frame.opcode === opcodes.ping) send(opcodes.pong, frame.payload).catch(() => undefined);
        else if (frame.opcode !== opcodes.pong) yield frame.payload;
      }
    }
    throw new Error('the connection ended without a goodbye');
  }

  return {
    protocol,
    messages,
    send: (message) => send(opcodes.binary, message),
    close,
    keepAlive: (wanted) => setKeepAlive(socket, wanted),
  };
}

function setKeepAlive(socket: Duplex & { ref?: () => void; unref?: () => void }, wanted: boolean): void {
  if (wanted) socket.ref?.();
  else socket.unref?.();
}
