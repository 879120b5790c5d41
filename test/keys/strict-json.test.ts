import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseStrictJson } from '../../src/keys/strict-json.ts';

function read(text: string): unknown {
  const result = parseStrictJson(new TextEncoder().encode(text));
  return result.ok ? result.value : result.problem;
}

describe('parseStrictJson', () => {
  test('reads what JSON.stringify writes', () => {
    // -0 is written as 0 and comes back as that.
    const value = fc.jsonValue({ maxDepth: 6 }).map((made) => JSON.parse(JSON.stringify(made)) as unknown);
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 1, '\t'), (made, space) => {
        expect(read(JSON.stringify(made, null, space))).toEqual(made);
      }),
    );
  });

  test('agrees with JSON.parse on damaged text, or refuses it', () => {
    const damaged = fc
      .tuple(fc.json({ maxDepth: 3 }), fc.nat(), fc.constantFrom('', '"', '{', ']', ',', '\\', '0', '\n', '﻿'))
      .map(([text, at, piece]) => {
        const cut = at % (text.length + 1);
        return text.slice(0, cut) + piece + text.slice(cut + 1);
      });
    fc.assert(
      fc.property(damaged, (text) => {
        const result = parseStrictJson(new TextEncoder().encode(text));
        if (result.ok) expect(result.value).toEqual(JSON.parse(text));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['{"a":1,"a":1}', 'the same member name twice, at character 11'],
    ['{"a":{"b":1,"\\u0062":2}}', 'the same member name twice, at character 21'],
    ['9007199254740993', 'a number that would change when it is written again, at character 17'],
    ['1.0', 'a number that would change when it is written again, at character 4'],
    ['1e400', 'a number that would change when it is written again, at character 6'],
    ['-0', 'a number that would change when it is written again, at character 3'],
    ['01', 'text after the end, at character 2'],
    ['{"a":1}x', 'text after the end, at character 8'],
    ['[1,]', 'no JSON value, at character 4'],
    ['{"a" 1}', 'no colon after a member name, at character 6'],
    ['{a:1}', 'no JSON string where one is needed, at character 2'],
    ['"a\nb"', 'no JSON string where one is needed, at character 1'],
    ['"\\x41"', 'no JSON string where one is needed, at character 1'],
    ["'a'", 'no JSON value, at character 1'],
    ['', 'no JSON value, at character 1'],
    ['{"a":1', 'an object that does not end, at character 7'],
    ['[1', 'a list that does not end, at character 3'],
    [`${'['.repeat(40)}${']'.repeat(40)}`, 'nested too deep, at character 34'],
  ])('refuses %s', (text, problem) => {
    expect(read(text)).toBe(problem);
  });

  test('refuses bytes that are not UTF-8', () => {
    expect(parseStrictJson(Uint8Array.of(0x22, 0xff, 0x22))).toEqual({ ok: false, problem: 'not UTF-8' });
  });

  test('keeps a member called __proto__ a member', () => {
    const result = read('{"__proto__":{"keys":1}}') as object;
    expect(Object.keys(result)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
  });

  test('reads a megabyte of one string', () => {
    const long = `${'x'.repeat(1 << 20)}\\n${'y'.repeat(1 << 19)}`;
    expect(read(`"${long}"`)).toHaveLength((1 << 20) + 1 + (1 << 19));
  });

  test('never quotes the text', () => {
    expect(read('{"k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" "')).not.toContain('AAEC');
  });
});
