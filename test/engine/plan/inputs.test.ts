import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/engine/json.ts';
import { resolveInputs } from '../../../src/engine/plan/inputs.ts';
import type { InputSpec } from '../../../src/engine/read/runbook.ts';

const entry: JsonObject = { name: 'nvcf-api', namespace: 'nvcf', kind: 'Deployment' };
const services = {
  find: (name: string) => (name === 'nvcf-api' || name === 'api' ? entry : undefined),
  names: ['nvcf-api', 'api'],
};

function spec(rest: Omit<InputSpec, 'description'>): InputSpec {
  return { description: 'what it is for', ...rest };
}

function resolve(specs: Readonly<Record<string, InputSpec>>, flags: readonly string[], file?: JsonObject) {
  return resolveInputs(specs, file === undefined ? { flags } : { flags, file }, { services });
}

/** The value of one input given as a flag, or 'code: message | hint'. */
function flag(input: Omit<InputSpec, 'description'>, text: string): unknown {
  return outcome(resolve({ x: spec(input) }, [`x=${text}`]));
}

function fromFile(input: Omit<InputSpec, 'description'>, value: JsonObject[string]): unknown {
  return outcome(resolve({ x: spec(input) }, [], { x: value }));
}

function outcome(resolved: ReturnType<typeof resolveInputs>): unknown {
  if (!resolved.ok)
    return resolved.problems
      .map(({ code, message, hint }) => `${code}: ${message}${hint === undefined ? '' : ` | ${hint}`}`)
      .join('\n');
  const { x } = resolved.inputs;
  return x !== undefined && 'value' in x ? x.value : x;
}

describe('a flag', () => {
  test.each<[Omit<InputSpec, 'description'>, string, unknown]>([
    [{ type: 'string' }, 'a=b c', 'a=b c'],
    [{ type: 'string' }, '0777', '0777'],
    [{ type: 'integer' }, '-12', -12],
    [{ type: 'number' }, '1.5e3', 1500],
    [{ type: 'boolean' }, 'true', true],
    [{ type: 'boolean' }, 'false', false],
    [{ type: 'duration' }, '1h30m', '1h30m'],
    [{ type: 'enum', values: ['fast', 'safe'] }, 'safe', 'safe'],
    [{ type: 'list' }, 'a, b ,c', ['a', 'b', 'c']],
    [{ type: 'list' }, '', []],
    [{ type: 'list' }, '["a,b", "c"]', ['a,b', 'c']],
    [{ type: 'list', of: 'integer' }, '1,2', [1, 2]],
    [{ type: 'list', of: 'service' }, 'api,nvcf-api', [entry, entry]],
    [{ type: 'map' }, 'a=1,b=x=y', { a: '1', b: 'x=y' }],
    [{ type: 'map', of: 'integer' }, '{"a": 1}', { a: 1 }],
    [{ type: 'map', of: 'boolean' }, 'a=true', { a: true }],
    [{ type: 'map' }, '__proto__=x', JSON.parse('{"__proto__":"x"}')],
    [{ type: 'service' }, 'api', entry],
    [{ type: 'string', pattern: '[a-z]+-[0-9]+' }, 'pod-12', 'pod-12'],
    [{ type: 'string', min: 2, max: 3 }, 'é😀', 'é😀'],
    [{ type: 'integer', min: 1, max: 3 }, '3', 3],
    [{ type: 'duration', min: '1s', max: '2h' }, '120m', '120m'],
  ])('%j given %s', (input, text, expected) => {
    expect(flag(input, text)).toEqual(expected);
  });

  test.each<[Omit<InputSpec, 'description'>, string, string]>([
    [
      { type: 'integer' },
      '1.5',
      'input-value: the input "x" is 1.5, not a whole number | write digits, without quotes',
    ],
    [
      { type: 'integer' },
      '012',
      'input-value: the input "x" is the text "012", not a whole number | write digits, without quotes',
    ],
    [
      { type: 'integer' },
      '0x1F',
      'input-value: the input "x" is the text "0x1F", not a whole number | write digits, without quotes',
    ],
    [
      { type: 'integer' },
      '9007199254740993',
      'input-value: the input "x" is 9007199254740992, not a whole number | write digits, without quotes',
    ],
    [
      { type: 'number' },
      'NaN',
      'input-value: the input "x" is the text "NaN", not a number | write digits, without quotes',
    ],
    [
      { type: 'number' },
      '1e999',
      'input-value: the input "x" is Infinity, not a number | write digits, without quotes',
    ],
    [
      { type: 'boolean' },
      'yes',
      'input-value: the input "x" is the text "yes", not true or false | write true or false, without quotes',
    ],
    [
      { type: 'duration' },
      '5',
      `input-value: the input "x" is no duration | write whole numbers with units d, h, m, s or ms, such as '90s', '5m' or '1h30m'`,
    ],
    [
      { type: 'enum', values: ['fast', 'safe'] },
      'saef',
      'input-value: the input "x" is none of the values | did you mean "safe"?',
    ],
    [
      { type: 'service' },
      'nvcf-ap',
      'input-service: the input "x" is "nvcf-ap", not a service of the inventory | did you mean "nvcf-api"?',
    ],
    [
      { type: 'list', of: 'integer' },
      '1,b',
      'input-value: the input "x" in element 2 is the text "b", not a whole number | write digits, without quotes',
    ],
    [{ type: 'list' }, '[1', 'input-value: the input "x" is not a list | write a,b or JSON'],
    [{ type: 'map' }, 'a', 'input-value: the input "x" is not a map | write key=value,key=value or JSON'],
    [
      { type: 'map', of: 'integer' },
      'a=b',
      'input-value: the input "x" in entry "a" is the text "b", not a whole number | write digits, without quotes',
    ],
    [
      { type: 'string', pattern: '[a-z]+', examples: ['abc'] },
      'abc1',
      'input-value: the input "x" does not match [a-z]+ | it has to match [a-z]+',
    ],
    [
      { type: 'list', pattern: 'a|b' },
      'a,ab',
      'input-value: the input "x" in element 2 does not match a|b | it has to match a|b',
    ],
    [{ type: 'integer', min: 1 }, '0', 'input-value: the input "x" is less than 1 | at least 1'],
    [{ type: 'duration', max: '1h' }, '61m', 'input-value: the input "x" is more than 1h | at most 1h'],
    [
      { type: 'list', min: 2 },
      'a',
      'input-value: the input "x" is less than 2 elements | at least 2 elements',
    ],
    [
      { type: 'map', max: 1 },
      'a=1,b=2',
      'input-value: the input "x" is more than 1 element | at most 1 element',
    ],
    [
      { type: 'string', min: 3 },
      'ab',
      'input-value: the input "x" is less than 3 characters | at least 3 characters',
    ],
    [
      { type: 'list', of: 'service' },
      'api,nope',
      'input-service: the input "x" in element 2 is "nope", not a service of the inventory | services: nvcf-api, api',
    ],
    [
      { type: 'map', of: 'service' },
      'a=nvcf-ap',
      'input-service: the input "x" in entry "a" is "nvcf-ap", not a service of the inventory | did you mean "nvcf-api"?',
    ],
  ])('%j given %s is refused', (input, text, expected) => {
    expect(flag(input, text)).toBe(expected);
  });
});

describe('a file', () => {
  test('is typed: YAML already said what a value is', () => {
    expect(fromFile({ type: 'list', of: 'number' }, [1, 2.5])).toEqual([1, 2.5]);
    expect(fromFile({ type: 'map' }, { a: 'b' })).toEqual({ a: 'b' });
    expect(fromFile({ type: 'string' }, 1.1)).toBe(
      'input-value: the input "x" is 1.1, not text | write "1.1" in quotes',
    );
    expect(fromFile({ type: 'integer' }, '3')).toBe(
      'input-value: the input "x" is the text "3", not a whole number | write digits, without quotes',
    );
    expect(fromFile({ type: 'list' }, 'a,b')).toBe(
      'input-value: the input "x" is the text "a,b", not a list',
    );
    expect(fromFile({ type: 'map' }, ['a'])).toBe('input-value: the input "x" is a list, not a map');
    expect(fromFile({ type: 'boolean' }, null)).toContain('is null, not true or false');
  });

  test('gives way to a flag', () => {
    expect(outcome(resolve({ x: spec({ type: 'string' }) }, ['x=flag'], { x: 'file' }))).toBe('flag');
  });

  test('that holds no map is refused', () => {
    const resolved = resolveInputs({}, { flags: [], file: ['a'] }, { services });
    expect(resolved).toMatchObject({ ok: false, problems: [{ code: 'input-syntax' }] });
  });
});

describe('what nobody gave', () => {
  const specs = {
    need: spec({ type: 'string', required: true, examples: ['abc'] }),
    own: spec({ type: 'duration', default: '5m' }),
    free: spec({ type: 'string' }),
  };

  test('comes from the default, then from the sandbox, and is left out when optional', () => {
    const resolved = resolveInputs(specs, { flags: [] }, { services, fallback: { need: 'x', own: '1h' } });
    expect(resolved).toEqual({
      ok: true,
      inputs: {
        need: { type: 'string', value: 'x', given: false },
        own: { type: 'duration', value: '5m', given: false },
      },
    });
  });

  test('is an error when required, and so is an empty text', () => {
    expect(outcome(resolve(specs, []))).toBe(
      'input-missing: the input "need" is required: what it is for | give it with --input need=abc',
    );
    expect(outcome(resolve(specs, ['need=']))).toContain('input-missing: the input "need" is empty');
  });
});

describe('a secret', () => {
  const token = spec({ type: 'secret', required: true, from: { env: 'RUNBOOK_SECRET_TOKEN' } });

  test('is planned as its source', () => {
    expect(resolve({ token }, [])).toEqual({
      ok: true,
      inputs: { token: { type: 'secret', from: { env: 'RUNBOOK_SECRET_TOKEN' } } },
    });
  });

  test.each([
    ['flag', resolve({ token }, ['token=hvs.canary'])],
    ['file', resolve({ token }, [], { token: 'hvs.canary' })],
  ])('is refused as a value from a %s, without showing it', (_, resolved) => {
    expect(resolved).toMatchObject({ ok: false, problems: [{ input: 'token', code: 'input-secret-given' }] });
    expect(JSON.stringify(resolved)).not.toContain('canary');
    expect(JSON.stringify(resolved)).toContain('the environment variable RUNBOOK_SECRET_TOKEN');
  });
});

test('all problems are reported at once', () => {
  const specs = {
    service: spec({ type: 'service', required: true }),
    count: spec({ type: 'integer' }),
    name: spec({ type: 'string', required: true }),
  };
  const resolved = resolve(specs, ['servise=api', 'count=x', 'count=2', 'oops', '=1', 'name'], { zzz: 1 });
  expect(
    resolved.ok ? [] : resolved.problems.map(({ code, input, hint }) => `${code} ${input} | ${hint ?? ''}`),
  ).toEqual([
    'input-given-twice count | several elements of a list are written --input name=a,b',
    'input-syntax  | write --input name=value',
    'input-syntax  | write --input name=value',
    'input-syntax  | write --input name=value',
    'input-unknown servise | did you mean "service"?',
    'input-unknown zzz | inputs: service, count, name',
    'input-missing service | give it with --input service=…',
    'input-value count | write digits, without quotes',
    'input-missing name | give it with --input name=…',
  ]);
});

test('any text is taken or refused, never an exception', () => {
  const types = ['string', 'integer', 'number', 'boolean', 'duration', 'list', 'map', 'service'] as const;
  fc.assert(
    fc.property(fc.constantFrom(...types), fc.string({ unit: 'binary', maxLength: 20 }), (type, text) => {
      const resolved = resolve({ x: spec({ type }) }, [`x=${text}`]);
      if (type === 'string') expect(resolved).toMatchObject({ ok: true, inputs: { x: { value: text } } });
      else if (!resolved.ok) expect(resolved.problems[0]?.message).toContain('the input "x"');
    }),
  );
});
