import { describe, expect, test } from 'vitest';
import { planExitCode } from '../../../src/engine/plan/make-plan.ts';
import { Secret } from '../../../src/engine/secret.ts';
import { group, read, runbook, step } from '../../fakes/plan-nodes.ts';
import { lines, planOf } from '../../fakes/plan-request.ts';
import { fakeServices, fakeWorld } from '../../fakes/plan-steps.ts';

const set = (thing: string, value: number | string) => ({ with: { thing, value } });

describe('changes', () => {
  test('are predicted, with the difference, what proves the state, the way back and the time', async () => {
    const world = fakeWorld({ a: 3 });
    const { plan, problems } = await planOf(runbook([step('one', set('a', 0))]), world);
    expect(problems).toEqual([]);
    expect(plan.forecast).toEqual([
      {
        id: 'one',
        depth: 0,
        block: 'steps',
        name: 'set a to 0',
        uses: 'fake.change',
        summary: 'set a to 0',
        status: 'change',
        diff: [{ path: 'spec.value', before: 3, after: 0 }],
        witnesses: [{ resource: 'things/a', description: 'thing a = 3', digest: '3' }],
        duration: { min: 1000, max: 3000 },
        undo: 'put back spec.value 3',
      },
    ]);
    expect(plan.duration).toEqual({ min: 1000, max: 3000, basis: 'predictions of 1 step' });
    expect(world.calls).toEqual(['capture a', 'predict a']);
  });

  test('that are already as wanted, that nobody can predict, and that fail to be predicted', async () => {
    const world = fakeWorld({ a: 3, b: 1 });
    const steps = [
      step('same', set('a', 3)),
      step('opaque', { uses: 'fake.opaque', ...set('b', 1) }),
      step('gone', set('nothing', 1)),
      step('final', { uses: 'fake.final', ...set('b', 2) }),
      step('partly', { ...set('b', 3), rollback: { undo: true, irreversible: 'its name' } }),
    ];
    const { plan, problems } = await planOf(runbook(steps), world);
    expect(lines(plan.forecast)).toEqual([
      'same no-change: already as wanted',
      'opaque unknown: no dry run for this kind',
      'gone unknown: there is no thing nothing',
      'final change',
      'partly change',
    ]);
    expect(problems).toEqual([]);
    expect(plan.forecast[3]?.undo).toBe('irreversible: it is gone');
    expect(plan.forecast[4]?.undo).toBe('put back spec.value 1; stays: its name');
    expect(plan.forecast[3]?.notes).toEqual(["seen from today's state; opaque changes it first"]);
  });

  test('that need what a failed read would have told are not known, and no problem of their own', async () => {
    const world = fakeWorld({ b: 1 });
    const needing = set('b', '{{steps.first.outputs.value}}');
    const parts = {
      preconditions: [read('first', { with: { thing: 'gone' } })],
      verifications: [
        read('after', { with: { thing: 'b' }, expect: 'outputs.value == steps.first.outputs.value' }),
      ],
    };
    const { plan, problems } = await planOf(runbook([step('one', needing)], parts), world);
    expect(lines(plan.forecast)).toEqual([
      'first failed: there is no thing gone',
      'one unknown: known after first',
      'after read-later: known after one',
    ]);
    expect(problems.map(({ kind, instance }) => `${kind} ${instance}`)).toEqual(['precondition first']);
    expect(planExitCode(problems)).toBe(4);
  });

  test('of what an earlier step changes are never called done, nor tied to the state of today', async () => {
    const world = fakeWorld({ a: 3 });
    const steps = [step('down', set('a', 0)), step('up', set('a', 3))];
    const { plan } = await planOf(runbook(steps), world);
    expect(lines(plan.forecast)).toEqual([
      'down change',
      'up unknown: already as wanted now, but down changes it first',
    ]);
    expect(plan.forecast[1]?.witnesses).toBeUndefined();
  });

  test('give what they know to later templates, and the rest is known after them', async () => {
    const world = fakeWorld({ a: 3, b: 1 });
    const steps = [
      step('first', set('a', 0)),
      step('known', set('b', '{{steps.first.outputs.before}}')),
      step('unknown', set('b', '{{steps.first.outputs.revision}}')),
    ];
    const { plan } = await planOf(runbook(steps), world);
    expect(lines(plan.forecast)).toEqual([
      'first change',
      'known change',
      'unknown unknown: known after first',
    ]);
    expect(plan.forecast[1]?.diff).toEqual([{ path: 'spec.value', before: 1, after: 3 }]);
    expect(plan.forecast[2]?.summary).toBe('set b to ‹known after first›');
  });

  test('with a rendered value that does not fit are mistakes, before anything runs', async () => {
    const book = runbook([step('one', set('a', '{{inputs.n}}'))]);
    const { plan, problems } = await planOf(book, fakeWorld({ a: 1 }), { inputs: { n: 'three' } });
    expect(lines(plan.forecast)).toEqual(['one failed: value must be integer']);
    expect(problems).toEqual([
      { kind: 'invalid', at: 'test.yaml:one', instance: 'one', message: 'one: value must be integer' },
    ]);
    expect(planExitCode(problems)).toBe(3);
  });

  test('never get a secret where the schema has no place for one', async () => {
    const book = runbook([step('one', set('a', 1)), step('two', { with: { thing: 'x-{{inputs.token}}' } })]);
    const secrets = { token: Secret.fromText('token', 'hunter2') };
    const { plan, problems } = await planOf(book, fakeWorld({ a: 1 }), { secrets });
    expect(problems.map((problem) => problem.message)).toEqual([
      'two: with.thing may not hold a secret (token)',
    ]);
    expect(JSON.stringify(plan)).not.toContain('hunter2');
  });
});

describe('reads', () => {
  test('run now when nothing before them touches what they read', async () => {
    const world = fakeWorld({ a: 3, b: 1 });
    const steps = [
      read('early', { with: { thing: 'a' }, expect: 'outputs.value == 3' }),
      step('change', set('a', '{{steps.early.outputs.value}}')),
      step('other', set('a', 9)),
      read('touched', { with: { thing: 'a' } }),
      read('apart', { with: { thing: 'b' } }),
    ];
    const { plan, problems } = await planOf(runbook(steps), world);
    expect(lines(plan.forecast)).toEqual([
      'early read',
      'change no-change: already as wanted',
      'other change',
      'touched read-later: known after other',
      'apart read',
    ]);
    expect(problems).toEqual([]);
    expect(world.calls.filter((call) => call.startsWith('read'))).toEqual(['read a', 'read b']);
  });

  test('a precondition that does not hold is a problem, with the values that made it so', async () => {
    const preconditions = [read('healthy', { with: { thing: 'a' }, expect: 'outputs.value > 5' })];
    const book = runbook([step('one', set('a', 1))], { preconditions });
    const { plan, problems } = await planOf(book, fakeWorld({ a: 3 }));
    expect(lines(plan.forecast)).toEqual(['healthy failed: expect failed: outputs.value = 3', 'one change']);
    expect(problems).toEqual([
      {
        kind: 'precondition',
        at: 'test.yaml:healthy',
        instance: 'healthy',
        message: 'read a: expect failed: outputs.value = 3',
      },
    ]);
    expect(planExitCode(problems)).toBe(4);
  });

  test('a reading step that has more to say about what is not as expected is heard, up to a length', async () => {
    const preconditions = [read('healthy', { with: { thing: 'a' }, expect: 'outputs.value == 1' })];
    const { problems } = await planOf(runbook([], { preconditions }), fakeWorld({ a: 66 }));
    const [{ details, hint } = { details: [], hint: '' }] = problems;
    expect(details).toHaveLength(21);
    expect(details?.slice(-2)).toEqual(['finding 20', 'and 5 more']);
    expect(hint).toBe('look into each');
  });

  test('a read that says how long it takes counts for the time of the plan, but not in a rollback', async () => {
    const long = (id: string) => read(id, { with: { thing: 'a', value: 60_000 } });
    const parts = { preconditions: [long('before')], rollback: [long('back')] };
    const { plan } = await planOf(
      runbook([step('one', set('a', 0)), long('wait')], parts),
      fakeWorld({ a: 3 }),
    );
    expect(plan.duration).toMatchObject({ min: 121_000, max: 123_000 });
  });

  test('an output of a step that is skipped is no mistake: the run leaves it out', async () => {
    const steps = [read('look', { with: { thing: 'a' }, when: '1 > 2' })];
    const outputs = { value: '{{steps.look.outputs.value}}' };
    const { plan, problems } = await planOf(runbook(steps, { outputs }), fakeWorld({ a: 3 }));
    expect(lines(plan.forecast)).toEqual(['look skipped: when is false: 1 > 2']);
    expect(planExitCode(problems)).toBe(0);
  });

  test('what the run would wait for is said to be waited for', async () => {
    const until = { within: '5m', every: '5s' };
    const waiting = read('ready', { with: { thing: 'a' }, expect: 'outputs.value > 5', until });
    const first = await planOf(runbook([], { preconditions: [waiting] }), fakeWorld({ a: 3 }));
    expect(first.problems.map(({ kind, waits }) => ({ kind, waits }))).toEqual([
      { kind: 'precondition', waits: true },
    ]);
    const second = await planOf(runbook([waiting]), fakeWorld({ a: 3 }));
    expect(lines(second.plan.forecast)).toEqual([
      'ready read-later: not so now: expect failed: outputs.value = 3; the run waits up to 5m',
    ]);
    expect(second.problems).toEqual([]);
  });

  test('that fail before the first change are problems; after it, the change may still make them good', async () => {
    const missing = read('missing', { with: { thing: 'nothing' } });
    const before = await planOf(runbook([missing, step('one', set('a', 1))]), fakeWorld({ a: 3 }));
    expect(before.problems.map(({ kind, message, hint }) => [kind, message, hint])).toEqual([
      ['read', 'read nothing: there is no thing nothing', 'make one first'],
    ]);
    const after = await planOf(runbook([step('one', set('a', 1)), missing]), fakeWorld({ a: 3 }));
    expect(after.problems).toEqual([]);
    expect(lines(after.plan.forecast)[1]).toBe(
      'missing read-later: not so now: there is no thing nothing; known after one',
    );
  });

  test('are left to the run in a plan that is run at once, unless something refers to them', async () => {
    const world = fakeWorld({ a: 1, b: 1 });
    const steps = [
      read('used', { with: { thing: 'a' } }),
      read('quoted', { with: { thing: 'a' } }),
      read('alone', { with: { thing: 'b' } }),
      step('one', {
        ...set('b', '{{steps.used.outputs.value}}'),
        when: 'steps["quoted"].outputs.value == 1',
      }),
    ];
    const { plan } = await planOf(runbook(steps), world, { options: { reads: 'needed' } });
    expect(lines(plan.forecast)).toEqual([
      'used read',
      'quoted read',
      'alone read-later: asked by the run',
      'one no-change: already as wanted',
    ]);
    expect(world.calls.filter((call) => call.startsWith('read'))).toEqual(['read a', 'read a']);
  });

  test('that do not answer are left to the run', async () => {
    const { plan } = await planOf(
      runbook([read('slow', { uses: 'fake.hang', with: { thing: 'a' } })]),
      fakeWorld(),
    );
    expect(lines(plan.forecast)).toEqual([
      'slow read-later: not so now: no answer within 15 s; the run waits until its timeout',
    ]);
  });
});

describe('a plan', () => {
  test('can be stopped', async () => {
    const stop = new AbortController();
    stop.abort(new Error('enough'));
    const planning = planOf(runbook([step('one', set('a', 1))]), fakeWorld({ a: 3 }), {
      signal: stop.signal,
    });
    await expect(planning).rejects.toThrow('enough');
  });

  test('takes its time range from past runs where there are any, and runs side by side what runs side by side', async () => {
    const children = ['a', 'b', 'c'].map((thing) => step(`set${thing}`, set(thing, 0)));
    const book = runbook([group('both', children, { parallel: 2 })]);
    const history = [
      { node: 'both/seta', ms: 9000 },
      { node: 'both/seta', ms: 5000 },
    ];
    const { plan } = await planOf(book, fakeWorld({ a: 1, b: 1, c: 1 }), { options: { history } });
    expect(plan.forecast[1]?.duration).toEqual({ min: 5000, max: 9000 });
    expect(plan.duration).toEqual({
      min: 5000,
      max: 9000,
      basis: 'predictions of 2 steps, past runs of 1 step',
    });
  });

  test('needs no cluster for a runbook that has nothing to do with one', async () => {
    const { services, asked } = fakeServices();
    const { plan } = await planOf(runbook([]), fakeWorld(), { services });
    expect(plan.cluster).toBeUndefined();
    expect(asked).toEqual([]);
  });
});
