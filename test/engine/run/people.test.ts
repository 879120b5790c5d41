import { describe, expect, test } from 'vitest';
import { read, step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/run-plan.ts';
import { RunRig, ScriptedPrompt } from '../../fakes/run-rig.ts';

const hour = 3_600_000;
const high = {
  name: 'test',
  title: 'Rotate',
  description: '',
  risk: 'high' as const,
  path: 'test.yaml',
  digest: '0',
  files: [],
};

describe('confirm and risk', () => {
  const plan = planOf([step('restart', { confirm: 'Restart {{run.id}}?' })]);

  test('a yes at the terminal is recorded with who gave it', async () => {
    const rig = new RunRig(plan);
    rig.prompt = new ScriptedPrompt([true]);
    expect((await rig.exec({ interactive: true })).exitCode).toBe(0);
    expect(rig.prompt.questions).toEqual(['Restart r1?']);
    expect(rig.events.find((event) => event.type === 'answered')).toMatchObject({
      id: 'restart',
      answer: 'yes',
      byYes: false,
      actor: { user: 'alice', host: 'bastion' },
    });
  });

  test('--yes answers it, and is recorded as having done so', async () => {
    const rig = new RunRig(plan);
    expect((await rig.exec({ assumeYes: true })).exitCode).toBe(0);
    expect(rig.events.find((event) => event.type === 'answered')).toMatchObject({
      answer: 'yes',
      byYes: true,
    });
    expect(rig.prompt.questions).toEqual([]);
  });

  test('without a terminal and without --yes the run waits, and goes on with --yes', async () => {
    const rig = new RunRig(plan);
    const result = await rig.exec();
    expect(result.exitCode).toBe(10);
    expect(result.state.finished?.text).toContain('runbook resume r1');
    expect((await rig.resume('resume', { assumeYes: true })).exitCode).toBe(0);
  });

  test('a no fails the step, and nothing was changed', async () => {
    const rig = new RunRig(plan);
    rig.prompt = new ScriptedPrompt([false, 'stop']);
    const result = await rig.exec({ interactive: true });
    expect(result.exitCode).toBe(4);
    expect(result.state.failure?.error.code).toBe('declined');
    expect(rig.target.log).toEqual([]);
  });

  test('high risk asks once, after the preconditions and before the first change', async () => {
    const rig = new RunRig(
      planOf([step('one'), step('two')], { runbook: high, blocks: { preconditions: [read('before')] } }),
    );
    rig.prompt = new ScriptedPrompt([true]);
    rig.prompt.onAsk = () => rig.target.log.push('asked');
    expect((await rig.exec({ interactive: true })).exitCode).toBe(0);
    expect(rig.target.log).toEqual(['read before', 'asked', 'do one', 'do two']);
  });

  test('high risk declined: nothing was changed', async () => {
    const rig = new RunRig(planOf([step('one')], { runbook: high }));
    rig.prompt = new ScriptedPrompt([false]);
    expect((await rig.exec({ interactive: true })).exitCode).toBe(130);
    expect(rig.target.log).toEqual([]);
  });
});

describe('approve and wait', () => {
  const approval = planOf([
    step('one'),
    read('goAhead', { uses: 'fake.approve', with: { text: 'Activate the key?' } }),
    step('two', { with: { name: '{{steps.goAhead.outputs.text}}' } }),
  ]);

  test('an approval ends a run with 10; --yes never answers it', async () => {
    const rig = new RunRig(approval);
    const result = await rig.exec({ assumeYes: true });
    expect(result.exitCode).toBe(10);
    expect(result.state.finished?.text).toContain('runbook approve r1 goAhead --reason TEXT');
    expect((await rig.resume()).exitCode).toBe(10);
    rig.approve('goAhead');
    expect((await rig.resume()).exitCode).toBe(0);
    expect([...rig.target.present.keys()]).toEqual(['one', 'Activate the key?']);
  });

  test('somebody at the terminal may approve at once, or later', async () => {
    const rig = new RunRig(approval);
    rig.prompt = new ScriptedPrompt(['later', 'approve']);
    expect((await rig.exec({ interactive: true })).exitCode).toBe(10);
    expect((await rig.resume('resume', { interactive: true })).exitCode).toBe(0);
    expect(rig.events.find((event) => event.type === 'approved')).toMatchObject({
      actor: { user: 'alice' },
      reason: 'at the terminal',
    });
  });

  test('a short wait is sat through, a long one is not', async () => {
    const short = new RunRig(
      planOf([read('pause', { uses: 'fake.wait', with: { ms: 60_000 } }), step('one')]),
    );
    const start = short.clock.now();
    expect((await short.exec()).exitCode).toBe(0);
    expect(short.clock.now() - start).toBe(60_000);
    const long = new RunRig(
      planOf([read('pause', { uses: 'fake.wait', with: { ms: 48 * hour } }), step('one')]),
    );
    expect((await long.exec()).exitCode).toBe(10);
    long.clock.jump(24 * hour);
    expect((await long.resume()).exitCode).toBe(10);
    long.clock.jump(24 * hour);
    expect((await long.resume()).exitCode).toBe(0);
    expect(long.target.log).toEqual(['do one']);
  });

  test('in the sandbox every wait is sat through', async () => {
    const rig = new RunRig(
      planOf([read('pause', { uses: 'fake.wait', with: { ms: 48 * hour } }), step('one')]),
    );
    expect((await rig.exec({ sandbox: true })).exitCode).toBe(0);
  });
});

describe('the maintenance window', () => {
  const forecast = (id: string, minutes: number) => ({
    id,
    depth: 0,
    block: 'steps' as const,
    name: id,
    status: 'change' as const,
    duration: { min: 0, max: minutes * 60_000 },
  });

  test('no change starts that could not be undone before the window closes', async () => {
    const plan = planOf([step('one'), step('two')], { forecast: [forecast('one', 10), forecast('two', 10)] });
    const rig = new RunRig(plan);
    // one needs 10 + 10 to go back; two then 10 + 10 + 10.
    const result = await rig.exec({ windowEnd: rig.clock.now() + 25 * 60_000 });
    expect(result.exitCode).toBe(10);
    expect(result.state.finished?.text).toBe(
      'two may take 10m and the way back 20m, but the window closes in 25m',
    );
    expect(rig.target.log).toEqual(['do one']);
  });
});

describe('a saved plan', () => {
  const witness = (digest: string) => ({
    resource: 'kubernetes/x',
    description: `Deployment x ${digest}`,
    digest,
  });
  const plan = planOf([step('one')], {
    forecast: [
      { id: 'one', depth: 0, block: 'steps', name: 'one', status: 'change', witnesses: [witness('v7')] },
    ],
  });

  test('stops with 9 and says what moved', async () => {
    const rig = new RunRig(plan);
    rig.target.witnesses.set('one', [witness('v8')]);
    const result = await rig.exec({ pinned: true });
    expect(result.exitCode).toBe(9);
    expect(result.state.finished?.text).toContain('was Deployment x v7, is Deployment x v8');
    expect(rig.target.log).toEqual([]);
  });

  test('goes on when nothing moved, and a plan made just now is not held to it', async () => {
    const same = new RunRig(plan);
    same.target.witnesses.set('one', [witness('v7')]);
    expect((await same.exec({ pinned: true })).exitCode).toBe(0);
    const fresh = new RunRig(plan);
    fresh.target.witnesses.set('one', [witness('v8')]);
    expect((await fresh.exec()).exitCode).toBe(0);
  });

  test('after a change of our own, what that change left behind is what counts', async () => {
    const twice = planOf([step('one', { with: { name: 'a' } }), step('two', { with: { name: 'b' } })], {
      forecast: ['one', 'two'].map((id) => ({
        id,
        depth: 0,
        block: 'steps' as const,
        name: id,
        status: 'change' as const,
        witnesses: [witness('v7')],
      })),
    });
    const rig = new RunRig(twice);
    rig.target.witnesses.set('one', [witness('v7')]);
    rig.target.witnessesAfter.set('one', [witness('v8')]);
    rig.target.witnesses.set('two', [witness('v8')]);
    expect((await rig.exec({ pinned: true })).exitCode).toBe(0);
    const moved = new RunRig(twice);
    moved.target.witnesses.set('one', [witness('v7')]);
    moved.target.witnessesAfter.set('one', [witness('v8')]);
    moved.target.witnesses.set('two', [witness('v9')]);
    expect((await moved.exec({ pinned: true })).state.finished?.text).toContain(
      'was Deployment x v8, is Deployment x v9',
    );
  });
});
