import { describe, expect, test } from 'vitest';
import { LockedError, LockLostError, noLock } from '../../../src/engine/run/lock.ts';
import { JournalError } from '../../../src/engine/run/run-error.ts';
import { StepError } from '../../../src/engine/step-type.ts';
import { group, read, step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/run-plan.ts';
import { RunRig, ScriptedPrompt } from '../../fakes/run-rig.ts';

/** Sends signals when an event is shown. */
function signalAt(rig: RunRig, match: string, signals: readonly string[]): void {
  let sent = false;
  rig.options = {
    ...rig.options,
    observers: [
      (event) => {
        const text = `${event.type}:${'id' in event ? event.id : ''}`;
        if (sent || text !== match) return;
        sent = true;
        for (const signal of signals) rig.signal(signal);
      },
    ],
  };
}

describe('interrupts', () => {
  test('the first lets the current effect finish and starts nothing new: 130; a resume goes on', async () => {
    const rig = new RunRig(planOf([step('one'), step('two')]));
    signalAt(rig, 'intended:one', ['SIGINT']);
    const result = await rig.exec();
    expect(result.exitCode).toBe(130);
    expect(rig.target.log).toEqual(['do one']);
    expect(rig.types()).toContain('result');
    rig.options = {};
    expect((await rig.resume()).exitCode).toBe(0);
    expect(rig.target.log).toEqual(['do one', 'do two']);
  });

  test('one that comes between the decision and the effect keeps the effect from starting', async () => {
    const rig = new RunRig(planOf([step('one')]));
    rig.options = { lock: { ...noLock, assertHeld: async () => rig.signal('SIGTERM') } };
    expect((await rig.exec()).exitCode).toBe(130);
    expect(rig.types()).not.toContain('intended');
  });

  test('it ends a wait for a rollout and a poll, which a resume takes up again', async () => {
    const rig = new RunRig(
      planOf([step('one'), read('poll', { expect: 'false', until: { within: '1h', every: '1m' } })]),
    );
    rig.target.script.set('one', ['slow']);
    signalAt(rig, 'progress:one', ['SIGTERM']);
    const start = rig.clock.now();
    expect((await rig.exec()).exitCode).toBe(130);
    expect(rig.clock.now() - start).toBeLessThan(1000);
    signalAt(rig, 'progress:poll', ['SIGTERM']);
    expect((await rig.resume()).exitCode).toBe(130);
    expect(rig.target.log).toEqual(['do one', 'read poll']);
  });

  test('the second asks the running operation to stop; its outcome is observed by the resume', async () => {
    const rig = new RunRig(planOf([step('one', { timeout: '1h' })]));
    rig.target.script.set('one', ['hang']);
    signalAt(rig, 'intended:one', ['SIGINT', 'SIGINT']);
    const start = rig.clock.now();
    expect((await rig.exec({ interactive: true })).exitCode).toBe(130);
    expect(rig.clock.now() - start).toBe(0);
    rig.options = {};
    expect((await rig.resume()).exitCode).toBe(0);
    expect(rig.target.log).toEqual(['do one']);
  });

  test('a resume at once does what the second kept from happening, whatever the step said of it', async () => {
    const rig = new RunRig(planOf([step('one', { timeout: '1h' })]));
    rig.target.script.set('one', ['wait']);
    signalAt(rig, 'intended:one', ['SIGINT', 'SIGINT']);
    expect((await rig.exec()).exitCode).toBe(130);
    rig.options = {};
    expect((await rig.resume()).exitCode).toBe(0);
    expect(rig.target.log).toEqual(['do one']);
  });

  test('the third ends at once, with what was in flight recorded as unknown', async () => {
    const rig = new RunRig(planOf([step('one')]));
    rig.target.script.set('one', ['crash']);
    signalAt(rig, 'intended:one', ['SIGINT', 'SIGINT', 'SIGINT']);
    rig.options = { ...rig.options, crash: () => undefined };
    const running = rig.exec();
    rig.target.crash = () => undefined;
    expect((await running).exitCode).toBe(130);
    expect(rig.events.find((event) => event.type === 'unknown')).toMatchObject({ id: 'one' });
    rig.options = {};
    expect((await rig.resume()).exitCode).toBe(0);
    expect(rig.target.log).toEqual(['do one']);
  });

  test.each([
    ['stop', 130, ['do one']],
    ['rollback', 5, ['do one', 'undo one']],
    ['continue', 0, ['do one', 'do two']],
  ] as const)('whoever pressed Ctrl-C is asked: %s', async (answer, exitCode, log) => {
    const rig = new RunRig(planOf([step('one'), step('two')]));
    rig.prompt = new ScriptedPrompt([answer]);
    signalAt(rig, 'result:one', ['SIGINT']);
    expect((await rig.exec({ interactive: true })).exitCode).toBe(exitCode);
    expect(rig.target.log).toEqual(log);
  });

  test('asked to roll back while an effect is on its way: it is awaited, then undone', async () => {
    const rig = new RunRig(planOf([step('one')]));
    rig.target.script.set('one', ['slow']);
    rig.prompt = new ScriptedPrompt(['rollback']);
    signalAt(rig, 'progress:one', ['SIGINT']);
    const start = rig.clock.now();
    expect((await rig.exec({ interactive: true })).exitCode).toBe(5);
    expect(rig.clock.now() - start).toBeGreaterThanOrEqual(30_000);
    expect(rig.target.log).toEqual(['do one', 'undo one']);
  });

  test('in a rollback: the current undo finishes, and a resume goes on undoing', async () => {
    const rig = new RunRig(planOf([step('one'), step('two'), step('boom', { onFailure: 'rollback' })]));
    rig.target.script.set('boom', ['fail']);
    signalAt(rig, 'undone:two', ['SIGTERM']);
    expect((await rig.exec()).exitCode).toBe(130);
    rig.options = {};
    expect((await rig.resume()).exitCode).toBe(5);
    expect(rig.target.log).toEqual(['do one', 'do two', 'undo two', 'undo one']);
  });
});

test('a failure beside it ends polls and sleeps too, but not the wait for an effect', async () => {
  const poll = { expect: 'false', until: { within: '1h', every: '1m' } };
  const rig = new RunRig(
    planOf([
      group(
        'all',
        [
          step('slow'),
          read('poll', poll),
          read('pause', { uses: 'fake.wait', with: { ms: 800_000 } }),
          step('boom'),
        ],
        { parallel: 0 },
      ),
    ]),
  );
  rig.target.script.set('all/slow', ['slow']);
  rig.target.script.set('all/boom', ['fail']);
  const start = rig.clock.now();
  expect((await rig.exec()).exitCode).toBe(1);
  expect(rig.clock.now() - start).toBeGreaterThanOrEqual(30_000);
  expect(rig.clock.now() - start).toBeLessThan(40_000);
  expect((await rig.resume('rollback')).exitCode).toBe(5);
  expect(rig.target.log.filter((line) => !line.startsWith('read'))).toEqual(['do all/slow', 'undo all/slow']);
});

describe('locks', () => {
  test('held by another: 8, and nothing was read or changed', async () => {
    const rig = new RunRig(planOf([read('look')]));
    rig.options = {
      lock: {
        ...noLock,
        acquire: async () => {
          throw new LockedError('a', 'held by run r0');
        },
      },
    };
    const result = await rig.exec();
    expect(result.exitCode).toBe(8);
    expect(result.state.finished?.text).toBe('held by run r0');
    expect(rig.target.log).toEqual([]);
  });

  test('lost on the way: no new effect, neither forward nor back', async () => {
    const rig = new RunRig(planOf([step('one'), step('two', { onFailure: 'rollback' })]));
    let checks = 0;
    rig.options = {
      lock: {
        ...noLock,
        assertHeld: async () => {
          checks += 1;
          if (checks > 1) throw new LockLostError('a', 'run r9 has taken it over');
        },
      },
    };
    const result = await rig.exec();
    expect(result.exitCode).toBe(8);
    expect(rig.target.log).toEqual(['do one']);
    expect(rig.events.find((event) => event.type === 'lock-lost')).toMatchObject({
      lock: 'a',
      why: 'run r9 has taken it over',
    });
  });
});

describe('a bad day for the journal and the outputs', () => {
  test('a journal that cannot be written: 74, no further effect, and a resume observes', async () => {
    const rig = new RunRig(planOf([step('one'), step('two')]));
    rig.journal.failAt = 'result';
    const result = await rig.exec();
    expect(result.exitCode).toBe(74);
    expect(result.problem).toBeInstanceOf(JournalError);
    expect(rig.target.log).toEqual(['do one']);
    rig.journal.failAt = undefined;
    expect((await rig.resume()).exitCode).toBe(0);
    expect(rig.target.log).toEqual(['do one', 'do two']);
  });

  test('an output that throws is switched off, and the run goes on', async () => {
    const rig = new RunRig(planOf([step('one')]));
    let calls = 0;
    rig.options = {
      observers: [
        () => {
          calls += 1;
          throw new Error('EPIPE');
        },
      ],
    };
    expect((await rig.exec()).exitCode).toBe(0);
    expect(calls).toBe(1);
    expect(rig.events.find((event) => event.type === 'warning')).toMatchObject({ code: 'output-failed' });
  });

  test('what is journaled passes the redactor; ids stay as they are', async () => {
    const rig = new RunRig(planOf([read('hunter2x')]));
    rig.options = { redact: (text) => text.replaceAll('hunter2x', '***') };
    rig.target.reads.set('hunter2x', [{ echoed: { hunter2x: ['it is hunter2x'] } }]);
    expect((await rig.exec()).exitCode).toBe(0);
    expect(rig.events.find((event) => event.type === 'done')).toMatchObject({
      id: 'hunter2x',
      outputs: { echoed: { '***': ['it is ***'] } },
    });
  });

  test('a defect of a step type is a failure of the step, without a stack', async () => {
    const rig = new RunRig(planOf([read('look')]));
    rig.target.reads.set('look', [new TypeError('x is not a function')]);
    const result = await rig.exec();
    expect(result.exitCode).toBe(4);
    expect(result.state.failure?.error.message).toBe('unexpected: x is not a function');
  });
});

describe('crashes', () => {
  test.each(['crash', 'crash-after'] as const)('%s in an effect: observed, never repeated', async (how) => {
    const rig = new RunRig(planOf([group('all', [step('one'), step('two')], { parallel: 0 })]));
    rig.target.script.set('all/one', [how]);
    expect((await rig.exec()).exitCode).toBe(137);
    expect((await rig.resume()).exitCode).toBe(0);
    expect([...rig.target.log].sort()).toEqual(['do all/one', 'do all/two']);
  });

  test('an observation that fails for a moment is asked again, one that fails for long means unknown', async () => {
    const rig = new RunRig(planOf([step('one')]));
    const busy = new StepError('unreachable', 'no answer', { retryable: true });
    rig.target.observeErrors.push(busy, busy);
    expect((await rig.exec()).exitCode).toBe(0);
    const gone = new RunRig(planOf([step('one')]));
    gone.target.script.set('one', ['lost']);
    rig.target.observeErrors.length = 0;
    gone.options = {
      observers: [
        (event) => {
          if (event.type === 'attempt-failed')
            gone.target.observeErrors.push(...Array.from({ length: 50 }, () => busy));
        },
      ],
    };
    expect((await gone.exec()).exitCode).toBe(7);
    gone.target.observeErrors.length = 0;
    gone.options = {};
    expect((await gone.resume()).exitCode).toBe(0);
    expect(gone.target.log).toEqual(['do one']);
  });
});
