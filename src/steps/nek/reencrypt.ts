import { parseDuration } from '../../engine/duration.ts';
import type { ChangeStepType, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { NekReencryptOutputs, NekReencryptWith } from '../../generated/types.ts';
import { asJson } from '../kubectl/observing.ts';
import { requireClock, requireVersioned } from '../mek/openbao.ts';
import { documentWitness, observeDocument, stateOf } from '../mek/preparing.ts';
import { noteUndone, wasUndone } from '../undone.ts';
import { count, describeCensus } from './count.ts';
import { requireHealthy, requireNoAnomalies, wrapBudget } from './health.ts';
import { withNeks } from './open.ts';
import { nekAccess, nekPlaceProblems, nekResources } from './place.ts';
import { judgeCount } from './reencrypt-observe.ts';
import { reencryptAll } from './reencrypt-run.ts';
import type { ReencryptState } from './reencrypt-state.ts';
import { requireActive } from './reencrypt-state.ts';

/** Namespace keys per second, from a slow cluster to a fast one; for the time that a plan tells. */
const rates = { slow: 200, fast: 4000 };

export const reencrypt: ChangeStepType<NekReencryptWith, NekReencryptOutputs> = {
  type: 'nek.reencrypt',
  effect: 'change',
  timeout: 4 * 3_600_000,
  describe: (input) =>
    `wrap the namespace keys in ${input.cassandra?.namespace} with ${input.kid ?? 'the active master key'}`,
  resources: (input) => nekResources(input, 'write'),
  access: nekAccess,
  check: (input) => [...nekPlaceProblems(input), ...ttlProblems(input)],

  async predict(input, ctx) {
    const { kid, counts, notes } = await prepare(input, ctx);
    const { keys, remaining } = counts;
    const most = input.rowsPerSecond ?? Number.POSITIVE_INFINITY;
    const seconds = (rate: number) => remaining / Math.min(rate, most) + keys / rate;
    return {
      predictable: true,
      changes: remaining > 0,
      diff: remaining > 0 ? [{ path: `keys not wrapped by ${kid}`, before: remaining, after: 0 }] : [],
      outputs: { kid },
      notes,
      duration: { min: seconds(rates.fast) * 1000, max: seconds(rates.slow) * 1000 + 10_000 },
    };
  },

  async capture(input, ctx) {
    const { kid, counts, witness } = await prepare(input, ctx);
    const state: ReencryptState = { kid, ...counts };
    return { state: asJson(state), witnesses: [witness] };
  },

  run: (input, ctx) => reencryptAll(input, ctx),

  observe: (input, before, ctx) =>
    observeDocument(ctx, input.openbao, async ({ document, version }) => {
      const { kid } = stateOf<ReencryptState>(before);
      if (await wasUndone(ctx))
        return {
          state: 'not-applied',
          evidence: 'nothing had to be undone: every namespace key can be read',
        };
      if (document.key(kid) === undefined)
        return { state: 'conflict', evidence: `version ${version} of the master keys has no ${kid}` };
      if (document.currentKid !== kid && input.allowInactive !== true)
        return { state: 'conflict', evidence: `${document.currentKid} is the active master key, not ${kid}` };
      return await withNeks(ctx, { ...input, kid }, async (world) =>
        judgeCount(ctx, await count(ctx, world)),
      );
    }),

  undoes: 'nothing has to be undone, rows are only added; prove that every namespace key can be read',

  async undo(input, before, _outputs, ctx) {
    const { kid } = stateOf<ReencryptState>(before);
    await withNeks(ctx, { ...input, kid }, async (world) => {
      const { census } = await count(ctx, world);
      if (census.unusable > 0)
        throw new StepError(
          'nek-unusable',
          `${census.unusable} namespace keys have no row that ESS could use; undoing this step cannot change that.`,
          { outcome: 'not-applied', hint: 'See which with nek.census, and keep every master key.' },
        );
      ctx.progress({ text: `nothing has to be undone: ${describeCensus(census)}` });
    });
    await noteUndone(ctx);
  },
};

/** Everything that must hold before the first write; one look at every row. */
async function prepare(input: NekReencryptWith, ctx: ReadContext) {
  return await withNeks(ctx, input, async (world) => {
    const { opened, kid, session } = world;
    requireActive(world, input);
    requireClock(ctx, opened.bao);
    await requireHealthy(ctx, session, input);
    const mount = await requireVersioned(ctx, opened.bao, opened.bao.at);
    const { census } = await count(ctx, world);
    requireNoAnomalies(census);
    const { keys, rows, remaining, byMek } = census;
    const wraps = byMek.find((one) => one.kid === kid)?.rows ?? 0;
    const warnings = wrapBudget(kid, wraps + remaining);
    for (const text of warnings) ctx.progress({ text });
    return {
      kid,
      counts: { keys, rows, remaining },
      witness: documentWitness(opened, mount),
      notes: [describeCensus(census), ...warnings],
    };
  });
}

function ttlProblems({ cacheTtl }: NekReencryptWith) {
  if (cacheTtl === undefined || parseDuration(cacheTtl) !== undefined) return [];
  return [{ path: ['cacheTtl'], message: `'${cacheTtl}' is not a duration such as 60m.` }];
}
