import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CappedOutput } from '../../src/services/capped-output.ts';
import { createLineReader } from '../../src/services/process-lines.ts';

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let start = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(start, start + size));
    start += size;
  }
  return [...chunks, bytes.subarray(start)];
}

describe('lines', () => {
  test('are the same however the bytes were cut, characters included', () => {
    const text = fc.array(fc.constantFrom('a', 'ü', '€', '𐍈', '\n', '\r\n', ' '), { maxLength: 60 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(5), { maxLength: 40 }), (parts, sizes) => {
        const whole = parts.join('');
        const lines: string[] = [];
        const reader = createLineReader((line) => lines.push(line));
        for (const chunk of cut(Buffer.from(whole), sizes)) reader.push(chunk);
        reader.end();
        const expected = whole
          .split('\n')
          .map((line, index, all) => (index < all.length - 1 ? line.replace(/\r$/u, '') : line));
        if (expected.at(-1) === '') expected.pop();
        expect(lines).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test('a line without end comes in pieces that lose nothing', () => {
    const text = 'x'.repeat(65_535) + '𐍈'.repeat(40_000);
    const lines: string[] = [];
    const reader = createLineReader((line) => lines.push(line));
    reader.push(Buffer.from(text));
    reader.end();
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.every((line) => line.length <= 65_536 && !/\p{Surrogate}/u.test(line))).toBe(true);
    expect(lines.join('')).toBe(text);
  });
});

describe('capped output', () => {
  const limit = 20;

  test('is whole within the limit, and otherwise its beginning and end, however it came', () => {
    const bytes = fc.array(fc.constantFrom(...'abcdefgh'), { maxLength: 60 });
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(12), { maxLength: 20 }), (letters, sizes) => {
        const whole = letters.join('');
        const output = new CappedOutput(limit);
        for (const chunk of cut(Buffer.from(whole), sizes)) output.push(chunk);
        const expected =
          whole.length <= limit
            ? whole
            : `${whole.slice(0, 10)}\n… ${whole.length - limit} bytes left out …\n${whole.slice(-10)}`;
        expect(output.text()).toBe(expected);
        expect(output.truncated).toBe(whole.length > limit);
      }),
      { numRuns: 300 },
    );
  });

  test('never shows half a character', () => {
    for (let shift = 0; shift < 4; shift++) {
      const output = new CappedOutput(limit);
      output.push(Buffer.from('x'.repeat(shift) + '𐍈'.repeat(20)));
      expect(output.text()).not.toContain('\uFFFD');
    }
  });
});
