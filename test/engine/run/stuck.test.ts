import { describe, expect, test } from 'vitest';
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

describe('an undo', () => {
  /** A change that fails, after which `observe` says for a while that it is on its way, and the undo of it. */
  function failed(undo: 'fail' | 'crash' | 'idle' | 'ok', waits: number): RunRig {
    const rig = new RunRig(planOf([step('upgrade', { onFailure: 'rollback' })]));
    rig.target.script.set('upgrade', ['fail']);
    rig.target.script.set('upgrade~undo', [undo]);
    rig.target.verdicts.set('upgrade', ['not-applied', ...Array<'in-progress'>(waits).fill('in-progress')]);
    return rig;
  }

  function stuck(rig: RunRig): RunRig {
    rig.target.stuck.add('upgrade');
    return rig;
  }

  test.each([
    ['that nothing moves', stuck],
    ['that is on its way', (rig: RunRig) => rig],
  ])('that is refused for good says so at once, over a change %s', async (_what, make) => {
    const rig = make(failed('fail', 500));
    const began = rig.clock.now();
    expect((await rig.exec()).exitCode).toBe(6);
    expect(rig.events.filter(({ type }) => type === 'undo-failed')).toMatchObject([
      { error: { code: 'refused', message: 'It was refused.' } },
    ]);
    expect(rig.clock.now() - began).toBeLessThan(1000);
  });

  test('is tried again by a resume, and undoes what nothing moves', async () => {
    const rig = stuck(failed('fail', 4));
    expect((await rig.exec()).exitCode).toBe(6);
    expect(rig.target.count('undo upgrade')).toBe(0);
    expect((await rig.resume()).exitCode).toBe(5);
    expect(rig.target.count('undo upgrade')).toBe(1);
  });

  test('in which the process died is made over a change that nothing moves', async () => {
    const rig = stuck(failed('crash', 3));
    expect((await rig.exec()).exitCode).toBe(137);
    expect((await rig.resume()).exitCode).toBe(5);
    expect(rig.target.count('undo upgrade')).toBe(1);
  });

  test('that ended well and left the change stuck where it was is not waited for', async () => {
    const rig = stuck(failed('idle', 500));
    const began = rig.clock.now();
    expect((await rig.exec()).exitCode).toBe(6);
    expect(rig.events.find(({ type }) => type === 'undo-failed')).toMatchObject({
      error: { code: 'still-there', message: 'it is still there: told to say in-progress' },
    });
    expect(rig.clock.now() - began).toBeLessThan(1000);
  });

  test('that ended well is waited for while its effect is on its way', async () => {
    const rig = failed('ok', 4);
    expect((await rig.exec()).exitCode).toBe(5);
    expect(rig.target.count('undo upgrade')).toBe(1);
  });
});
