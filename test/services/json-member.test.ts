import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rawMember } from '../../src/services/json-member.ts';

test.each([
  ['{"a":1}', ['a'], '1'],
  ['{ "a" : { "b" : [ 1 , "}" ] } , "c":2}', ['a', 'b'], '[ 1 , "}" ]'],
  ['{"a":12345678901234567890.10}', ['a'], '12345678901234567890.10'],
  ['{"x\\"y":true,"z":null}', ['x"y'], 'true'],
  ['{"a":{"b":1},"b":2}', ['b'], '2'],
  ['{"a":1,"a":2}', ['a'], '2'],
  ['{"\\u0061":3}', ['a'], '3'],
  ['{"a":{}}', ['a'], '{}'],
  ['{"a":""}', ['a'], '""'],
  ['{}', ['a'], undefined],
  ['[1]', ['a'], undefined],
  ['{"a":1}', ['a', 'b'], undefined],
])('%s at %j is %s', (text, path, expected) => {
  expect(rawMember(text, path)).toBe(expected);
});

test('gives what a parser would, for any object', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string().filter((name) => name !== '__proto__'),
        fc.jsonValue(),
        { minKeys: 1 },
      ),
      fc.nat(),
      fc.constantFrom(undefined, 2),
      (object, pick, indent) => {
        const names = Object.keys(object);
        const name = names[pick % names.length] ?? '';
        const raw = rawMember(JSON.stringify({ outer: object }, undefined, indent), ['outer', name]);
        expect(JSON.stringify(JSON.parse(raw ?? ''))).toBe(JSON.stringify(object[name]));
      },
    ),
  );
});
