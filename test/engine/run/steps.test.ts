import { describe, expect, test } from 'vitest';
import type { ChangeStepType, RunContext } from '../../../src/engine/step-type.ts';
import { group, include, read, step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/run-plan.ts';
import { RunRig } from '../../fakes/run-rig.ts';

const minute = 60_000;

describe('when, forEach and groups', () => {
  test('a false when skips, and says which value made it so', async () => {
    const rig = new RunRig(
      planOf([read('look'), step('restart', { when: 'steps.look.outputs.ok == false' })]),
    );
    expect((await rig.exec()).exitCode).toBe(0);
    expect(rig.target.log).toEqual(['read look']);
    const skipped = rig.events.find((event) => event.type === 'skipped');
    expect(skipped).toMatchObject({ id: 'restart', reason: 'when' });
    expect(skipped?.type === 'skipped' ? skipped.text : '').toContain('steps.look.outputs.ok = true');
  });

  test('forEach makes an instance for each element, whose outputs later steps read by key', async () => {
    const rig = new RunRig(
      planOf([
        step('restart', {
          forEach: { items: ['api', 'ui'], as: 'service', parallel: 1 },
          with: { name: 'pod-{{service}}' },
        }),
        step('after', { with: { name: '{{steps.restart.outputs.ui.key}}-again' } }),
      ]),
    );
    expect((await rig.exec()).exitCode).toBe(0);
    expect([...rig.target.present.keys()]).toEqual(['pod-api', 'pod-ui', 'pod-ui-again']);
  });

  test('an empty list is skipped, and says so', async () => {
    const rig = new RunRig(planOf([step('restart', { forEach: { items: '[]', as: 'item', parallel: 1 } })]));
    expect((await rig.exec()).exitCode).toBe(0);
    expect(rig.events.find((event) => event.type === 'skipped')).toMatchObject({ reason: 'empty' });
  });

  test('a parallel group never has more in flight than its limit, and starts in order', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const rig = new RunRig(
      planOf([
        group(
          'all',
          ids.map((id) => step(id)),
          { parallel: 2 },
        ),
      ]),
    );
    for (const id of ids) rig.target.script.set(`all/${id}`, ['slow']);
    let open = 0;
    let most = 0;
    rig.options = {
      observers: [
        (event) => {
          if (event.type === 'intended') open += 1;
          if (event.type === 'done' && event.id !== 'all') open -= 1;
          most = Math.max(most, open);
        },
      ],
    };
    expect((await rig.exec()).exitCode).toBe(0);
    expect(most).toBe(2);
    expect(rig.target.log).toEqual(ids.map((id) => `do all/${id}`));
  });

  test('an include runs its preconditions, steps and verifications, and gives its outputs', async () => {
    const rig = new RunRig(
      planOf(
        [
          include('deploy', [step('apply', { with: { name: '{{inputs.what}}' } })], {
            preconditions: [read('ready')],
            verifications: [read('healthy')],
            inputs: { what: { type: 'string', description: 'what' } },
            with: { what: 'api' },
            outputs: { made: '{{steps.apply.outputs.key}}' },
          }),
        ],
        { outputs: { made: '{{steps.deploy.outputs.made}}' } },
      ),
    );
    const result = await rig.exec();
    expect(result.state.finished?.outputs).toEqual({ made: 'api' });
    expect(rig.target.log).toEqual(['read deploy/ready', 'do deploy/apply', 'read deploy/healthy']);
  });

  test('what cannot be rendered fails the step with its place, and is evaluated again on resume', async () => {
    const rig = new RunRig(planOf([step('one', { when: 'steps.look.outputs.missing > 0' }), read('look')]));
    const result = await rig.exec();
    expect(result.exitCode).toBe(4);
    expect(result.state.finished?.text).toContain('when of "one"');
    expect((await rig.resume()).exitCode).toBe(4);
  });
});

describe('retry, until and timeouts', () => {
  const retry = { attempts: 3, delay: '10s', backoff: 2, maxDelay: '1m' };

  test('a retry waits longer each time, observes first, and keeps its operation key', async () => {
    const rig = new RunRig(planOf([step('restart', { retry })]));
    rig.target.script.set('restart', ['flaky', 'flaky']);
    const start = rig.clock.now();
    expect((await rig.exec()).exitCode).toBe(0);
    const intents = rig.events.flatMap((event) => (event.type === 'intended' ? [event] : []));
    expect(intents.map((event) => event.attempt)).toEqual([1, 2, 3]);
    expect(new Set(intents.map((event) => event.operationKey)).size).toBe(1);
    expect(intents.map((event) => Date.parse(event.time) - start)).toEqual([0, 10_000, 30_000]);
    const second = rig.types().indexOf('intended', rig.types().indexOf('attempt-failed'));
    expect(rig.types().slice(second - 2, second)).toEqual(['observed', 'observed']);
  });

  test('an answer that was lost is not repeated: observed as applied, with the error kept', async () => {
    const rig = new RunRig(planOf([step('restart', { retry })]));
    rig.target.script.set('restart', ['lost']);
    expect((await rig.exec()).exitCode).toBe(0);
    expect(rig.target.log).toEqual(['do restart']);
    expect(rig.events.find((event) => event.type === 'attempt-failed')).toMatchObject({
      error: { code: 'no-answer' },
    });
  });

  test('what is not retryable is not retried', async () => {
    const rig = new RunRig(planOf([read('look', { retry })]));
    rig.target.script.set('look', ['fail']);
    expect((await rig.exec()).exitCode).toBe(4);
    expect(rig.target.log).toEqual(['read look']);
  });

  test('a read is retried as often as it may be, then fails with the last error', async () => {
    const rig = new RunRig(planOf([read('look', { retry })]));
    rig.target.script.set('look', ['flaky', 'flaky', 'flaky']);
    const result = await rig.exec();
    expect(result.state.finished?.text).toContain('try later');
    expect(rig.target.log).toHaveLength(3);
  });

  test('until polls until expect holds, and journals the deadline once', async () => {
    const rig = new RunRig(
      planOf([read('wait', { expect: 'outputs.n == 3', until: { within: '1m', every: '5s' } })]),
    );
    rig.target.reads.set('wait', [{ n: 1 }, { n: 2 }, { n: 3 }]);
    const start = rig.clock.now();
    expect((await rig.exec()).exitCode).toBe(0);
    expect(rig.clock.now() - start).toBe(10_000);
    expect(rig.types()).toEqual(['run-opened', 'evaluated', 'polling', 'done', 'run-finished']);
    expect(rig.events.find((event) => event.type === 'polling')).toMatchObject({ deadline: start + minute });
  });

  test('until gives up at its deadline, and shows the values that were still wrong', async () => {
    const rig = new RunRig(
      planOf([read('wait', { expect: 'outputs.n == 3', until: { within: '1m', every: '5s' } })]),
    );
    rig.target.reads.set(
      'wait',
      Array.from({ length: 20 }, () => ({ n: 1 })),
    );
    const start = rig.clock.now();
    const result = await rig.exec();
    expect(result.exitCode).toBe(1);
    expect(rig.clock.now() - start).toBe(minute);
    expect(result.state.failure?.error).toEqual({
      code: 'expect-failed',
      message: 'expected outputs.n == 3: not within 1m',
      details: ['outputs.n = 1'],
    });
  });

  test('a read that is not as expected tells what it found, and what to do', async () => {
    const rig = new RunRig(planOf([read('look', { expect: 'outputs.n == 3' })]));
    rig.target.reads.set('look', [{ n: 1, found: ['one of them is broken'] }]);
    const result = await rig.exec();
    expect(result.state.failure?.error).toEqual({
      code: 'expect-failed',
      message: 'expected outputs.n == 3',
      details: ['outputs.n = 1', 'one of them is broken'],
      hint: 'look into each',
    });
  });

  test('a step that hangs is asked to stop at its time limit, then observed', async () => {
    const rig = new RunRig(planOf([step('restart', { timeout: '30s' })]));
    rig.target.script.set('restart', ['hang']);
    const start = rig.clock.now();
    const result = await rig.exec();
    expect(rig.clock.now() - start).toBe(30_000);
    expect(result.state.failure?.error.message).toBe('did not finish within 30s');
    expect(result.exitCode).toBe(4);
  });

  test('an effect that takes its time is awaited by observing', async () => {
    const rig = new RunRig(planOf([step('restart')]));
    rig.target.script.set('restart', ['slow']);
    const start = rig.clock.now();
    expect((await rig.exec()).exitCode).toBe(0);
    expect(rig.clock.now() - start).toBeGreaterThanOrEqual(30_000);
    expect(rig.events.filter((event) => event.type === 'observed')).toHaveLength(2);
  });

  test('an effect that is still on its way at the deadline has failed, but counts as having taken effect', async () => {
    const rig = new RunRig(planOf([step('restart', { timeout: '20s' })]));
    rig.target.script.set('restart', ['slow']);
    const result = await rig.exec();
    expect(result.exitCode).toBe(1);
    expect(result.state.failure?.error.code).toBe('timeout');
    expect((await rig.resume('rollback')).exitCode).toBe(5);
    expect(rig.target.log).toEqual(['do restart', 'undo restart']);
  });
});

describe('proof', () => {
  test('a step that ends well and changed nothing has failed', async () => {
    const rig = new RunRig(planOf([step('restart')]));
    rig.target.script.set('restart', ['idle']);
    const result = await rig.exec();
    expect(result.state.failure?.error.code).toBe('no-effect');
    expect((await rig.resume()).exitCode).toBe(0);
    expect(rig.target.log).toEqual(['do restart']);
  });

  test('verify steps run right after the effect; when one fails the run stops, and a resume repeats only that', async () => {
    const rig = new RunRig(
      planOf([step('restart', { verify: [read('ready', { expect: 'outputs.n == 1' })] }), read('next')]),
    );
    rig.target.reads.set('restart~verify/ready', [{ n: 0 }, { n: 1 }]);
    expect((await rig.exec()).exitCode).toBe(1);
    expect((await rig.resume()).exitCode).toBe(0);
    expect(rig.target.log).toEqual([
      'do restart',
      'read restart~verify/ready',
      'read restart~verify/ready',
      'read next',
    ]);
  });

  test('expect of a change is decided on its outputs', async () => {
    const rig = new RunRig(planOf([step('restart', { expect: 'outputs.key == "other"' })]));
    const result = await rig.exec();
    expect(result.exitCode).toBe(1);
    expect(result.state.failure?.error.details).toEqual(['outputs.key = "restart"']);
  });
});

test('an effect knows what was captured before it, also in a later process', async () => {
  const rig = new RunRig(planOf([step('one', { uses: 'fake.kept', with: { name: 'x' } })]));
  const types = new Map(rig.target.steps(() => !rig.journal.dead));
  const kept = types.get('fake.kept') as ChangeStepType<never, object>;
  const seen: unknown[] = [];
  let captures = 0;
  types.set('fake.kept', {
    ...kept,
    capture: async () => {
      captures += 1;
      return { state: { version: captures }, witnesses: [] };
    },
    run: async (input: never, ctx: RunContext) => {
      seen.push(ctx.before);
      if (seen.length === 1) {
        rig.target.crash();
        await new Promise(() => undefined);
      }
      return await kept.run(input, ctx);
    },
  });
  rig.options = { steps: types };
  await rig.exec();
  expect((await rig.resume()).exitCode).toBe(0);
  expect(seen).toEqual([
    { state: { version: 1 }, witnesses: [] },
    { state: { version: 1 }, witnesses: [] },
  ]);
});
