import { describe, expect, test } from 'vitest';
import type { Json } from '../../../src/engine/json.ts';
import { because, decide, decideCondition, elementsOf } from '../../../src/engine/plan/elements.ts';
import type { InstanceFacts } from '../../../src/engine/plan/instance.ts';
import { expressionValues, type ScopeSource, whenDecidedFor } from '../../../src/engine/plan/scope.ts';
import { Secret } from '../../../src/engine/secret.ts';
import type { Value } from '../../../src/engine/value.ts';
import { group, runbook, step } from '../../fakes/plan-nodes.ts';

const book = runbook([
  step('first'),
  step('off'),
  group('all', [step('inner')], { forEach: { items: 'inputs.names', as: 'name', parallel: 1 } }),
  step('last'),
]);
const { preconditions, steps, verifications, rollback } = book;
const facts: Readonly<Record<string, InstanceFacts>> = {
  first: { state: 'applied', outputs: { pods: [{ name: 'a', ready: true }], none: null } },
  off: { state: 'skipped' },
  all: { state: 'applied', keys: ['x'] },
  'all[x]': { state: 'applied' },
  'all[x]/inner': { state: 'applied', outputs: { v: 1 } },
};

function source(inputs: Readonly<Record<string, Value>> = {}): ScopeSource {
  return {
    plan: {
      blocks: { preconditions, steps, verifications, rollback },
      inputs: {},
      runbook: { ...book, path: 'test.yaml', digest: '', files: [] },
    },
    run: { id: 'r', startedAt: '', user: 'ada' },
    inputs,
    facts: (instance) => facts[instance],
  };
}

describe('values for an expression', () => {
  test('are only those that it reads, lists whole', () => {
    const found = expressionValues(
      source({ a: 1, b: 2 }),
      'last',
      'steps.first.outputs.pods[0].ready && inputs.a > 0',
    );
    expect(found).toEqual({
      state: 'known',
      values: { steps: { first: { outputs: { pods: [{ name: 'a', ready: true }] } } }, inputs: { a: 1 } },
    });
  });

  test('that wait for steps are named', () => {
    const text = 'steps.last.outputs.x == 1 || steps.first.state == "applied"';
    expect(expressionValues(source(), 'last', text)).toEqual({ state: 'unknown', after: ['last'] });
  });

  test.each<[string, Json]>([
    ['has(inputs.size)', false],
    ['has(steps.off.outputs.x)', false],
    ['has(steps.first.outputs.pods)', true],
    ['has(inputs.token)', true],
    ['steps.off.state', 'skipped'],
    ['steps.inner.outputs.x.v', 1],
    ['steps.inner.outputs["x"].v + 1', 2],
    ['outputs.n', 4],
  ])('%s is %j', (text, value) => {
    const inputs = { token: Secret.fromText('token', 'hunter2') };
    expect(decide(source(inputs), 'last', { text, own: { outputs: { n: 4 } } })).toMatchObject({
      state: 'known',
      value,
    });
  });

  test.each<[string, string]>([
    ['steps.frist.state == "applied"', 'there is no step "frist": did you mean "first"?'],
    ['nobody.x == 1', 'there is no "nobody" here'],
    ['steps.off.outputs.x == 1', ' in steps.off.outputs.x == 1'],
    ['inputs.size + 1 > 0', ' in inputs.size + 1 > 0'],
    ['1 + 1', '1 + 1 gives no true or false'],
  ])('%s cannot be decided', (text, why) => {
    const found = decideCondition(source(), 'last', { text });
    expect(found.state).toBe('invalid');
    expect(found).toHaveProperty('why', expect.stringContaining(why));
  });

  test('explain a condition, or it explains itself', () => {
    expect(because('outputs.n > 5', { outputs: { n: 4 } })).toBe('outputs.n = 4');
    expect(because('false', {})).toBe('false');
  });
});

describe('elements', () => {
  function keys(items: string | readonly Json[], key?: string, inputs: Readonly<Record<string, Value>> = {}) {
    const node = step('last', {
      forEach: { items, as: 'item', parallel: 1, ...(key === undefined ? {} : { key }) },
    });
    const found = elementsOf(source(inputs), 'last', node);
    if (found.state === 'known') return found.value.map((element) => element.key);
    return found.state === 'invalid' ? found.why : found.after;
  }

  test.each<[string, string | readonly Json[], string | undefined, readonly string[]]>([
    ['texts', ['a', 'b/c'], undefined, ['a', 'b/c']],
    ['numbers and truth', [1, true], undefined, ['1', 'true']],
    ['objects by their key', [{ id: 7 }, { id: 'x' }], 'item.id', ['7', 'x']],
    ['an expression', 'steps.first.outputs.pods.map(p, p.name)', undefined, ['a']],
    ['templates', ['{{inputs.one}}', 'two'], undefined, ['one', 'two']],
    ['nothing', [], undefined, []],
  ])('%s', (_, items, key, expected) => {
    expect(keys(items, key, { one: 'one' })).toEqual(expected);
  });

  test.each<[string, string | readonly Json[], string | undefined, string]>([
    ['an object without key', [{ id: 1 }], undefined, 'so it needs "key", such as key: item.name'],
    ['an empty text', ['a', ''], undefined, 'element 2 of forEach is no text or number'],
    ['no list', 'inputs.one', undefined, 'forEach: inputs.one gives no list'],
    ['a key that is no text', ['a'], '[item]', 'element 1 of forEach has no key: [item] gives no text'],
    ['the same key twice', [1, '1'], undefined, 'two elements of forEach have the key "1"'],
    ['a secret', ['{{inputs.token}}'], undefined, 'an element of forEach cannot be a secret'],
  ])('%s is refused', (_, items, key, why) => {
    expect(keys(items, key, { one: 'one', token: Secret.fromText('token', 'x') })).toContain(why);
  });
});

test('a condition that reads the element is decided for each, any other once', () => {
  const forEach = { items: ['a'], as: 'name', parallel: 1 };
  expect(whenDecidedFor(step('s', { forEach, when: 'name == "a"' }))).toBe('instance');
  expect(whenDecidedFor(step('s', { forEach, when: 'inputs.name == "a"' }))).toBe('node');
  expect(whenDecidedFor(step('s', { when: 'name == "a"' }))).toBe('node');
});
