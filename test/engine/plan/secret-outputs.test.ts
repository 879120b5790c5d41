import { expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { AnyStepType } from '../../../src/engine/step-type.ts';
import { read, runbook, step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/plan-request.ts';
import { fakeSteps, fakeWorld } from '../../fakes/plan-steps.ts';

test('a secret that a read gives reaches the prediction of a later change, and is nowhere in the plan', async () => {
  const world = fakeWorld({ a: 3, b: 1 });
  const steps = new Map(fakeSteps(world));
  const [reading, changing] = [steps.get('fake.read'), steps.get('fake.change')];
  const seen: string[] = [];
  steps.set('fake.read', {
    ...reading,
    run: async () => ({ value: Secret.fromText('whatever', 'canary-1') }),
  } as unknown as AnyStepType);
  steps.set('fake.change', {
    ...changing,
    predict: async ({ token }: { readonly token: Secret }) => {
      seen.push(token.revealText((text) => text));
      return { predictable: true, changes: true, diff: [] };
    },
  } as unknown as AnyStepType);
  const nodes = [
    read('get', { with: { thing: 'a' } }),
    step('take', { with: { thing: 'b', token: 'Bearer {{steps.get.outputs.value}}' } }),
  ];
  const planned = await planOf(runbook(nodes), world, { steps });
  expect(planned.problems).toEqual([]);
  expect(seen).toEqual(['Bearer canary-1']);
  expect(JSON.stringify(planned)).not.toContain('canary');
});
