import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compilePattern } from '../../src/engine/pattern.ts';

function found(source: string, text: string): boolean {
  const pattern = compilePattern(source);
  if (!pattern.ok) throw new Error(`${source}: ${pattern.message}`);
  return pattern.test(text);
}

describe('compilePattern', () => {
  test.each([
    ['', 'anything', true],
    ['abc', 'xabcx', true],
    ['^abc$', 'xabcx', false],
    ['a.c', 'a\nc', false],
    ['(?s)a.c', 'a\nc', true],
    ['^b$', 'a\nb', false],
    ['(?m)^b$', 'a\nb\nc', true],
    ['(?i)Ready', 'it is READY', true],
    ['(?i:r)eady', 'READY', false],
    ['[^a-c]', 'abc', false],
    ['[]a]', ']', true],
    ['[a-]', '-', true],
    ['[\\d.]+$', 'v1.2', true],
    ['\\bapi\\b', 'nvcf-api-7d', true],
    ['\\Bapi', 'nvcf-api', false],
    ['^(a|b|)c$', 'c', true],
    ['^(?:ab){2,3}$', 'ababab', true],
    ['^(?:ab){2,3}$', 'abababab', false],
    ['^a{3}$', 'aaa', true],
    ['^a{2,}$', 'a', false],
    ['a{,2}', 'a{,2}', true],
    ['^(?P<name>x)(?<other>y)$', 'xy', true],
    ['^.$', '😀', true],
    ['\\x41\\x{1F600}\\u00e9', 'A😀é', true],
    ['^\\Aa\\z$', 'a', true],
    ['a*?b', 'aab', true],
    ['^(a*)*$', 'aaaa', true],
    ['(a+)+$', 'aaab', false],
    ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', 'nvcf-api', true],
    ['\\.\\*\\\\', '.*\\', true],
  ])('%s in %j: %s', (source, text, expected) => {
    expect(found(source, text)).toBe(expected);
  });

  test.each([
    ['(', /without its "\)"/],
    [')', /without its "\("/],
    ['[a', /without its "\]"/],
    ['*a', /nothing to repeat/],
    ['a**', /directly after another/],
    ['a++', /directly after another/],
    ['a{2}{3}', /directly after another/],
    ['a{5,2}', /is no repetition/],
    ['a{2000}', /at most 1000/],
    ['(?=a)', /look-around/],
    ['(?<!a)b', /look-around/],
    ['(a)\\1', /back references/],
    ['\\p{L}', /\\p is not supported/],
    ['[[:alpha:]]', /named classes/],
    ['[z-a]', /upside down/],
    ['a\\', /ends in the middle/],
    ['\\xZZ', /hexadecimal/],
    ['((a{100}){100}){100}', /multiply/],
    ['x'.repeat(1001), /longer than 1000/],
    ['('.repeat(60) + ')'.repeat(60), /inside one another/],
  ])('%s is refused', (source, message) => {
    const pattern = compilePattern(source);
    expect(pattern.ok ? 'accepted' : pattern.message).toMatch(message);
  });

  test('patterns that make a backtracking engine hang take linear time', () => {
    const text = 'a'.repeat(20_000);
    for (const source of ['^(a+)+$x', '(a|aa)+b', '(a*)*c', '.*.*.*=.*', '(.*)(.*)(.*)d'])
      expect(found(source, text)).toBe(false);
  });

  test('agrees with the JavaScript engine where both have the same syntax', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '\\d', '\\b', '^', '$', 'é');
    const { node } = fc.letrec<{ node: string }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        atom,
        fc.tuple(tie('node'), tie('node')).map(([a, b]) => a + b),
        fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(?:${a}|${b})`),
        fc
          .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '*?'))
          .map(([a, sign]) => `(?:${a})${sign}`),
      ),
    }));
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', ' ', 'é', '\n'), maxLength: 8 });
    fc.assert(
      fc.property(node, text, (source, subject) => {
        expect(found(source, subject)).toBe(new RegExp(source, 'u').test(subject));
      }),
      { numRuns: 1500 },
    );
  });
});
