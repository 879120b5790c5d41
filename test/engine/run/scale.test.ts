import { describe, expect, test } from 'vitest';
import type { Node } from '../../../src/engine/read/runbook.ts';
import { group, read, step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/run-plan.ts';
import { RunRig } from '../../fakes/run-rig.ts';

/** Seconds of computing that a whole run takes. */
async function cost(nodes: readonly Node[]): Promise<number> {
  const rig = new RunRig(planOf(nodes));
  rig.options = { observers: [] };
  const started = process.cpuUsage();
  const result = await rig.exec();
  const { user, system } = process.cpuUsage(started);
  if (result.exitCode !== 0) throw result.problem ?? new Error(result.state.finished?.text);
  return (user + system) / 1e6;
}

const many = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('ten times the steps cost about ten times the work', () => {
  test.each([
    ['reads, one after the other', (count: number) => many(count).map((index) => read(`s${index}`))],
    ['changes, one after the other', (count: number) => many(count / 4).map((index) => step(`s${index}`))],
    [
      'elements of one forEach with late references',
      (count: number) => [
        read('look'),
        read('each', {
          forEach: { items: many(count).map(String), as: 'item', parallel: 0 },
          with: { text: '{{steps.look.outputs.ok}} {{item}}' },
        }),
      ],
    ],
    [
      'children of one parallel group',
      (count: number) => [
        group(
          'all',
          many(count).map((index) => read(`s${index}`)),
          { parallel: 0 },
        ),
      ],
    ],
  ])('%s', async (_, nodes) => {
    await cost(nodes(100));
    const small = await cost(nodes(400));
    const large = await cost(nodes(4000));
    // A cost that grows with the square would be a hundred times as high.
    expect(large).toBeLessThan(Math.max(small, 0.05) * 30);
  });
});
