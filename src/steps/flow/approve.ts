import type { ReadStepType } from '../../engine/step-type.ts';
import { Suspend } from '../../engine/step-type.ts';
import type { ApproveOutputs, ApproveWith } from '../../generated/types.ts';

export const approve: ReadStepType<ApproveWith, ApproveOutputs> = {
  type: 'approve',
  effect: 'read',
  describe: (input) => `wait for approval: ${input.text}`,
  resources: () => [],
  access: () => [],
  async run(input) {
    throw new Suspend({ approval: { text: input.text } });
  },
};
