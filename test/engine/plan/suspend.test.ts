import { expect, test } from 'vitest';
import { makePlan } from '../../../src/engine/plan/make-plan.ts';
import { runbook, step } from '../../fakes/plan-nodes.ts';
import { lines } from '../../fakes/plan-request.ts';
import { fakeServices } from '../../fakes/plan-steps.ts';
import { schemas, steps } from '../../fakes/shipped-steps.ts';

test('what a run would wait for is left to the run', async () => {
  const read = { effect: 'read' } as const;
  const { plan, problems } = await makePlan({
    runbook: runbook([
      step('ask', { uses: 'approve', with: { text: 'Go ahead?' }, ...read }),
      step('pause', { uses: 'wait', with: { for: '48h' }, ...read }),
      step('tell', { uses: 'note', with: { text: 'on it goes' }, ...read }),
    ]),
    inputs: {},
    secrets: {},
    steps,
    schemas,
    services: fakeServices().services,
    options: { runId: 'run-1', tool: '1', user: 'ada', lockNamespace: 'runbook', now: 0 },
    signal: new AbortController().signal,
  });
  expect(problems).toEqual([]);
  expect(lines(plan.forecast)).toEqual([
    'ask read-later: the run asks a human',
    'pause read-later: the run waits',
    'tell read',
  ]);
});
