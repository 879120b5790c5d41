import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readInventory } from '../../../src/engine/read/inventory.ts';
import { each, group, include, read, runbook, step } from '../../fakes/plan-nodes.ts';
import { lines, planOf } from '../../fakes/plan-request.ts';
import { fakeWorld } from '../../fakes/plan-steps.ts';

const set = (thing: string, value: number | string) => ({ with: { thing, value } });

describe('when and forEach', () => {
  test('a false condition skips and says why, with everything inside', async () => {
    const steps = [
      group('maybe', [step('inside', set('a', 1))], { when: 'inputs.mode == "full"' }),
      read('after', { with: { thing: 'a' }, when: 'steps.inside.state == "skipped"' }),
    ];
    const { plan } = await planOf(runbook(steps), fakeWorld({ a: 3 }), { inputs: { mode: 'light' } });
    expect(lines(plan.forecast)).toEqual([
      'maybe skipped: when is false: inputs.mode = "light"',
      'after read',
    ]);
  });

  test('an unknown condition is shown as such, and nothing behind it is promised', async () => {
    const steps = [
      step('first', set('a', 1)),
      step('maybe', { ...set('b', 1), when: 'steps.first.outputs.revision == 2' }),
      read('seen', { with: { thing: 'b' }, when: 'steps.first.outputs.revision == 2' }),
    ];
    const { plan } = await planOf(runbook(steps), fakeWorld({ a: 3, b: 3 }));
    const doubt = 'only if steps.first.outputs.revision == 2, known after first';
    expect(lines(plan.forecast)).toEqual([
      'first change',
      `maybe unknown: ${doubt}`,
      `seen read-later: ${doubt}`,
    ]);
    expect(plan.forecast[1]?.diff).toEqual([{ path: 'spec.value', before: 3, after: 1 }]);
  });

  test('elements become instances; a condition that reads the element is decided for each', async () => {
    const steps = [
      step('all', {
        ...set('{{thing}}', 0),
        forEach: each('inputs.things', 'thing'),
        when: 'thing != "b"',
        name: 'Stop {{thing}}',
      }),
      step('sum', set('a', '{{steps.all.outputs.c.before}}')),
    ];
    const world = fakeWorld({ a: 1, b: 2, c: 3 });
    const { plan } = await planOf(runbook(steps), world, { inputs: { things: ['a', 'b', 'c'] } });
    expect(lines(plan.forecast)).toEqual([
      'all group: 3 elements',
      '  all[a] change',
      '  all[b] skipped: when is false: thing = "b"',
      '  all[c] change',
      'sum change',
    ]);
    expect(plan.forecast[1]?.name).toBe('Stop a');
  });

  test('a list that is not known yet gives one instance that stands for all', async () => {
    const steps = [
      step('first', set('a', 1)),
      group('every', [step('inner', set('{{item}}', 1))], { forEach: each('steps.first.outputs.names') }),
      read('last', { with: { thing: 'b' } }),
    ];
    const { plan } = await planOf(runbook(steps), fakeWorld({ a: 3, b: 1 }));
    const doubt = 'one for each element of a list that is known after first';
    expect(lines(plan.forecast)).toEqual([
      'first change',
      `every unknown: ${doubt}`,
      '  every[?] group',
      `    every[?]/inner unknown: ${doubt}`,
      'last read-later: known after every/inner',
    ]);
    expect(plan.forecast[3]?.summary).toBe('set ‹known after first› to 1');
  });

  test('two elements with one key are a mistake', async () => {
    const book = runbook([step('all', { ...set('{{item}}', 0), forEach: each(['a', 'a']) })]);
    const { problems } = await planOf(book, fakeWorld({ a: 1 }));
    expect(problems.map((problem) => problem.message)).toEqual([
      'all: two elements of forEach have the key "a"',
    ]);
  });
});

describe('includes, verifications and rollback', () => {
  const other = include('deploy', [step('apply', set('{{inputs.thing}}', 1))], {
    title: 'Deploy one thing',
    with: { thing: '{{inputs.target}}' },
    inputs: { thing: { type: 'string', description: 'Which', required: true } },
    preconditions: [read('there', { with: { thing: '{{inputs.thing}}' }, expect: 'outputs.value == 0' })],
    outputs: { was: '{{steps.apply.outputs.before}}' },
    locks: ['things/{{inputs.thing}}'],
    risk: 'high',
  });

  test('an include sees its own inputs; its precondition is looked at and decided later', async () => {
    const steps = [other, step('next', set('b', '{{steps.deploy.outputs.was}}'))];
    const book = runbook(steps, { locks: ['zoo', 'things/a'], risk: 'medium' });
    const { plan, problems } = await planOf(book, fakeWorld({ a: 4, b: 1 }), { inputs: { target: 'a' } });
    expect(problems).toEqual([]);
    expect(lines(plan.forecast)).toEqual([
      'deploy group',
      '  deploy/there read-later: not so now: expect failed: outputs.value = 4; decided just before Deploy one thing starts',
      '  deploy/apply change',
      'next change',
    ]);
    expect(plan.forecast[3]?.diff).toEqual([{ path: 'spec.value', before: 1, after: 4 }]);
    expect(plan.locks).toEqual(['things/a', 'zoo']);
    expect(plan.runbook.risk).toBe('high');
  });

  test('an include that is given a service by its name finds it in the inventory that the plan carries', async () => {
    const by = include('one', [step('apply', set('{{inputs.service.resource}}', 1))], {
      with: { service: 'api' },
      inputs: { service: { type: 'service', description: 'Which', required: true } },
    });
    const path = join(import.meta.dirname, '../../../runbooks/services.yaml');
    const found = readInventory('services.yaml', readFileSync(path));
    if (!found.ok) throw new Error('the shipped inventory is not valid');
    const [name, service] = [...found.value.services][0] ?? [];
    const book = runbook([{ ...by, with: { service: name ?? '' } }]);
    const { plan, problems } = await planOf(book, fakeWorld(), { inventory: found.value });
    expect(problems).toEqual([]);
    expect(plan.forecast[1]?.summary).toBe(`set ${service?.resource} to 1`);
    expect(plan.services?.[name ?? '']).toMatchObject({ namespace: service?.namespace });
    const unknown = await planOf(runbook([by]), fakeWorld(), { inventory: { services: new Map() } });
    expect(unknown.problems[0]?.message).toBe(
      'one: input "service" of "one" is "api", not a service of the inventory',
    );
  });

  test('verify steps and the rollback block are shown, and wait for their time', async () => {
    const steps = [
      step('one', {
        ...set('a', 1),
        verify: [read('check', { with: { thing: 'b' } })],
        rollback: [step('putBack', { ...set('a', 3), name: 'Put back {{inputs.target}}' })],
      }),
    ];
    const rollback = [step('calm', set('b', 1))];
    const book = runbook(steps, { rollback });
    const world = fakeWorld({ a: 3, b: 1 });
    const { plan } = await planOf(book, world, { inputs: { target: 'a' } });
    expect(lines(plan.forecast)).toEqual([
      'one change',
      '  one~verify/check read-later: known after one',
      'calm unknown: only in a rollback',
    ]);
    expect(plan.forecast[0]?.undo).toBe('Put back a');
    expect(world.calls).toEqual(['capture a', 'predict a']);
  });

  test('an undo is said without the steps that are known to be skipped', async () => {
    const waits = (id: string, input: string) =>
      read(id, { with: { thing: 'b' }, name: 'Wait', when: `inputs.${input} == "a"` });
    const steps = [
      step('one', { ...set('a', 1), rollback: [step('putBack', set('a', 3)), waits('calm', 'target')] }),
      step('two', { ...set('a', 1), rollback: [waits('settled', 'target')] }),
      { ...other, preconditions: [], rollback: [waits('whole', 'thing')] },
    ];
    const undoes = async (target: string) => {
      const { plan, problems } = await planOf(runbook(steps), fakeWorld({ a: 3, b: 3, c: 3 }), {
        inputs: { target },
      });
      expect(problems).toEqual([]);
      return plan.forecast.map(({ undo }) => undo).slice(0, 3);
    };
    expect(await undoes('a')).toEqual(['set a to 3, then Wait', 'Wait', 'the steps inside, then Wait']);
    expect(await undoes('c')).toEqual(['set a to 3', 'nothing to undo', undefined]);
  });

  test('a lock whose name only a step would tell is a mistake', async () => {
    const book = runbook([step('one', set('a', 1))], { locks: ['x/{{steps.one.outputs.before}}'] });
    const { problems } = await planOf(book, fakeWorld({ a: 3 }));
    expect(problems.map((problem) => problem.message)).toEqual([
      'lock x/{{steps.one.outputs.before}} is known after one, but locks are taken before the first step',
    ]);
  });
});
