import { describe, expect, test } from 'vitest';
import type { InstanceFacts } from '../../../src/engine/plan/instance.ts';
import { lookupFor, nodeOf, type ScopeSource } from '../../../src/engine/plan/scope.ts';
import type { Value } from '../../../src/engine/value.ts';
import { each, group, include, read, runbook, step } from '../../fakes/plan-nodes.ts';

const document = runbook(
  [
    step('first'),
    step('each', {
      forEach: each('inputs.names', 'name'),
      verify: [read('check'), read('again')],
      rollback: [step('putBack'), read('after')],
    }),
    group('all', [step('one', { forEach: each(['x', 'y']) }), step('two'), group('deep', [step('three')])], {
      forEach: each(['n', 'm'], 'space'),
    }),
    include('deploy', [step('first'), step('second')], {
      inputs: {
        size: { type: 'integer', description: 'How many' },
        token: { type: 'secret', description: 'A token' },
        mode: { type: 'string', description: 'How', default: 'slow' },
      },
      with: { size: '{{steps.first.outputs.n}}' },
      rollback: [step('back')],
    }),
    group('maybe', [step('inside')]),
  ],
  { preconditions: [read('healthy'), read('ready')], rollback: [read('settled')] },
);
const blocks = {
  preconditions: document.preconditions,
  steps: document.steps,
  verifications: document.verifications,
  rollback: document.rollback,
};

function source(
  facts: Readonly<Record<string, InstanceFacts>>,
  inputs: Record<string, Value> = {},
): ScopeSource {
  const files = [{ path: 'test.yaml', sha256: '' }];
  return {
    plan: { blocks, inputs: {}, runbook: { ...document, path: 'test.yaml', digest: '', files } },
    run: { id: 'r1', startedAt: '2024-01-01T00:00:00Z', user: 'ada' },
    inputs,
    facts: (instance) => facts[instance],
  };
}

function at(facts: Readonly<Record<string, InstanceFacts>>, instance: string, reference: string) {
  return lookupFor(source(facts, { names: ['a', 'b'] }), instance)(reference.split('.'));
}

const done = (outputs: InstanceFacts['outputs']): InstanceFacts => ({
  state: 'applied',
  outputs: outputs ?? {},
});

describe('steps in scope', () => {
  const facts: Record<string, InstanceFacts> = {
    first: done({ n: 3, list: [{ a: 1 }] }),
    each: { state: 'applied', keys: ['a', 'b'] },
    'each[a]': { ...done({ r: 1 }), item: { name: 'name', value: 'a' }, before: { replicas: 2 } },
    'each[b]': { ...done({ r: 2 }), item: { name: 'name', value: 'b' } },
    'each[a]~undo/putBack': done({ back: true }),
    all: { state: 'applied', keys: ['n', 'm'] },
    'all[n]': { state: 'applied', item: { name: 'space', value: { ns: 'nvcf' } } },
    'all[n]/one': { state: 'applied', keys: ['x', 'y'] },
    'all[n]/one[x]': done({ v: 'nx' }),
    'all[n]/one[y]': done({ v: 'ny' }),
    'all[n]/two': done({ v: 'n2' }),
    'all[m]': { state: 'skipped' },
    'deploy/first': done({ n: 'inner' }),
    maybe: { state: 'skipped' },
    healthy: done({ pods: 3 }),
    '@recheck/healthy': done({ pods: 2 }),
  };

  test.each<[string, string, unknown]>([
    ['all', 'steps.first.outputs.n', 3],
    ['all', 'steps.first.outputs.list.0.a', 1],
    ['all', 'steps.first.state', 'applied'],
    ['all', 'steps.first', { state: 'applied', outputs: { n: 3, list: [{ a: 1 }] } }],
    // Outside the forEach: a map by key.
    ['maybe', 'steps.each.outputs', { a: { r: 1 }, b: { r: 2 } }],
    ['maybe', 'steps.each.outputs.b.r', 2],
    ['maybe', 'steps.each.state', 'applied'],
    // In the same element: its own.
    ['each[b]~verify/again', 'steps.each.outputs.r', 2],
    ['each[a]~undo/after', 'steps.putBack.outputs.back', true],
    ['each[a]~undo/putBack', 'steps.each.before.replicas', 2],
    ['each[a]~undo/putBack', 'name', 'a'],
    // Groups in forEach, and a forEach in there.
    ['all[n]/two', 'steps.one.outputs.y.v', 'ny'],
    ['all[n]/two', 'space.ns', 'nvcf'],
    ['all[n]/deep/three', 'steps.two.outputs.v', 'n2'],
    ['maybe', 'steps.two.outputs', { n: { v: 'n2' } }],
    ['maybe', 'steps.one.outputs.n.x.v', 'nx'],
    ['maybe', 'steps.one.state', 'applied'],
    // Ids of an include are its own.
    ['deploy/second', 'steps.first.outputs.n', 'inner'],
    ['deploy~undo/back', 'steps.first.outputs.n', 'inner'],
    ['deploy/', 'steps.first.outputs.n', 'inner'],
    ['deploy/second', 'inputs.size', 3],
    ['deploy/second', 'inputs.mode', 'slow'],
    // What was skipped takes its children with it.
    ['@rollback', 'steps.inside.state', 'skipped'],
    // The second round of preconditions sees itself.
    ['ready', 'steps.healthy.outputs.pods', 3],
    ['@recheck/ready', 'steps.healthy.outputs.pods', 2],
    ['first', 'run.id', 'r1'],
    ['first', 'runbook.name', 'test'],
    ['first', 'inputs.names', ['a', 'b']],
  ])('from %s, %s', (instance, reference, value) => {
    expect(at(facts, instance, reference)).toEqual({ state: 'known', value });
  });

  test.each<[string, string, string]>([
    ['first', 'steps.frist.outputs', 'there is no step "frist": did you mean "first"?'],
    ['first', 'steps.first.outputs.m', 'steps.first.outputs has no "m"'],
    ['maybe', 'steps.each.outputs.c', 'step "each" has no element "c"; it has a, b'],
    ['first', 'steps.inside.outputs.x', 'step "inside" was skipped, so it has no outputs'],
    ['first', 'inputs.size', 'input "size" was not given and has no default'],
    ['deploy/second', 'inputs.sise', 'Other has no input "sise": did you mean "size"?'],
    ['first', 'name', 'there is no "name" here'],
    ['deploy/second', 'steps.each.outputs', 'there is no step "each": steps: first, second, back'],
    ['maybe', 'steps.each.before', "steps.each.before can only be read by that step's own rollback"],
  ])('from %s, %s is missing', (instance, reference, why) => {
    expect(at(facts, instance, reference)).toEqual({ state: 'missing', why });
  });
});

describe('what is not known yet', () => {
  const facts: Record<string, InstanceFacts> = {
    first: { state: 'applied', pending: true, outputs: { n: 3 } },
    each: { state: 'applied', pending: true, keys: ['a', 'b'] },
    'each[a]': { state: 'applied', pending: true, outputs: { r: 1 } },
    'each[b]': { state: 'applied', pending: true },
    all: { state: 'applied', pending: true },
  };

  test.each<[string, readonly string[]]>([
    ['steps.first.outputs', ['first']],
    ['steps.first.outputs.m', ['first']],
    ['steps.first.state', ['first']],
    ['steps.each.outputs.b.r', ['each[b]']],
    ['steps.each.outputs', ['each']],
    ['steps.two.outputs', ['all']],
    ['steps.inside.outputs.x', ['maybe/inside']],
  ])('%s', (reference, after) => {
    expect(at(facts, 'deploy', reference)).toEqual({ state: 'unknown', after });
  });

  test.each<[string, unknown]>([
    ['steps.first.outputs.n', 3],
    ['steps.each.outputs.a.r', 1],
  ])('%s is predicted', (reference, value) => {
    expect(at(facts, 'deploy', reference)).toEqual({ state: 'known', value });
  });
});

describe('nodeOf', () => {
  test.each<[string, string, string]>([
    ['first', 'first', 'steps'],
    ['healthy', 'healthy', 'preconditions'],
    ['@recheck/healthy', 'healthy', 'preconditions'],
    ['each[a]~verify/check', 'check', 'steps'],
    ['each[a]~undo/putBack', 'putBack', 'rollback'],
    ['all[n]', 'all', 'steps'],
    ['all[n]/one[x]', 'one', 'steps'],
    ['deploy/second', 'second', 'steps'],
    ['deploy~undo/back', 'back', 'rollback'],
    ['settled', 'settled', 'rollback'],
  ])('%s', (instance, id, block) => {
    const found = nodeOf({ blocks }, instance);
    expect([found?.node.id, found?.block]).toEqual([id, block]);
  });

  test.each(['@steps', 'nothing', 'first[a]', 'first/second', 'deploy/', 'deploy/each'])(
    '%s is no node of this plan',
    (instance) => {
      expect(nodeOf({ blocks }, instance)).toBeUndefined();
    },
  );
});

describe('inputs of an include', () => {
  const inputs = {
    service: { type: 'service', description: 'Which' },
    all: { type: 'list', of: 'service', description: 'More' },
    size: { type: 'integer', description: 'How many', max: 5 },
  } as const;
  const entry = { name: 'nvcf-api', aliases: ['api'], namespace: 'nvcf' };

  function inside(given: Record<string, string | number | readonly string[]>, reference: string) {
    const steps = [include('deploy', [step('one')], { inputs, with: given })];
    const plan = {
      ...source({}).plan,
      blocks: { preconditions: [], steps, verifications: [], rollback: [] },
      services: { 'nvcf-api': entry },
    };
    const outer = { ...source({}, { chosen: entry, count: 9 }), plan };
    return lookupFor(outer, 'deploy/one')(reference.split('.'));
  }

  test.each<[string, Record<string, string | number | readonly string[]>, string, unknown]>([
    ['a name', { service: 'nvcf-api' }, 'inputs.service.namespace', 'nvcf'],
    ['an alias', { service: 'api' }, 'inputs.service', entry],
    ['an entry', { service: '{{inputs.chosen}}' }, 'inputs.service.name', 'nvcf-api'],
    ['a list of both', { all: ['api', '{{inputs.chosen}}'] }, 'inputs.all', [entry, entry]],
  ])('a service is an entry of the inventory, given %s', (_, given, reference, value) => {
    expect(inside(given, reference)).toEqual({ state: 'known', value });
  });

  test.each<[Record<string, string | number>, string, string]>([
    [
      { service: 'nvcf-apy' },
      'inputs.service',
      'input "service" of "deploy" is "nvcf-apy", not a service of the inventory: did you mean "nvcf-api"?',
    ],
    [{ size: '{{inputs.count}}' }, 'inputs.size', 'more than 5'],
  ])('a value that the declaration does not allow is refused: %j', (given, reference, why) => {
    const found = inside(given, reference);
    expect(found.state).toBe('missing');
    expect(found).toHaveProperty('why', expect.stringContaining(why));
    expect(found).toHaveProperty('why', expect.stringMatching(/^input "\w+" of "deploy" is /));
  });
});
