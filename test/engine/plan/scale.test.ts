import { expect, test } from 'vitest';
import { serializePlan } from '../../../src/engine/plan/artefact.ts';
import type { Node } from '../../../src/engine/read/runbook.ts';
import { each, read, runbook, step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/plan-request.ts';
import { fakeWorld } from '../../fakes/plan-steps.ts';

/** Four times `quarter` steps and two more, half of them elements of one forEach with late references. */
async function planSteps(quarter: number) {
  const world = fakeWorld();
  const steps: Node[] = [];
  for (let index = 0; index < quarter; index += 1) {
    world.things.set(`a${index}`, index);
    world.things.set(`b${index}`, index);
    steps.push(step(`change${index}`, { with: { thing: `a${index}`, value: -1 }, timeout: '1m' }));
    steps.push(read(`read${index}`, { with: { thing: `b${index}` }, expect: `outputs.value == ${index}` }));
  }
  const items = Array.from({ length: 2 * quarter }, (_, index) => `c${index}`);
  for (const item of items) world.things.set(item, 7);
  steps.push(
    step('every', {
      name: 'Set {{item}}',
      forEach: each(items),
      with: { thing: '{{item}}', value: `{{steps.change${quarter - 1}.outputs.before}}` },
    }),
    step('last', {
      with: { thing: 'a0', value: `{{steps.every.outputs.c${2 * quarter - 1}.before}}` },
      when: 'steps.every.outputs["c1"].before == 7 && steps.read9.outputs.value == 9',
    }),
  );
  const started = process.cpuUsage();
  const { plan, problems } = await planOf(runbook(steps), world);
  const text = serializePlan(plan);
  return { plan, problems, text, cost: process.cpuUsage(started).user };
}

test('10,000 steps cost about ten times as much as 1,000', async () => {
  await planSteps(100);
  const small = await planSteps(250);
  const { plan, problems, text, cost } = await planSteps(2500);
  expect(problems).toEqual([]);
  expect(plan.forecast).toHaveLength(10_002);
  expect(plan.forecast.at(-2)?.diff).toEqual([{ path: 'spec.value', before: 7, after: 2499 }]);
  expect(plan.forecast.at(-1)).toMatchObject({ id: 'last', status: 'change' });
  expect(text.length).toBeLessThan(20_000_000);
  // A cost that grows with the square would be a hundred times as high.
  expect(cost).toBeLessThan(small.cost * 30);
});
