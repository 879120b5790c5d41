import { otherKinds } from '../catalog.ts';
import { recordEvent } from '../events.ts';
import { noticeFailedJob } from '../nek-store/migrations-job.ts';
import { type Condition, type Template, type Thing, timestamp } from '../objects.ts';
import type { World } from '../world.ts';
import { createPod, isActive, isTerminating, podsOf, putStatus, withoutZeros } from './pods-of.ts';

type Job = Thing & {
  readonly spec: { readonly backoffLimit?: number; readonly template: Template };
  readonly status?: { readonly startTime?: string; readonly conditions?: readonly Condition[] };
};

/** Pause before a failed pod is followed by another one; doubles each time. */
const BACKOFF = 10_000;

function ended(job: Job): boolean {
  return job.status?.conditions?.some(({ type }) => type === 'Complete' || type === 'Failed') === true;
}

function verdict(
  given: { readonly succeeded: number; readonly failed: number; readonly limit: number },
  now: string,
): readonly Condition[] {
  const condition = (type: string, reason: string, message: string): Condition => ({
    type,
    status: 'True',
    reason,
    message,
    lastTransitionTime: now,
  });
  if (given.succeeded > 0)
    return [
      condition('SuccessCriteriaMet', 'CompletionsReached', 'Reached expected number of succeeded pods'),
      condition('Complete', 'CompletionsReached', 'Reached expected number of succeeded pods'),
    ];
  if (given.failed <= given.limit) return [];
  const message = 'Job has reached the specified backoff limit';
  return [
    condition('FailureTarget', 'BackoffLimitExceeded', message),
    condition('Failed', 'BackoffLimitExceeded', message),
  ];
}

/** Runs one pod at a time until one succeeds or too many have failed. */
export function reconcileJob(world: World, namespace: string, name: string): void {
  const job = world.store.get<Job>(otherKinds.jobs, namespace, name);
  if (job === undefined || isTerminating(job) || ended(job)) return;
  const now = timestamp(world.timeline.now);
  const pods = podsOf(world, job);
  const of = (phase: string) => pods.filter(({ status }) => status.phase === phase).length;
  const counts = { succeeded: of('Succeeded'), failed: of('Failed') };
  const conditions = verdict({ ...counts, limit: job.spec.backoffLimit ?? 6 }, now);
  const startTime = job.status?.startTime ?? now;
  const again = () => start(world, job, namespace, name);
  const active = pods.filter(isActive).length;
  if (conditions.length === 0 && active === 0) {
    if (counts.failed === 0) again();
    else world.timeline.schedule(BACKOFF * 2 ** (counts.failed - 1), again, `job:${namespace}/${name}`);
  }
  for (const { type, reason = '', message = '' } of conditions)
    if (type === 'Complete' || type === 'Failed')
      recordEvent(world, job, {
        type: type === 'Failed' ? 'Warning' : 'Normal',
        reason: type === 'Failed' ? reason : 'Completed',
        message: type === 'Failed' ? message : 'Job completed',
        component: 'job-controller',
      });
  if (conditions.some(({ type }) => type === 'Failed')) noticeFailedJob(world, name);
  putStatus(world, otherKinds.jobs, job, {
    startTime,
    ...withoutZeros({ active: conditions.length === 0 ? Math.max(1, active) : 0, ...counts }),
    ...(counts.succeeded > 0 ? { completionTime: now } : {}),
    ...(conditions.length === 0 ? {} : { conditions }),
  });
}

function start(world: World, job: Job, namespace: string, name: string): void {
  const current = world.store.get<Job>(otherKinds.jobs, namespace, name);
  if (current?.metadata.uid !== job.metadata.uid || podsOf(world, current).some(isActive)) return;
  const { uid } = current.metadata;
  createPod(world, current, {
    template: current.spec.template,
    labels: {
      'batch.kubernetes.io/controller-uid': uid,
      'batch.kubernetes.io/job-name': name,
      'controller-uid': uid,
      'job-name': name,
    },
  });
}
