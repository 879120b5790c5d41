import { expect, test } from 'vitest';
import { step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/run-plan.ts';
import { RunRig } from '../../fakes/run-rig.ts';

function failureOf(rig: RunRig): unknown {
  return rig.events.find((event) => event.type === 'failed');
}

test('a change that its step gave up is not waited for: the run fails at once, for the reason the step gave', async () => {
  const rig = new RunRig(planOf([step('restart')]));
  rig.target.script.set('restart', ['fail']);
  rig.target.verdicts.set('restart', ['not-applied', ...Array<'in-progress'>(500).fill('in-progress')]);
  const began = rig.clock.now();
  expect((await rig.exec()).exitCode).toBe(1);
  expect(failureOf(rig)).toMatchObject({
    id: 'restart',
    error: { code: 'refused', message: 'It was refused.' },
  });
  expect(rig.clock.now() - began).toBeLessThan(1000);
});

test('a change whose answer was lost is waited for', async () => {
  const rig = new RunRig(planOf([step('restart')]));
  rig.target.script.set('restart', ['lost']);
  rig.target.verdicts.set('restart', ['not-applied', 'in-progress', 'in-progress']);
  expect((await rig.exec()).exitCode).toBe(0);
  expect(rig.target.count('do restart')).toBe(1);
});
