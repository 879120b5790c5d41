import { describe, expect, test } from 'vitest';
import { checkDefault, checkInputSpec } from '../../../src/engine/read/input-spec.ts';
import type { InputSpec } from '../../../src/engine/read/runbook.ts';

function problems(spec: Omit<InputSpec, 'description'>): string[] {
  return checkInputSpec({ description: 'what it is for', ...spec }).map(
    ({ key, code, message, hint }) => `${key} ${code}: ${message}${hint === undefined ? '' : ` | ${hint}`}`,
  );
}

describe('checkInputSpec', () => {
  test.each<Omit<InputSpec, 'description'>>([
    { type: 'string', pattern: '[a-z]+', default: 'abc', examples: ['xyz'] },
    { type: 'integer', min: 1, max: 5, default: 5 },
    { type: 'duration', min: '1s', max: '1h', default: '5m' },
    { type: 'enum', values: ['a', 'b'], default: 'b' },
    { type: 'list', of: 'integer', min: 1, default: [1] },
    { type: 'list', pattern: 'a+', default: ['a', 'aa'] },
    { type: 'map', default: {} },
    { type: 'service', default: 'nvcf-api' },
    { type: 'secret', from: { env: 'RUNBOOK_SECRET_X' }, examples: ['shown nowhere'] },
  ])('nothing to say about %j', (spec) => {
    expect(problems(spec)).toEqual([]);
  });

  test.each<[Omit<InputSpec, 'description'>, string[]]>([
    [
      { type: 'string', pattern: '[a-z]+', default: 'abc1' },
      ['default input-default: the default is "abc1", which does not match [a-z]+'],
    ],
    [
      { type: 'integer', max: 5, default: 6, examples: ['x'] },
      [
        'default input-default: the default is 6, more than 5',
        'examples input-default: an example is "x", not a whole number',
      ],
    ],
    [
      { type: 'enum', values: ['fast', 'safe'], default: 'saef' },
      ['default input-default: the default is "saef", not one of its values | did you mean "safe"?'],
    ],
    [
      { type: 'list', default: ['a', 1] },
      ['default input-default: the default element 2 is 1, not text | write it in quotes'],
    ],
    [
      { type: 'secret', from: { file: 'x' }, default: 'hunter2' },
      ['default input-default: a secret has no default | name its source with "from"'],
    ],
    [{ type: 'string', pattern: '(a' }, ['pattern input-declaration: the pattern: a "(" without its ")"']],
    [
      { type: 'integer', pattern: 'a' },
      ['pattern input-declaration: a pattern is for text, not for integer'],
    ],
    [{ type: 'integer', min: 5, max: 1 }, ['max input-declaration: max 1 is below min 5: no value fits']],
    [
      { type: 'duration', min: '2h', max: '1h' },
      ['max input-declaration: max 1h is below min 2h: no value fits'],
    ],
    [{ type: 'duration', min: 5 }, ['min input-declaration: min is 5, not a duration']],
    [{ type: 'integer', max: '5' }, ['max input-declaration: max is "5", not a number']],
    [{ type: 'boolean', min: 1 }, ['min input-declaration: min does not apply to boolean']],
    [{ type: 'enum' }, ['values input-declaration: an enum needs its values | values: [first, second]']],
    [{ type: 'string', values: ['a'] }, ['values input-declaration: values are for enum, not for string']],
    [{ type: 'string', of: 'integer' }, ['of input-declaration: "of" is for list and map, not for string']],
    [
      { type: 'string', from: { env: 'X' } },
      ['from input-declaration: "from" is for secret, not for string'],
    ],
    [
      { type: 'secret' },
      [
        'from input-declaration: a secret needs a source | from: {env: RUNBOOK_SECRET_TOKEN}, {file: …} or {prompt: …}',
      ],
    ],
  ])('%j', (spec, expected) => {
    expect(problems(spec)).toEqual(expected);
  });
});

test('the default of a service is checked against the inventory when there is one', () => {
  const spec: InputSpec = { type: 'service', description: 'which', default: 'nvcf-ap' };
  const services = { find: () => undefined, names: ['nvcf-api'] };
  expect(checkDefault(spec)).toBeUndefined();
  expect(checkDefault(spec, services)).toMatchObject({
    key: 'default',
    message: 'the default is "nvcf-ap", not a service of the inventory',
    hint: 'did you mean "nvcf-api"?',
  });
});
