import type { JsonObject } from '../../engine/json.ts';
import type { Observation, ReadContext } from '../../engine/step-type.ts';
import { keptOutcome } from '../outcome.ts';
import type { Counted } from './count.ts';
import { describeCensus } from './count.ts';
import { countLedger, ledgerName } from './ledger.ts';

/** What a census says about the re-encryption. */
export async function judgeCount(ctx: ReadContext, { census, recent }: Counted): Promise<Observation> {
  const evidence = describeCensus(census);
  if (census.clean) return { state: 'applied', evidence, outputs: await outputsOf(ctx, census) };
  // Ours of a moment ago, ESS's or another run's: whoever it is, their writes are still landing.
  if (census.remaining > 0 && recent > 0 && census.anomalyCount === 0)
    return { state: 'in-progress', evidence: `${evidence}; ${recent} rows were written within 10 s` };
  const partial = (await ctx.kept(ledgerName)) !== undefined;
  return { state: 'not-applied', partial, evidence };
}

async function outputsOf(ctx: ReadContext, census: Counted['census']): Promise<JsonObject> {
  const outcome = await keptOutcome(ctx);
  if (outcome !== undefined) return outcome;
  const rewrapped = countLedger(await ctx.kept(ledgerName));
  return {
    kid: census.kid,
    rewrapped,
    finished: 0,
    alreadyCurrent: Math.max(0, census.keys - rewrapped),
    passes: 0,
    rows: census.rows,
    seconds: 0,
  };
}
