import type { ReadStepType } from '../../engine/step-type.ts';
import type { HelmStatusOutputs, HelmStatusWith } from '../../generated/types.ts';
import { callHelm } from './call.ts';
import { nameOfObject } from './object-diff.ts';
import {
  refOf,
  releaseName,
  releaseProblems,
  releaseReadAccess,
  releaseReads,
  requireRelease,
} from './release-target.ts';

export const status: ReadStepType<HelmStatusWith, HelmStatusOutputs> = {
  type: 'helm.status',
  effect: 'read',
  timeout: 60_000,
  describe: (input) =>
    `see how Helm release ${releaseName(input)} stands${input.revision === undefined ? '' : ` in revision ${input.revision}`}`,
  resources: releaseReads,
  access: ({ namespace }) => releaseReadAccess(namespace),
  check: releaseProblems,

  async run(input, ctx) {
    requireRelease(input);
    const which = { ...refOf(input), ...(input.revision !== undefined && { revision: input.revision }) };
    const release = await callHelm(() => ctx.services.helm.release(which, ctx.signal));
    return {
      revision: release.revision,
      status: release.status,
      pending: release.status.startsWith('pending-'),
      description: release.description,
      updated: release.updated,
      chart: release.chart,
      chartVersion: release.chartVersion,
      appVersion: release.appVersion,
      objects: release.objects.map(nameOfObject),
      hooks: release.hooks.map(({ kind, name, events, phase }) => ({
        kind,
        name,
        events: [...events],
        phase,
      })),
      summary: `${releaseName(input)} ${release.chart} ${release.chartVersion}, revision ${release.revision} ${release.status}`,
    };
  },
};
