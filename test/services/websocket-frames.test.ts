import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFrame, FrameReader, opcodes } from '../../src/services/websocket-frames.ts';

/** A server's frame: the client's without its mask. */
function serverFrame(opcode: number, payload: Buffer, final = true): Buffer {
  const head = [(final ? 0x80 : 0) | opcode];
  if (payload.length < 126) head.push(payload.length);
  else if (payload.length < 65_536) head.push(126, payload.length >> 8, payload.length & 0xff);
  else {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(payload.length));
    head.push(127, ...length);
  }
  return Buffer.concat([Buffer.from(head), payload]);
}

function readAll(chunks: readonly Buffer[]) {
  const reader = new FrameReader();
  return chunks.flatMap((chunk) => [...reader.read(chunk)]);
}

describe('frames', () => {
  test('messages come whole however frames and bytes are cut', () => {
    const message = fc.record({
      parts: fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }),
      ping: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(400)), (messages, cuts) => {
        const bytes = Buffer.concat(
          messages.flatMap(({ parts, ping }) =>
            parts.flatMap((part, index) => {
              const opcode = index === 0 ? opcodes.binary : opcodes.continuation;
              const frame = serverFrame(opcode, Buffer.from(part), index === parts.length - 1);
              return ping ? [serverFrame(opcodes.ping, Buffer.from('p')), frame] : [frame];
            }),
          ),
        );
        const chunks: Buffer[] = [];
        let start = 0;
        for (const cut of cuts) {
          chunks.push(bytes.subarray(start, start + cut));
          start += cut;
        }
        chunks.push(bytes.subarray(start));
        const frames = readAll(chunks);
        const data = frames.filter(({ opcode }) => opcode === opcodes.binary);
        expect(data.map(({ payload }) => payload)).toEqual(
          messages.map(({ parts }) => Buffer.concat(parts.map((part) => Buffer.from(part)))),
        );
        const pings = messages.reduce((sum, { parts, ping }) => sum + (ping ? parts.length : 0), 0);
        expect(frames.filter(({ opcode }) => opcode === opcodes.ping)).toHaveLength(pings);
      }),
      { numRuns: 200 },
    );
  });

  test.each([0, 1, 125, 126, 65_535, 65_536])(
    'a payload of %i bytes is masked and its length is told',
    (size) => {
      const payload = Buffer.alloc(size, 'abc');
      const frame = encodeFrame(opcodes.binary, payload);
      const head = size < 126 ? 2 : size < 65_536 ? 4 : 10;
      expect(frame.length).toBe(head + 4 + size);
      expect(frame[0]).toBe(0x82);
      expect((frame[1] ?? 0) & 0x80).toBe(0x80);
      const mask = frame.subarray(head, head + 4);
      const clear = frame.subarray(head + 4).map((byte, index) => byte ^ (mask[index & 3] ?? 0));
      expect(Buffer.compare(Buffer.from(clear), payload)).toBe(0);
    },
  );

  test('what no server may send is refused: masked frames, reserved bits, huge lengths', () => {
    expect(() => readAll([encodeFrame(opcodes.binary, Buffer.from('x'))])).toThrow('protocol');
    expect(() => readAll([Buffer.from([0xc2, 0])])).toThrow('protocol');
    const huge = Buffer.from([0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0]);
    expect(() => readAll([huge])).toThrow('larger than');
  });
});
