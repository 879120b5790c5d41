import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { safeBlock, safeJson, safeLine } from '../../src/output/safe-text.ts';

describe('text from outside', () => {
  test.each([
    ['a colour', '\u001b[31mred\u001b[0m', '\\x1b[31mred\\x1b[0m'],
    ['the clipboard', '\u001b]52;c;ZXZpbA==\u0007', '\\x1b]52;c;ZXZpbA==\\x07'],
    ['an 8-bit control sequence', '\u009b2J', '\\x9b2J'],
    ['a carriage return that overwrites the line', 'FAILED\rPASS', 'FAILED\\x0dPASS'],
    ['a right-to-left override', 'a\u202eb', 'a\\u202eb'],
    ['a zero-width space', 'na\u200bts', 'na\\u200bts'],
    ['a line separator', 'a\u2028b', 'a\\u2028b'],
    ['a tag character', 'x\u{e0041}', 'x\\u{e0041}'],
    ['half of a surrogate pair', 'a\ud800b', 'a\\ud800b'],
  ])('shows %s as an escape', (_what, raw, shown) => {
    expect(safeBlock(raw)).toBe(shown);
  });

  test('keeps line breaks and tabs in a block, and neither in a line', () => {
    expect(safeBlock('a\r\nb\tc\n')).toBe('a\nb\tc\n');
    expect(safeLine('a\nb\tc')).toBe('a\\nb  c');
  });

  test('keeps what people write: umlauts, CJK, emoji', () => {
    expect(safeLine('Schlüssel 鍵 🔑')).toBe('Schlüssel 鍵 🔑');
  });

  test('never lets a control character through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(safeLine(text))).toBe(false);
        expect(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}]/u.test(safeJson(text))).toBe(false);
      }),
    );
  });

  test('is still the same value in JSON', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(JSON.parse(safeJson({ text }))).toEqual({ text });
      }),
    );
  });
});
