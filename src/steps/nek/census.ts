import type { ReadStepType, StepError } from '../../engine/step-type.ts';
import type { NekCensusOutputs, NekCensusWith } from '../../generated/types.ts';
import { count, describeAnomaly, describeCensus } from './count.ts';
import { healthProblem } from './health.ts';
import { withNeks } from './open.ts';
import { nekAccess, nekPlaceProblems, nekResources } from './place.ts';

const shown = 50;
const look =
  'Keep every master key; find out what wrote them before anything is changed. mek-audit counts again.';

export const census: ReadStepType<NekCensusWith, NekCensusOutputs> = {
  type: 'nek.census',
  effect: 'read',
  timeout: 30 * 60_000,
  describe: (input) => `count the namespace keys by master key in ${input.cassandra?.namespace}`,
  resources: (input) => nekResources(input, 'read'),
  access: nekAccess,
  check: nekPlaceProblems,
  findings: ({ anomalies, anomalyCount, writeProblems }) => ({
    details: [
      ...anomalies.map(({ encryptedAt, ...anomaly }) =>
        describeAnomaly({ ...anomaly, encryptedAt: encryptedAt === 0 ? undefined : encryptedAt }),
      ),
      ...(anomalyCount > anomalies.length ? [`and ${anomalyCount - anomalies.length} more`] : []),
      ...writeProblems,
    ],
    ...(anomalyCount === 0 ? {} : { hint: look }),
  }),

  run: (input, ctx) =>
    withNeks(ctx, input, async (world) => {
      const problem = await healthProblem(ctx, world.session);
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
        writeProblems: problem === undefined ? [] : [...sayProblem(problem)],
        finishedAt: new Date(finishedAt).toISOString(),
        seconds: Math.round(milliseconds / 1000),
        summary: describeCensus(counted),
      };
    }),
};

function sayProblem({ message, details, hint }: StepError): readonly string[] {
  return [message, ...details, ...(hint === undefined ? [] : [hint])];
}
