import { describe, expect, test } from 'vitest';
import { StepError } from '../../../src/engine/step-type.ts';
import { group, include, read, step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/run-plan.ts';
import { RunRig, ScriptedPrompt } from '../../fakes/run-rig.ts';

const failing = step('boom', { onFailure: 'rollback' });

function rigThatFails(steps: Parameters<typeof planOf>[0], more: Parameters<typeof planOf>[1] = {}): RunRig {
  const rig = new RunRig(planOf([...steps, failing], more));
  rig.target.script.set('boom', ['fail']);
  return rig;
}

describe('the way back', () => {
  test('custom rollback steps replace the undo of the type', async () => {
    const rig = rigThatFails([step('one', { rollback: [step('back', { with: { name: 'back' } })] })]);
    expect((await rig.exec()).exitCode).toBe(5);
    expect(rig.target.log).toEqual(['do one', 'do one~undo/back']);
    expect(rig.events.find((event) => event.type === 'undone')).toMatchObject({ id: 'one' });
  });

  test('what cannot be undone is said to stay, whether the author or the type says so', async () => {
    const rig = rigThatFails([
      step('one', { rollback: { irreversible: 'a restart cannot be taken back' } }),
      step('two', { uses: 'fake.kept' }),
      step('three'),
    ]);
    expect((await rig.exec()).exitCode).toBe(5);
    expect(
      rig.events.flatMap((event) => (event.type === 'undo-skipped' ? [[event.id, event.why]] : [])),
    ).toEqual([
      ['two', 'nothing brings it back'],
      ['one', 'a restart cannot be taken back'],
    ]);
    expect(rig.target.log.slice(-1)).toEqual(['undo three']);
  });

  test('what an undo leaves is declared, and the undo runs all the same', async () => {
    const rig = rigThatFails([step('one', { rollback: { undo: true, irreversible: 'its name stays' } })]);
    expect((await rig.exec()).exitCode).toBe(5);
    expect(rig.target.log).toEqual(['do one', 'undo one']);
    expect(rig.events.some((event) => event.type === 'undo-skipped')).toBe(false);
  });

  test("an include's rollback block runs at its place; a group's own rollback replaces that of its steps", async () => {
    const rig = rigThatFails([
      step('first'),
      include('deploy', [step('apply')], { rollback: [read('settled')] }),
      group('pair', [step('left'), step('right')], { rollback: [step('both', { with: { name: 'both' } })] }),
    ]);
    expect((await rig.exec()).exitCode).toBe(5);
    expect(rig.target.log.slice(4)).toEqual([
      'do pair~undo/both',
      'undo deploy/apply',
      'read deploy~undo/settled',
      'undo first',
    ]);
  });

  test('the rollback block and the preconditions follow, when anything took effect', async () => {
    const blocks = { preconditions: [read('before')], rollback: [read('after')] };
    const rig = rigThatFails([step('one')], { blocks });
    expect((await rig.exec()).exitCode).toBe(5);
    expect(rig.target.log).toEqual([
      'read before',
      'do one',
      'undo one',
      'read after',
      'read @recheck/before',
    ]);
    const nothing = rigThatFails([], { blocks });
    expect((await nothing.exec()).exitCode).toBe(4);
    expect(nothing.target.log).toEqual(['read before']);
  });

  test('preconditions that no longer hold make the rollback incomplete', async () => {
    const rig = rigThatFails([step('one')], {
      blocks: { preconditions: [read('before', { expect: 'outputs.n == 1' })] },
    });
    rig.target.reads.set('before', [{ n: 1 }]);
    rig.target.reads.set('@recheck/before', [{ n: 2 }]);
    const { exitCode, state } = await rig.exec();
    expect(exitCode).toBe(6);
    expect(state.finished?.text).toMatch(/as they did before: "[^"]*before"$/);
  });

  test('preconditions that did not hold after it are looked at again when it goes on', async () => {
    const rig = rigThatFails([step('one')], {
      blocks: { preconditions: [read('before', { expect: 'outputs.n == 1' }), read('other')] },
    });
    rig.target.reads.set('before', [{ n: 1 }]);
    rig.target.reads.set('@recheck/before', [{ n: 2 }, { n: 2 }, { n: 1 }]);
    expect((await rig.exec()).exitCode).toBe(6);
    expect((await rig.resume('rollback')).exitCode).toBe(6);
    expect((await rig.resume()).exitCode).toBe(5);
    expect(rig.target.count('undo one')).toBe(1);
    expect(rig.target.count('read @recheck/other')).toBe(3);
  });

  test('an undo that fails stops everything: 6; a resume tries it again and goes on', async () => {
    const rig = rigThatFails([step('one'), step('two'), step('three')]);
    rig.target.script.set('two~undo', ['fail']);
    expect((await rig.exec()).exitCode).toBe(6);
    expect(rig.target.log).toEqual(['do one', 'do two', 'do three', 'undo three']);
    expect((await rig.resume()).exitCode).toBe(5);
    expect(rig.target.log.slice(4)).toEqual(['undo two', 'undo one']);
  });

  test('its last words are whole sentences, whatever a step said', async () => {
    const rig = rigThatFails([step('one')]);
    rig.target.script.set('one~undo', ['fail']);
    await rig.exec();
    expect(rig.events.findLast((event) => event.type === 'run-finished')).toMatchObject({
      text: expect.stringMatching(/: It was refused\. Then: runbook resume /),
    });
  });

  test('an undo whose answer was lost is observed, not repeated', async () => {
    const rig = rigThatFails([step('one')]);
    rig.target.script.set('one~undo', ['lost']);
    expect((await rig.exec()).exitCode).toBe(5);
    expect(rig.target.count('undo one')).toBe(1);
  });

  test('a failing step among the rollback steps is a failure of that undo', async () => {
    const rig = rigThatFails([step('one', { rollback: [read('check')] })]);
    rig.target.script.set('one~undo/check', ['fail']);
    expect((await rig.exec()).exitCode).toBe(6);
    expect(rig.events.find((event) => event.type === 'undo-failed')).toMatchObject({ id: 'one' });
    expect((await rig.resume()).exitCode).toBe(5);
  });

  test.each(['crash', 'crash-after'] as const)(
    'a process that dies in an undo (%s) goes on undoing',
    async (how) => {
      const rig = rigThatFails([step('one'), step('two')]);
      rig.target.script.set('two~undo', [how]);
      expect((await rig.exec()).exitCode).toBe(137);
      expect((await rig.resume()).exitCode).toBe(5);
      expect(rig.target.log.slice(2)).toEqual(['undo two', 'undo one']);
    },
  );

  test('a finished run can be rolled back, once', async () => {
    const rig = new RunRig(planOf([step('one'), step('two')]));
    expect((await rig.exec()).exitCode).toBe(0);
    expect((await rig.resume('rollback')).exitCode).toBe(5);
    expect(rig.target.log).toEqual(['do one', 'do two', 'undo two', 'undo one']);
  });

  test('an effect whose outcome is unknown is never undone blindly: 7, until it can be seen', async () => {
    const rig = rigThatFails([
      group('all', [step('one'), step('two', { onFailure: 'rollback' })], { parallel: 0 }),
    ]);
    rig.target.script.set('all/one', ['lost']);
    rig.target.script.set('all/two', ['fail']);
    rig.target.verdicts.set('all/one', ['not-applied', 'unknown']);
    expect((await rig.exec()).exitCode).toBe(7);
    expect(rig.target.log).toEqual(['do all/one']);
    expect((await rig.resume('rollback')).exitCode).toBe(5);
    expect(rig.target.log).toEqual(['do all/one', 'undo all/one']);
  });

  test.each(['half', 'crash-half'] as const)(
    'what is there in part (%s) is finished by a resume, and undone by a rollback',
    async (how) => {
      const stopped = async () => {
        const rig = new RunRig(planOf([step('one'), step('two')]));
        rig.target.script.set('two', [how]);
        expect((await rig.exec()).exitCode).toBe(how === 'half' ? 1 : 137);
        expect(rig.target.log).toEqual(['do one', 'half two']);
        return rig;
      };
      const resumed = await stopped();
      expect((await resumed.resume()).exitCode).toBe(0);
      expect(resumed.target.log.slice(2)).toEqual(['do two']);
      const back = await stopped();
      expect((await back.resume('rollback')).exitCode).toBe(5);
      expect(back.target.log.slice(2)).toEqual(['undo two', 'undo one']);
    },
  );

  test('what somebody else changed since is left alone: 6', async () => {
    const rig = new RunRig(planOf([step('one')]));
    rig.target.verdicts.set('one', ['not-applied', 'conflict', 'conflict']);
    expect((await rig.exec()).exitCode).toBe(1);
    expect((await rig.resume('rollback')).exitCode).toBe(6);
    expect(rig.target.log).toEqual(['do one']);
  });
});

describe('policies', () => {
  test('a failing proof is passed over when the step says continue', async () => {
    const rig = new RunRig(
      planOf([step('one', { onFailure: 'continue', verify: [read('check'), read('more')] }), step('two')]),
    );
    rig.target.script.set('one~verify/check', ['fail']);
    const result = await rig.exec();
    expect(result.exitCode).toBe(1);
    expect(result.state.finished?.text).toBe('came to its end, but "check" failed');
    expect(rig.target.log).toEqual(['do one', 'read one~verify/check', 'do two']);
    expect((await rig.resume('rollback')).exitCode).toBe(5);
    expect(rig.target.log.slice(3)).toEqual(['undo two', 'undo one']);
  });

  test('who is not let in any more does not start a rollback', async () => {
    const rig = rigThatFails([step('one')]);
    const refused = new StepError('forbidden', 'the API server says no', {
      outcome: 'not-applied',
      cause: Object.assign(new Error('Unauthorized'), { status: 401 }),
    });
    rig.target.script.set('boom', []);
    rig.target.errors.set('boom', [refused]);
    const result = await rig.exec();
    expect(result.exitCode).toBe(1);
    expect(result.state.failure).toMatchObject({ handling: 'stop', error: { code: 'unauthorized' } });
    expect(rig.target.log).toEqual(['do one']);
  });
});

describe('a human decides', () => {
  test.each([
    ['rollback', 5, ['do one', 'undo one']],
    ['stop', 1, ['do one']],
    ['retry', 0, ['do one', 'do two']],
  ] as const)('%s', async (answer, exitCode, log) => {
    const rig = new RunRig(planOf([step('one'), step('two')]));
    rig.target.script.set('two', ['fail']);
    rig.prompt = new ScriptedPrompt([answer]);
    expect((await rig.exec({ interactive: true })).exitCode).toBe(exitCode);
    expect(rig.target.log).toEqual(log);
    expect(rig.events.find((event) => event.type === 'answered')).toMatchObject({
      answer,
      actor: { user: 'alice' },
      byYes: false,
    });
  });
});
