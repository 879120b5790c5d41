import { expect, test } from 'vitest';
import { type PlanProblem, planExitCode } from '../../../src/engine/plan/problem.ts';

const problem = (kind: PlanProblem['kind']): PlanProblem => ({ kind, message: kind });

test.each([
  [[], 0],
  [['invalid'], 3],
  [['precondition', 'invalid'], 3],
  [['unreachable', 'invalid'], 4],
  [['forbidden', 'invalid'], 4],
  [['read', 'invalid'], 4],
  [['access'], 4],
] as const)(
  'problems %j give exit code %i: what hangs on a failed read only looks invalid',
  (kinds, code) => {
    expect(planExitCode(kinds.map(problem))).toBe(code);
  },
);
