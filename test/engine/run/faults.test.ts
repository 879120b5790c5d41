import { describe, expect, test } from 'vitest';
import { step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/run-plan.ts';
import { RunRig } from '../../fakes/run-rig.ts';

describe('faults of the sandbox', () => {
  test.each([
    ['error', 4],
    ['timeout', 4],
  ] as const)('%s', async (fault, exitCode) => {
    const rig = new RunRig(planOf([step('one')]));
    const taken: string[] = [];
    rig.options = {
      faults: {
        take: (instance, point) => {
          if (point !== 'before' || taken.length > 0) return undefined;
          taken.push(instance);
          return fault;
        },
      },
    };
    expect((await rig.exec()).exitCode).toBe(exitCode);
    expect(taken).toEqual(['one']);
    expect((await rig.resume()).exitCode).toBe(0);
    expect(rig.target.log).toEqual(['do one']);
  });

  test.each(['before', 'after'] as const)('crash-%s', async (when) => {
    const rig = new RunRig(planOf([step('one')]));
    let left = 1;
    rig.options = {
      faults: { take: (_, point) => (point === when && left-- > 0 ? `crash-${when}` : undefined) },
    };
    expect((await rig.exec()).exitCode).toBe(137);
    expect((await rig.resume()).exitCode).toBe(0);
    expect(rig.target.log).toEqual(['do one']);
  });
});
