import { expect, test } from 'vitest';
import { serializePlan } from '../../../src/engine/plan/artefact.ts';
import type { Node } from '../../../src/engine/read/runbook.ts';
import { each, read, runbook, step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/plan-request.ts';
import { fakeWorld } from '../../fakes/plan-steps.ts';

test('10,000 steps, half of them elements with late references, are planned in seconds', async () => {
  const world = fakeWorld();
  const steps: Node[] = [];
  for (let index = 0; index < 2500; index += 1) {
    world.things.set(`a${index}`, index);
    world.things.set(`b${index}`, index);
    steps.push(step(`change${index}`, { with: { thing: `a${index}`, value: -1 }, timeout: '1m' }));
    steps.push(read(`read${index}`, { with: { thing: `b${index}` }, expect: `outputs.value == ${index}` }));
  }
  const items = Array.from({ length: 5000 }, (_, index) => `c${index}`);
  for (const item of items) world.things.set(item, 7);
  steps.push(
    step('every', {
      name: 'Set {{item}}',
      forEach: each(items),
      with: { thing: '{{item}}', value: '{{steps.change2499.outputs.before}}' },
    }),
    step('last', {
      with: { thing: 'a0', value: '{{steps.every.outputs.c4999.before}}' },
      when: 'steps.every.outputs["c1"].before == 7 && steps.read9.outputs.value == 9',
    }),
  );
  const started = process.hrtime.bigint();
  const { plan, problems } = await planOf(runbook(steps), world);
  const text = serializePlan(plan);
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  expect(problems).toEqual([]);
  expect(plan.forecast).toHaveLength(10_002);
  expect(plan.forecast.at(-2)?.diff).toEqual([{ path: 'spec.value', before: 7, after: 2499 }]);
  expect(plan.forecast.at(-1)).toMatchObject({ id: 'last', status: 'change' });
  expect(text.length).toBeLessThan(20_000_000);
  // Far above what it takes, far below what anything quadratic would.
  expect(seconds).toBeLessThan(10);
});
