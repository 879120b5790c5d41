import type { ReadContext, Witness } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { HelmRelease, HelmRendering, HelmRevision } from '../../services/helm.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { digest } from '../kubectl/witness.ts';
import { isWorkload, rolloutDuration } from '../kubectl/workload.ts';
import { callHelm } from './call.ts';
import { type ChartInput, targetOf } from './chart-target.ts';
import { upgradeHooks } from './hooks.ts';
import { contentDigest, diffContent, isSameContent, valuesOf } from './object-diff.ts';
import { type ReleaseInput, refOf, releaseName, releasePath } from './release-target.ts';
import { deployedOf, newestOf, refuseFailedInstall, refusePending, sayRevision } from './revisions.ts';
import { protectValues } from './values-diff.ts';
import { versionStep } from './versions.ts';

/** What an upgrade starts from and comes to. */
export interface Prepared {
  readonly newest: HelmRevision;
  /** The revision that Helm compares with: the deployed one. */
  readonly base: HelmRevision;
  readonly current: HelmRelease;
  readonly next: HelmRendering;
  /** Nothing at all would change. */
  readonly asWanted: boolean;
}

/** Reads both sides of an upgrade; refuses what must not be upgraded. */
export async function prepareUpgrade(
  ctx: ReadContext,
  input: ChartInput & { readonly allowNotNewer?: boolean },
): Promise<Prepared> {
  const target = await targetOf(ctx, input);
  const { helm } = ctx.services;
  const history = await callHelm(() => helm.history(refOf(input), ctx.signal));
  refusePending(input, history);
  refuseFailedInstall(input, history);
  const newest = newestOf(history);
  const base = deployedOf(history) ?? newest;
  const current = await callHelm(() =>
    helm.release({ ...refOf(input), revision: base.revision }, ctx.signal),
  );
  const next = await callHelm(() => helm.render(target, ctx.signal));
  for (const content of [current, next]) protectValues(ctx, valuesOf(content));
  const asWanted = newest.revision === base.revision && isSameContent(current, next);
  if (!asWanted) refuseOtherChart(input, current, next);
  if (!asWanted && input.allowNotNewer !== true) refuseNotNewer(input, current, next);
  return { newest, base, current, next, asWanted };
}

function refuseOtherChart(input: ReleaseInput, current: HelmRelease, next: HelmRendering): void {
  if (current.chart === next.chart) return;
  throw new StepError(
    'other-chart',
    `Release ${releaseName(input)} is made of the chart ${current.chart}, not of ${next.chart}.`,
    { outcome: 'not-applied', hint: 'Check the chart reference, and the release.' },
  );
}

function refuseNotNewer(input: ReleaseInput, current: HelmRelease, next: HelmRendering): void {
  const step = versionStep(current.chartVersion, next.chartVersion);
  if (step === 'patch' || step === 'minor' || step === 'major') return;
  const how =
    step === 'none'
      ? `has version ${current.chartVersion} already, with other values or content`
      : `has version ${current.chartVersion}, and ${next.chartVersion} is ${step === 'older' ? 'older' : 'not comparable'}`;
  throw new StepError('not-newer', `Release ${releaseName(input)} ${how}.`, {
    outcome: 'not-applied',
    hint: 'If that is meant, write allowNotNewer: true; to go back to an earlier revision, use helm.rollback.',
  });
}

/** A new revision, another chart under the same version, or changed values: each makes an older plan stale. */
export function witnessesOf(input: ChartInput, { newest, next }: Prepared): readonly Witness[] {
  return [
    releaseWitness(input, newest),
    {
      resource: `${releasePath(input)}/content`,
      description: `${next.chart} ${next.chartVersion} as rendered${next.digest === '' ? '' : ` (${next.digest.slice(0, 19)})`}`,
      digest: digest([next.digest, contentDigest(next)]),
    },
  ];
}

export function releaseWitness(input: ReleaseInput, newest: HelmRevision): Witness {
  return {
    resource: releasePath(input),
    description: `release ${releaseName(input)} ${sayRevision(newest)}`,
    digest: digest([newest.revision, newest.status]),
  };
}

/** Rollouts of the workloads that change, and the Jobs that run. */
export function durationOf({ current, next }: Prepared): { readonly min: number; readonly max: number } {
  const changed = new Set(diffContent(current, next).map(({ object }) => object));
  const workloads = next.objects.filter(
    (object) =>
      isWorkload(String(object.kind)) &&
      [...changed].some((name) => name.startsWith(`${String(object.kind)} `)),
  );
  const rollouts = workloads.map((object) => rolloutDuration(object as unknown as KubernetesObject));
  const jobs = upgradeHooks(next).length;
  return {
    min: Math.max(2_000, ...rollouts.map(({ min }) => min)) + jobs * 2_000,
    max: Math.max(10_000, ...rollouts.map(({ max }) => max)) + jobs * 120_000,
  };
}
