import type { ReadStepType } from '../../engine/step-type.ts';
import type { HelmListOutputs, HelmListWith } from '../../generated/types.ts';
import { requireNamespace } from '../kubectl/errors.ts';
import { access, targetProblems } from '../kubectl/target.ts';
import { callHelm } from './call.ts';
import { releaseReadAccess } from './release-target.ts';
import { isPending } from './revisions.ts';

export const list: ReadStepType<HelmListWith, HelmListOutputs> = {
  type: 'helm.list',
  effect: 'read',
  timeout: 60_000,
  describe: ({ namespace }) => `list the Helm releases of ${namespace ?? 'all namespaces'}`,
  resources: ({ namespace }) => [
    { path: `helm/${namespace === undefined || namespace.includes('‹') ? '*' : namespace}`, mode: 'read' },
  ],
  access: ({ namespace }) => [
    ...releaseReadAccess(namespace),
    ...(namespace === undefined ? [] : access(['get'], 'namespaces', { name: namespace })),
  ],
  check: ({ namespace }) => targetProblems({ namespace }),
  findings: ({ releases, pending }) => ({
    details: releases
      .filter((release) => isPending(release) || release.status === 'failed')
      .map(
        ({ namespace, release, revision, status, updated }) =>
          `${namespace}/${release}: revision ${revision} is ${status} since ${updated}`,
      ),
    ...(pending.length === 0
      ? {}
      : {
          hint: 'find out whether a helm client still works on it; if none does, rollback-release with acceptPending=true leads out of it',
        }),
  }),

  async run({ namespace }, ctx) {
    if (namespace !== undefined) await requireNamespace(ctx.services.kubernetes, namespace);
    const where = namespace === undefined ? {} : { namespace };
    const releases = await callHelm(() => ctx.services.helm.list(where, ctx.signal));
    const named = (fits: (status: string) => boolean) =>
      releases.filter(({ status }) => fits(status)).map((item) => `${item.namespace}/${item.release}`);
    const pending = named((status) => isPending({ status }));
    const failed = named((status) => status === 'failed');
    const trouble = [...pending.map((name) => `${name} pending`), ...failed.map((name) => `${name} failed`)];
    return {
      releases: releases.map((release) => ({ ...release })),
      count: releases.length,
      pending,
      failed,
      summary: `${releases.length} releases${trouble.length === 0 ? '' : `; ${trouble.join(', ')}`}`,
    };
  },
};
