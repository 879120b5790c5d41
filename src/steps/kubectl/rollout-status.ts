import type { ReadStepType } from '../../engine/step-type.ts';
import type { KubectlRolloutStatusOutputs, KubectlRolloutStatusWith } from '../../generated/types.ts';
import { awaitRollout, goalOf, rolloutNow, rolloutOutputs } from './rollout.ts';
import { nameOf, targetProblems } from './target.ts';
import { readWorkload, rolloutAccess, workloadReads } from './workload.ts';

export const rolloutStatus: ReadStepType<KubectlRolloutStatusWith, KubectlRolloutStatusOutputs> = {
  type: 'kubectl.rollout-status',
  effect: 'read',
  timeout: 15 * 60_000,
  describe: (input) =>
    input.wait === false ? `see how ${nameOf(input)} stands` : `wait until ${nameOf(input)} is rolled out`,
  resources: workloadReads,
  access: rolloutAccess,
  check: targetProblems,

  async run(input, ctx) {
    const workload = await readWorkload(ctx, input);
    const goal = goalOf(workload);
    if (input.wait !== false) return { ...(await awaitRollout(ctx, input, workload, goal)), message: '' };
    const verdict = await rolloutNow(ctx, input, workload, goal);
    const name = verdict.state === 'failed' ? verdict.code : verdict.state;
    const message = verdict.state === 'complete' ? '' : verdict.text;
    return { ...(await rolloutOutputs(ctx, input, name)), message };
  },
};
