import { describe, expect, test } from 'vitest';
import { read, step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/run-plan.ts';
import { RunRig } from '../../fakes/run-rig.ts';

describe('one step', () => {
  test('a read runs, and the run is done', async () => {
    const rig = new RunRig(planOf([read('look')]));
    const result = await rig.exec();
    expect(result.problem).toBeUndefined();
    expect(result.exitCode).toBe(0);
    expect(rig.types()).toEqual(['run-opened', 'evaluated', 'done', 'run-finished']);
  });

  test('a change goes through the whole write protocol, in order', async () => {
    const rig = new RunRig(planOf([step('restart')]));
    const result = await rig.exec();
    expect(result.exitCode).toBe(0);
    expect(rig.types()).toEqual([
      'run-opened',
      'evaluated',
      'captured',
      'observed',
      'intended',
      'result',
      'observed',
      'verified',
      'done',
      'run-finished',
    ]);
    expect(rig.target.log).toEqual(['do restart']);
  });

  test('a change is told what was captured before it, also when a later process repeats it', async () => {
    const rig = new RunRig(planOf([step('restart')]));
    rig.target.script.set('restart', ['idle']);
    expect((await rig.exec()).exitCode).toBe(4);
    expect(rig.target.befores.get('restart')).toEqual({ state: { was: false }, witnesses: [] });
    rig.target.befores.clear();
    expect((await rig.resume()).exitCode).toBe(0);
    expect(rig.target.befores.get('restart')).toEqual({ state: { was: false }, witnesses: [] });
  });

  test('a change that is there already is skipped, and says so', async () => {
    const rig = new RunRig(planOf([step('restart')]));
    rig.target.present.set('restart', { by: 'somebody', from: 0 });
    expect((await rig.exec()).exitCode).toBe(0);
    expect(rig.target.log).toEqual([]);
    expect(rig.events.find((event) => event.type === 'skipped')).toMatchObject({
      reason: 'already-applied',
      text: 'already as wanted: restart is present',
    });
  });
});

describe('failures', () => {
  test('before the first change: 4, and nothing was changed', async () => {
    const rig = new RunRig(planOf([read('look', { expect: 'outputs.ok == false' }), step('restart')]));
    const result = await rig.exec();
    expect(result.exitCode).toBe(4);
    expect(result.state.finished?.text).toBe(
      '"look" failed: expected outputs.ok == false. Nothing was changed',
    );
    expect(rig.target.log).toEqual(['read look']);
  });

  test('after a change: 1, and a resume goes on where it stopped', async () => {
    const rig = new RunRig(planOf([step('one'), step('two')]));
    rig.target.script.set('two', ['fail']);
    expect((await rig.exec()).exitCode).toBe(1);
    expect((await rig.resume()).exitCode).toBe(0);
    expect(rig.target.log).toEqual(['do one', 'do two']);
  });

  test('onFailure rollback undoes what took effect in reverse order: 5', async () => {
    const rig = new RunRig(planOf([step('one'), step('two'), step('three', { onFailure: 'rollback' })]));
    rig.target.script.set('three', ['fail']);
    const result = await rig.exec();
    expect(rig.target.log).toEqual(['do one', 'do two', 'undo two', 'undo one']);
    expect(result.exitCode).toBe(5);
    expect(rig.target.present.size).toBe(0);
  });
});
