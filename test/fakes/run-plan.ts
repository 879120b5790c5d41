import { sealPlan } from '../../src/engine/plan/artefact.ts';
import type { Plan } from '../../src/engine/plan/plan.ts';
import type { Node } from '../../src/engine/read/runbook.ts';

/** A plan of hand-built nodes. */
export function planOf(
  steps: readonly Node[],
  more: Partial<Omit<Plan, 'blocks'>> & { readonly blocks?: Partial<Plan['blocks']> } = {},
): Plan {
  const { blocks, ...rest } = more;
  return sealPlan({
    version: 1,
    tool: 'test',
    createdAt: '2027-01-10T08:00:00.000Z',
    runbook: {
      name: 'test',
      title: 'Test',
      description: 'A plan built by hand.',
      risk: 'low',
      path: 'test.yaml',
      digest: '0',
      files: [],
    },
    inputSpecs: {},
    inputs: {},
    cluster: undefined,
    sandbox: undefined,
    locks: [],
    lockNamespace: 'default',
    outputs: {},
    forecast: [],
    access: [],
    duration: { min: 0, max: 0, basis: 'test' },
    ...rest,
    blocks: { preconditions: [], steps, verifications: [], rollback: [], ...blocks },
  });
}
