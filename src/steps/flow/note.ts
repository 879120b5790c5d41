import type { ReadStepType } from '../../engine/step-type.ts';
import type { NoteOutputs, NoteWith } from '../../generated/types.ts';

export const note: ReadStepType<NoteWith, NoteOutputs> = {
  type: 'note',
  effect: 'read',
  describe: (input) => input.text,
  resources: () => [],
  access: () => [],
  findings: ({ text }) => ({ details: [text] }),
  async run(input, ctx) {
    ctx.progress({ text: input.text });
    return { text: input.text };
  },
};
