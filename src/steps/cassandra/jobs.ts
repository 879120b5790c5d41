import type { Access, ReadContext } from '../../engine/step-type.ts';
import type { Kind, KubernetesObject } from '../../services/kubernetes.ts';
import { call } from '../kubectl/errors.ts';

/** Jobs of Cassandra's chart. */
export const chartJobs = ['cassandra-initialize-cluster', 'cassandra-migrations'] as const;

const jobs: Kind = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true };

export interface JobState {
  readonly name: string;
  /** `absent` says nothing: a Job that ended long ago is removed by its time to live. */
  readonly state: 'absent' | 'running' | 'complete' | 'failed';
  readonly failedPods: number;
  /** Empty while it has not ended. */
  readonly finishedAt: string;
  /** Why it failed; empty when it did not. */
  readonly message: string;
}

export const jobAccess = (namespace: string): Access => ({
  system: 'kubernetes',
  verb: 'get',
  group: 'batch',
  resource: 'jobs',
  namespace,
});

export async function jobStates(
  ctx: ReadContext,
  namespace: string,
  names: readonly string[],
): Promise<readonly JobState[]> {
  return await Promise.all(
    names.map(async (name) => {
      const job = await call({ verb: 'get', what: `Job ${namespace}/${name}` }, () =>
        ctx.services.kubernetes.get({ kind: jobs, namespace, name }),
      );
      return job === undefined ? absent(name) : stateOf(name, job);
    }),
  );
}

function absent(name: string): JobState {
  return { name, state: 'absent', failedPods: 0, finishedAt: '', message: '' };
}

interface Condition {
  readonly type?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

/** One pod that completed is success, however many failed before it. */
function stateOf(name: string, job: KubernetesObject): JobState {
  const status = (job.status ?? {}) as {
    readonly conditions?: readonly Condition[];
    readonly failed?: number;
    readonly completionTime?: string;
  };
  const is = (type: string) =>
    status.conditions?.find((condition) => condition.type === type && condition.status === 'True');
  const failedPods = status.failed ?? 0;
  const complete = is('Complete');
  if (complete !== undefined) {
    const finishedAt = status.completionTime ?? complete.lastTransitionTime ?? '';
    return { name, state: 'complete', failedPods, finishedAt, message: '' };
  }
  const failed = is('Failed');
  if (failed === undefined) return { ...absent(name), state: 'running', failedPods };
  const message = `${failed.reason ?? 'Failed'}: ${failed.message ?? 'it gave no reason'}`;
  return { name, state: 'failed', failedPods, finishedAt: failed.lastTransitionTime ?? '', message };
}
