import { randomBytes } from 'node:crypto';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

const largestMessage = 64 * 1024 * 1024;

/** One unfragmented frame of a client: masked, as RFC 6455 §5.3 wants. */
export function encodeFrame(opcode: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const head = encodeHead(opcode, payload.length);
  const frame = Buffer.allocUnsafe(head.length + 4 + payload.length);
  head.copy(frame);
  mask.copy(frame, head.length);
  const start = head.length + 4;
  for (let i = 0; i < payload.length; i++) {
    frame[start + i] = (payload[i] ?? 0) ^ (mask[i & 3] ?? 0);
  }
  return frame;
}

function encodeHead(opcode: number, length: number): Buffer {
  const first = 0x80 | opcode;
  if (length < 126) return Buffer.from([first, 0x80 | length]);
  if (length < 65_536) return Buffer.from([first, 0x80 | 126, length >> 8, length & 0xff]);
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** Puts a server's frames together again, however the bytes were cut, and fragmented messages with them. */
export class FrameReader {
  #pending: Buffer[] = [];
  #length = 0;
  #parts: Buffer[] = [];
  #partsOpcode: number = opcodes.binary;

  /** Messages and control frames that are complete with this chunk. Throws on what no server may send. */
  *read(chunk: Buffer): Generator<Frame> {
    this.#pending.push(chunk);
    this.#length += chunk.length;
    for (let head = this.#head(); head !== undefined && this.#length >= head.size; head = this.#head()) {
      const payload = this.#take(head.size).subarray(head.size - head.payload);
      const frame = this.#assemble(head, payload);
      if (frame !== undefined) yield frame;
    }
  }

  #assemble(head: Head, payload: Buffer): Frame | undefined {
    if (head.opcode >= opcodes.close) return { opcode: head.opcode, payload };
    if (head.opcode !== opcodes.continuation) {
      this.#parts = [];
      this.#partsOpcode = head.opcode;
    }
    this.#parts.push(payload);
    if (this.#parts.reduce((sum, part) => sum + part.length, 0) > largestMessage) throw tooLarge();
    if (!head.final) return undefined;
    const whole = this.#parts.length === 1 ? payload : Buffer.concat(this.#parts);
    this.#parts = [];
    return { opcode: this.#partsOpcode, payload: whole };
  }

  #head(): Head | undefined {
    if (this.#length < 2) return undefined;
    let start = this.#peek(2);
    const [first = 0, second = 0] = start;
    if ((first & 0x70) !== 0 || (second & 0x80) !== 0)
      throw new Error('the server broke the WebSocket protocol');
    const short = second & 0x7f;
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (this.#length < 2 + extended) return undefined;
    start = this.#peek(2 + extended);
    const payload =
      extended === 0 ? short : extended === 2 ? start.readUInt16BE(2) : Number(start.readBigUInt64BE(2));
    if (payload > largestMessage) throw tooLarge();
    return { final: (first & 0x80) !== 0, opcode: first & 0x0f, payload, size: 2 + extended + payload };
  }

  /** The first bytes, in one piece. */
  #peek(size: number): Buffer {
    const [first] = this.#pending;
    if (first !== undefined && first.length >= size) return first.subarray(0, size);
    const all = Buffer.concat(this.#pending);
    this.#pending = [all];
    return all.subarray(0, size);
  }

  #take(size: number): Buffer {
    const taken = this.#peek(size);
    const [first = taken] = this.#pending;
    const rest = first.subarray(size);
    if (rest.length > 0) this.#pending[0] = rest;
    else this.#pending.shift();
    this.#length -= size;
    return taken;
  }
}

interface Head {
  readonly final: boolean;
  readonly opcode: number;
  readonly payload: number;
  /** Of the whole frame. */
  readonly size: number;
}

function tooLarge(): Error {
  return new Error(`the server sent a message larger than ${largestMessage / 1024 / 1024} MiB`);
}
