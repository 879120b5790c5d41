import { StepError } from '../../engine/step-type.ts';
import type { HelmRevision } from '../../services/helm.ts';
import { type ReleaseInput, releaseName } from './release-target.ts';

export function newestOf(history: readonly HelmRevision[]): HelmRevision {
  const newest = history.at(-1);
  if (newest === undefined) throw new RangeError('a history is never empty');
  return newest;
}

/** The revision whose objects the next upgrade starts from; undefined when none came to a good end. */
export function deployedOf(history: readonly HelmRevision[]): HelmRevision | undefined {
  return history.findLast(({ status }) => status === 'deployed');
}

export function isPending({ status }: { readonly status: string }): boolean {
  return status.startsWith('pending-');
}

/** The revision that chart and values first came with: 'Rollback to 3' leads back to 3. */
export function originOf(history: readonly HelmRevision[], revision: number): number {
  const entry = history.find((item) => item.revision === revision);
  const back = Number(/^Rollback to (\d+)$/.exec(entry?.description ?? '')?.[1] ?? Number.NaN);
  return Number.isNaN(back) || back >= revision ? revision : originOf(history, back);
}

/** Where "the previous revision" is: the newest that was deployed and had another origin than what is deployed now. */
export function previousOf(history: readonly HelmRevision[]): HelmRevision | undefined {
  const newest = newestOf(history);
  const good = ({ status }: HelmRevision) => status === 'deployed' || status === 'superseded';
  const origin = originOf(history, newest.revision);
  return history.findLast(
    (item) => item.revision < newest.revision && good(item) && originOf(history, item.revision) !== origin,
  );
}

/** Refuses to work on a release that somebody works on, or that a killed client left behind, with the way out. */
export function refusePending(input: ReleaseInput, history: readonly HelmRevision[]): void {
  const newest = newestOf(history);
  if (!isPending(newest)) return;
  const { revision, status, updated } = newest;
  const deployed = deployedOf(history);
  const way =
    deployed === undefined
      ? 'It was never deployed: uninstall it and install it again.'
      : `If nobody works on it (ask, and look for helm processes), put revision ${deployed.revision} back: runbook exec rollback-release, with acceptPending.`;
  throw new StepError(
    'release-pending',
    `Release ${releaseName(input)} is ${status} at revision ${revision} since ${updated}: a helm client works on it, or one died over it.`,
    { outcome: 'not-applied', hint: way },
  );
}

/** An installation that failed is not mended by an upgrade: hooks that run only once were skipped. */
export function refuseFailedInstall(input: ReleaseInput, history: readonly HelmRevision[]): void {
  if (deployedOf(history) !== undefined || history.some(({ status }) => status === 'superseded')) return;
  const { status, revision } = newestOf(history);
  throw new StepError(
    'never-deployed',
    `Release ${releaseName(input)} never came to a good end (${status} at revision ${revision}).`,
    {
      outcome: 'not-applied',
      hint: 'An upgrade would skip the hooks of its installation: uninstall it and install it again.',
    },
  );
}

export function sayRevision({ revision, chart, chartVersion, status }: HelmRevision): string {
  return `revision ${revision} (${chart} ${chartVersion}, ${status})`;
}
