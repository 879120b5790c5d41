import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { FakeRequest } from './fake-apiserver.ts';

/** The server's end of a WebSocket, with messages of `<channel byte> <payload>` as Kubernetes sends them. */
export interface FakeChannel {
  send(channel: number, payload: string | Uint8Array): void;
  /** Raw bytes of a frame. */
  frame(opcode: number, payload: Uint8Array): void;
  /** The next message of the client. */
  next(): Promise<{ readonly opcode: number; readonly payload: Buffer }>;
  /** Says goodbye. */
  close(): void;
  /** Ends the connection without a word. */
  cut(): void;
}

export function acceptWebSocket(request: FakeRequest, socket: Duplex, protocol: string): FakeChannel {
  const key = request.headers['sec-websocket-key'] ?? '';
  // The constant is RFC 6455's own.
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Connection: Upgrade',
    'Upgrade: websocket',
    `Sec-WebSocket-Accept: ${accept}`,
    `Sec-WebSocket-Protocol: ${protocol}`,
  ];
  socket.on('error', () => undefined);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const frames = readFrames(socket);
  return {
    send: (channel, payload) =>
      socket.write(encode(2, Buffer.concat([Buffer.from([channel]), Buffer.from(payload)]))),
    frame: (opcode, payload) => socket.write(encode(opcode, payload)),
    next: async () => {
      const { value, done } = await frames.next();
      if (done === true) throw new Error('the client is gone');
      return value;
    },
    close: () => socket.end(encode(8, Buffer.from([0x03, 0xe8]))),
    cut: () => socket.destroy(),
  };
}

function encode(opcode: number, payload: Uint8Array): Buffer {
  const head =
    payload.length < 126
      ? Buffer.from([0x80 | opcode, payload.length])
      : Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([head, payload]);
}

async function* readFrames(socket: Duplex): AsyncGenerator<{ opcode: number; payload: Buffer }> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk]);
    for (let frame = decode(bytes); frame !== undefined; frame = decode(bytes)) {
      bytes = bytes.subarray(frame.size);
      yield frame;
    }
  }
}

/** One masked frame of a client. */
function decode(bytes: Buffer): { opcode: number; payload: Buffer; size: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const start = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
  if (bytes.length < start + 4) return undefined;
  const length =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  const size = start + 4 + length;
  if (bytes.length < size) return undefined;
  const mask = bytes.subarray(start, start + 4);
  const payload = Buffer.from(
    bytes.subarray(start + 4, size).map((byte, index) => byte ^ (mask[index & 3] ?? 0)),
  );
  return { opcode: bytes.readUInt8(0) & 0x0f, payload, size };
}
