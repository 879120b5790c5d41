import type { ReadStepType } from '../../engine/step-type.ts';
import type { HelmHistoryOutputs, HelmHistoryWith } from '../../generated/types.ts';
import { callHelm } from './call.ts';
import {
  refOf,
  releaseName,
  releaseProblems,
  releaseReadAccess,
  releaseReads,
  requireRelease,
} from './release-target.ts';
import { deployedOf, isPending, newestOf, previousOf } from './revisions.ts';

export const history: ReadStepType<HelmHistoryWith, HelmHistoryOutputs> = {
  type: 'helm.history',
  effect: 'read',
  timeout: 60_000,
  describe: (input) => `read the history of Helm release ${releaseName(input)}`,
  resources: releaseReads,
  access: ({ namespace }) => releaseReadAccess(namespace),
  check: releaseProblems,

  async run(input, ctx) {
    requireRelease(input);
    const revisions = await callHelm(() => ctx.services.helm.history(refOf(input), ctx.signal));
    const newest = newestOf(revisions);
    const deployed = deployedOf(revisions);
    const previous = previousOf(revisions);
    return {
      revisions: revisions.map((revision) => ({ ...revision })),
      newest: newest.revision,
      status: newest.status,
      pending: isPending(newest),
      deployed: deployed?.revision ?? 0,
      chartVersion: (deployed ?? newest).chartVersion,
      previous: previous?.revision ?? 0,
      previousVersion: previous?.chartVersion ?? '',
      summary: `${revisions.length} revisions kept, the newest is ${newest.revision} (${newest.chartVersion}, ${newest.status})`,
    };
  },
};
