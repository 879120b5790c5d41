import type { ReadStepType } from '../../engine/step-type.ts';
import type { NekCensusOutputs, NekCensusWith } from '../../generated/types.ts';
import { count, describeCensus } from './count.ts';
import { withNeks } from './open.ts';
import { nekAccess, nekPlaceProblems, nekResources } from './place.ts';

const shown = 50;

export const census: ReadStepType<NekCensusWith, NekCensusOutputs> = {
  type: 'nek.census',
  effect: 'read',
  timeout: 30 * 60_000,
  describe: (input) => `count the namespace keys by master key in ${input.cassandra?.namespace}`,
  resources: (input) => nekResources(input, 'read'),
  access: nekAccess,
  check: nekPlaceProblems,

  run: (input, ctx) =>
    withNeks(ctx, input, async (world) => {
      const { census: counted, finishedAt, milliseconds } = await count(ctx, world);
      const { kid, namespaces, keys, rows, current, remaining, pending, unusable } = counted;
      const { anomalyCount, clean } = counted;
      return {
        kid,
        namespaces,
        keys,
        rows,
        current,
        remaining,
        pending,
        unusable,
        anomalyCount,
        anomalies: counted.anomalies
          .slice(0, shown)
          .map(({ encryptedAt = 0, ...anomaly }) => ({ ...anomaly, encryptedAt })),
        byMek: counted.byMek.map(({ kid: mek, rows: under, selected }) => ({
          kid: mek ?? '',
          rows: under,
          selected,
        })),
        clean,
        finishedAt: new Date(finishedAt).toISOString(),
        seconds: Math.round(milliseconds / 1000),
        summary: describeCensus(counted),
      };
    }),
};
