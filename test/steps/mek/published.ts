import type { MekPublishWith } from '../../../src/generated/types.ts';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { publish } from '../../../src/steps/mek/publish.ts';
import type { MekRig } from './rig.ts';
import { cassandra, mekRig, openbao } from './rig.ts';

export const input = { openbao, cassandra, apiKeys: cassandra } as unknown as MekPublishWith;

export async function captured(rig: MekRig = mekRig()) {
  const before = await publish.capture(input, rig.ctx);
  const ctx = { ...rig.ctx, before };
  const { kid } = before.state as { readonly kid: string };
  return {
    ...rig,
    before,
    ctx,
    kid,
    run: () => publish.run(input, ctx),
    look: () => publish.observe(input, before, ctx),
    undo: async () => {
      if (typeof publish.undo === 'object') throw new Error('no undo');
      await publish.undo(input, before, undefined, ctx);
    },
  };
}

/** What is thrown for a call whose answer was lost. */
export function unanswered(): OpenBaoError {
  return new OpenBaoError('No answer', { outcome: 'unknown', retryable: true });
}
