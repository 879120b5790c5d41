import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lineFilter, regexProblem } from '../../../src/steps/kubectl/log-match.ts';

test.each([
  ['(x)\\1', 'back reference'],
  ['(?=a)b', 'look-around'],
  ['(?<n>a)', 'named group'],
  ['(a', 'not closed'],
  ['a)', 'too many'],
  ['[a', 'not closed'],
  ['*a', 'nothing before *'],
  ['a**', 'repetition'],
  ['a{3,1}', 'fewer times'],
  ['(a{999}){999}', 'too much'],
  ['\\p{L}', 'no meaning'],
  ['a\\', 'ends too early'],
  ['x'.repeat(201), 'longer than'],
])('%s is refused', (text, why) => {
  expect(regexProblem(text)).toContain(why);
  expect(() => lineFilter(text, true)).toThrow(expect.objectContaining({ code: 'invalid-input' }));
});

test('expressions that take others for ever are answered at once', () => {
  const began = performance.now();
  for (const worst of ['(a+)+$', '(a|a)*c', 'a*a*a*a*b', '(.*)(.*)(.*)c', '(x+x+)+y'])
    expect(lineFilter(worst, true)(`${'a'.repeat(8000)}!`), worst).toBe(false);
  expect(performance.now() - began).toBeLessThan(3000);
});

test('plain text is no expression', () => {
  expect(lineFilter('a.c', false)('abc')).toBe(false);
  expect(lineFilter('a.c', false)('xa.cx')).toBe(true);
  expect(lineFilter(undefined, false)('anything')).toBe(true);
});

const atom = fc.constantFrom(
  'a',
  'b',
  '.',
  '\\d',
  '\\w',
  '\\.',
  '[ab]',
  '[^a]',
  '[a-c1]',
  '^',
  '$',
  '\\b',
  '1',
  ' ',
);
const piece = fc
  .tuple(atom, fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,2}', '{0,}', '*?'))
  .map(([text, times]) =>
    // A repeated assertion is a syntax error of its own in JavaScript.
    /^(\^|\$|\\b)$/.test(text) ? text : `${text}${times}`,
  );
const sequence = fc.array(piece, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
const expression = fc
  .tuple(sequence, sequence, fc.constantFrom('', '*', '+', '?', '{2}'))
  .chain(([left, right, times]) =>
    fc.constantFrom(left, `${left}|${right}`, `(${left}|${right})${times}`, `(?:${left})${times}${right}`),
  );

test('agrees with the regular expressions of JavaScript', () => {
  fc.assert(
    fc.property(
      expression,
      fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', ' ', '.'), maxLength: 8 }),
      (pattern, line) => {
        expect(lineFilter(pattern, true)(line)).toBe(new RegExp(pattern, 'su').test(line));
      },
    ),
    { numRuns: 3000 },
  );
});
