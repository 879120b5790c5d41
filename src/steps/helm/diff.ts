import type { ReadStepType } from '../../engine/step-type.ts';
import type { HelmDiffOutputs, HelmDiffWith } from '../../generated/types.ts';
import { callHelm } from './call.ts';
import { chartProblems, targetOf } from './chart-target.ts';
import { upgradeHooks } from './hooks.ts';
import { diffContent, isSameContent, sayLine, valuesOf } from './object-diff.ts';
import { refOf, releaseName, releaseReadAccess, releaseReads } from './release-target.ts';
import { deployedOf, newestOf, refusePending } from './revisions.ts';
import { diffValues, protectValues } from './values-diff.ts';
import { versionStep } from './versions.ts';

export const diff: ReadStepType<HelmDiffWith, HelmDiffOutputs> = {
  type: 'helm.diff',
  effect: 'read',
  timeout: 2 * 60_000,
  describe: (input) =>
    `see what ${input.chart} ${input.version} would change in Helm release ${releaseName(input)}`,
  resources: releaseReads,
  access: ({ namespace }) => releaseReadAccess(namespace),
  check: chartProblems,

  async run(input, ctx) {
    const target = await targetOf(ctx, input);
    const { helm } = ctx.services;
    const history = await callHelm(() => helm.history(refOf(input), ctx.signal));
    refusePending(input, history);
    const base = deployedOf(history) ?? newestOf(history);
    const current = await callHelm(() =>
      helm.release({ ...refOf(input), revision: base.revision }, ctx.signal),
    );
    const next = await callHelm(() => helm.render(target, ctx.signal));
    for (const content of [current, next]) protectValues(ctx, valuesOf(content));
    const changes = diffContent(current, next);
    const values = diffValues(valuesOf(current), valuesOf(next));
    const hooks = upgradeHooks(next);
    const step = versionStep(current.chartVersion, next.chartVersion);
    const count = (change: string) => changes.filter((item) => item.change === change).length;
    const counts = { added: count('added'), changed: count('changed'), removed: count('removed') };
    const stateful = [...current.objects, ...next.objects]
      .filter(({ kind }) => kind === 'StatefulSet')
      .map(({ metadata }) => String((metadata as { readonly name?: unknown }).name));
    const jobs = hooks.filter(({ kind }) => kind === 'Job').map(({ name }) => name);
    return {
      changes: !isSameContent(current, next),
      step,
      fromVersion: current.chartVersion,
      toVersion: next.chartVersion,
      fromAppVersion: current.appVersion,
      toAppVersion: next.appVersion,
      digest: next.digest,
      objects: changes.map(({ object, change, lines }) => ({ object, change, fields: lines.map(sayLine) })),
      ...counts,
      values: values.map(sayLine),
      hooks: hooks.map(({ kind, name, events, weight }) => ({ kind, name, events: [...events], weight })),
      jobs,
      statefulSets: [...new Set(stateful)],
      summary: [
        `${current.chartVersion} → ${next.chartVersion} (${step})`,
        `objects: ${counts.changed} changed, ${counts.added} added, ${counts.removed} removed`,
        `values: ${values.length} changed`,
        `Jobs: ${jobs.length === 0 ? 'none' : jobs.join(', ')}`,
      ].join('; '),
    };
  },
};
