import type { Observation, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import { callHelm } from './call.ts';
import { clientsOf } from './client-record.ts';
import { type ReleaseInput, refOf } from './release-target.ts';
import type { Sight } from './release-verdict.ts';
import { newestOf } from './revisions.ts';
import { releaseWitness } from './upgrade-plan.ts';

type ObserveContext = ReadContext & { readonly operationKey: string };

/** Looks at the release and at the clients that were started; what may not be read is unknown, a blip is thrown. */
export async function observeRelease(
  input: ReleaseInput,
  ctx: ObserveContext,
  judge: (sight: Sight) => Observation & { readonly revision?: number },
): Promise<Observation> {
  try {
    const { helm, clock } = ctx.services;
    const clients = await clientsOf(ctx);
    const history = await callHelm(() => helm.history(refOf(input), ctx.signal));
    const operation = ctx.operationKey;
    const marked =
      clients.started > 0 &&
      (await callHelm(() => helm.isMarked({ ...refOf(input), operation }, ctx.signal)));
    const { revision: _, ...seen } = judge({ history, clients, marked, now: clock.now() });
    if (seen.state !== 'applied') return seen;
    return { ...seen, witnesses: [releaseWitness(input, newestOf(history))] };
  } catch (error) {
    if (!(error instanceof StepError) || error.retryable) throw error;
    // Gone is gone: whatever was to be seen, somebody else has removed.
    if (error.code === 'release-missing') return { state: 'conflict', evidence: error.message };
    return { state: 'unknown', evidence: `could not look: ${error.message}` };
  }
}
