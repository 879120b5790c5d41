import { describe, expect, test } from 'vitest';
import { type ValueSpec, valueProblem } from '../../src/engine/input-value.ts';
import type { Json } from '../../src/engine/json.ts';

const good: readonly (readonly [ValueSpec, Json])[] = [
  [{ type: 'string' }, ''],
  [{ type: 'string', pattern: '[a-z]+', min: 2, max: 3 }, 'abc'],
  [{ type: 'string', max: 1 }, '😀'],
  [{ type: 'integer', min: 0, max: 0 }, 0],
  [{ type: 'number' }, 1.5],
  [{ type: 'boolean' }, false],
  [{ type: 'duration', min: '1m', max: '1h' }, '60s'],
  [{ type: 'enum', values: ['a', 'b'] }, 'b'],
  [{ type: 'list' }, []],
  [{ type: 'list', of: 'integer', min: 1 }, [1, 2]],
  [{ type: 'map', of: 'duration' }, { a: '5m' }],
  [{ type: 'service' }, 'nvcf-api'],
];

const bad: readonly (readonly [ValueSpec, Json, string, readonly string[]])[] = [
  [{ type: 'string' }, 5, 'is 5, not text', []],
  [{ type: 'string' }, null, 'is null, not text', []],
  [{ type: 'string', min: 1 }, '', 'is less than 1 character', []],
  [{ type: 'string', max: 2 }, 'abc', 'is more than 2 characters', []],
  [{ type: 'string', pattern: '[a-z]+' }, 'a1', 'does not match [a-z]+', []],
  [{ type: 'integer' }, 1.5, 'is 1.5, not a whole number', []],
  [{ type: 'integer' }, 2 ** 53, 'is 9007199254740992, not a whole number', []],
  [{ type: 'integer', min: 1 }, 0, 'is less than 1', []],
  [{ type: 'number', max: 1 }, 1.5, 'is more than 1', []],
  [{ type: 'boolean' }, 'true', 'is the text "true", not true or false', []],
  [{ type: 'duration' }, '5', 'is no duration', []],
  [{ type: 'duration', min: '1m' }, '59s', 'is less than 1m', []],
  [{ type: 'duration', max: '1h' }, '61m', 'is more than 1h', []],
  [{ type: 'enum', values: ['fast'] }, 'slow', 'is none of the values', []],
  [{ type: 'list' }, { a: 'b' }, 'is a map, not a list', []],
  [{ type: 'map' }, ['a'], 'is a list, not a map', []],
  [{ type: 'list', max: 1 }, ['a', 'b'], 'is more than 1 element', []],
  [{ type: 'list' }, ['a', 2], 'is 2, not text', ['1']],
  [{ type: 'list', pattern: '[a-z]' }, ['a', 'B'], 'does not match [a-z]', ['1']],
  [{ type: 'map', of: 'boolean' }, { a: true, b: 'no' }, 'is the text "no", not true or false', ['b']],
  [{ type: 'service' }, '', 'is empty', []],
];

describe('the value of an input', () => {
  test.each(good)('%j takes %j', (spec, value) => {
    expect(valueProblem(value, spec)).toBeUndefined();
  });

  test.each(bad)('%j refuses %j', (spec, value, message, path) => {
    expect(valueProblem(value, spec)).toMatchObject({ message, path });
  });

  test('of a near miss names what was probably meant', () => {
    expect(valueProblem('fsat', { type: 'enum', values: ['fast', 'slow'] })?.hint).toBe(
      'did you mean "fast"?',
    );
  });
});
