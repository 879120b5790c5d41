import type { ReadContext } from '../../engine/step-type.ts';
import type { Census, CensusAnomaly } from '../../keys/nek-census.ts';
import { createCensus } from '../../keys/nek-census.ts';
import type { NekReadSession } from '../../services/nek-store.ts';
import type { NekWorld } from './open.ts';
import { sayReason } from './reasons.ts';
import { readNeks } from './scan.ts';
import { sparing } from './sparing.ts';

/** Writes of the last moments may still be landing, and whoever made them may still be at it. Milliseconds. */
export const recently = 10_000;

export interface Counted {
  readonly census: Census;
  /** Rows under the master key in question that were wrapped within `recently`, beside an earlier row of the same key. */
  readonly recent: number;
  /** Milliseconds since the epoch. */
  readonly finishedAt: number;
  readonly milliseconds: number;
}

/** Reads every row and counts what ESS would select. Holds one page at a time. */
export async function count(ctx: ReadContext, world: NekWorld<NekReadSession>): Promise<Counted> {
  const { clock } = ctx.services;
  const started = clock.monotonic();
  const census = createCensus(world);
  const show = sparing(ctx);
  let keys = 0;
  let recent = 0;
  await readNeks(ctx, world.session, ({ neks, done }) => {
    const now = clock.now();
    for (const rows of neks) {
      census.add(rows, now);
      // ESS makes keys for new namespaces all the time: those have one row.
      if (rows.length < 2) continue;
      for (const { encryptedByKid, encryptedAt } of rows)
        if (encryptedByKid === world.kid && Math.abs(now - encryptedAt) < recently) recent += 1;
    }
    keys += neks.length;
    show(() => `counted ${keys} namespace keys, ${Math.floor(done * 100)} %`);
  });
  return {
    census: census.result(),
    recent,
    finishedAt: clock.now(),
    milliseconds: clock.monotonic() - started,
  };
}

/** One line for people. */
export function describeCensus(census: Census): string {
  const { keys, namespaces, current, remaining, pending, unusable, anomalyCount } = census;
  const more = [
    `${current} under ${census.kid}`,
    `${remaining} under another master key`,
    ...(pending > 0 ? [`${pending} rows wait for their promotion`] : []),
    ...(unusable > 0 ? [`${unusable} unusable`] : []),
    ...(anomalyCount > 0 ? [`${anomalyCount} anomalies`] : []),
  ];
  return `${keys} namespace keys in ${namespaces} namespaces: ${more.join(', ')}`;
}

/** 'nvcf R3eG… 2027-01-01T00:00:00.000Z: it holds another key than its kid says (thumbprint)' */
export function describeAnomaly({
  namespace,
  kid,
  encryptedAt,
  reason,
}: Omit<CensusAnomaly, 'reason'> & { readonly reason: string }): string {
  const when =
    encryptedAt === undefined
      ? ''
      : ` ${Number.isNaN(new Date(encryptedAt).getTime()) ? encryptedAt : new Date(encryptedAt).toISOString()}`;
  return `${namespace} ${kid}${when}: ${sayReason(reason)}`;
}
