import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { outOfTime } from '../out-of-time.ts';
import { readEvents } from './event-list.ts';
import { at, isReady, listAt, textAt } from './fields.ts';
import { readLog } from './log-lines.ts';
import type { PodTrouble } from './pod-trouble.ts';
import type { RolloutFailure, RolloutVerdict } from './rollout-verdict.ts';
import { nameOf } from './target.ts';
import type { WorkloadInput } from './workload.ts';

// Enough to answer, short enough not to hold up the failure that it explains.
const patience = 5000;

const hints: Readonly<Record<RolloutFailure, string>> = {
  'crash-loop': 'Read the log lines above; when the change caused it, roll back.',
  'image-pull': 'Check the image name and tag, the registry, and the imagePullSecrets of the namespace.',
  'container-config': 'Check that the ConfigMaps, Secrets and keys that the pod names exist.',
  unschedulable: 'Check the nodes (capacity, taints), the resource requests and the affinity of the pod.',
  quota: 'Raise the ResourceQuota of the namespace, or lower what the pods request.',
  'pods-refused': 'Check the admission webhooks, the pod security level and the ServiceAccount.',
  paused: 'Resume it (kubectl rollout resume), or roll back.',
  superseded: 'Find out who changed it (kubectl rollout history); this run does not fight over it.',
  'awaiting-delete':
    'Use the runbook restart-service: it deletes the pods one by one and proves each new one.',
  deleted: 'Find out who deleted it before anything else is changed.',
  'progress-deadline-exceeded': 'See which pods are not ready, and why, above.',
};

/** The failure of a rollout: names the workload, the pod and the container; carries the last log lines and warnings. */
export async function rolloutError(
  ctx: ReadContext,
  input: WorkloadInput,
  sight: { readonly pods: readonly KubernetesObject[] },
  verdict: RolloutVerdict,
): Promise<StepError> {
  const trouble = verdict.state === 'failed' ? verdict.trouble : undefined;
  const waiting = sight.pods.find((item) => !isReady(item));
  const pod = trouble?.pod ?? waiting?.metadata.name;
  const container = trouble === undefined ? unreadyContainer(waiting) : trouble.container;
  const details = await within(ctx, (signal) => explain(ctx, input, { pod, container, trouble, signal }));
  if (verdict.state === 'failed')
    return new StepError(verdict.code, `${nameOf(input)}: ${verdict.text}.`, {
      details,
      hint: hints[verdict.code],
    });
  return outOfTime(ctx, `${nameOf(input)} was not rolled out in time: ${verdict.text}.`, {
    details,
    hint: 'It may still become ready: look at the pods; then resume, which looks again, or roll back.',
  });
}

function unreadyContainer(pod: KubernetesObject | undefined): string | undefined {
  const unready = listAt(pod?.status, 'containerStatuses').find((status) => at(status, 'ready') === false);
  return textAt(unready, 'name') || undefined;
}

async function explain(
  ctx: ReadContext,
  input: WorkloadInput,
  about: {
    readonly pod: string | undefined;
    readonly container: string | undefined;
    readonly trouble: PodTrouble | undefined;
    readonly signal: AbortSignal;
  },
): Promise<readonly string[]> {
  const { namespace } = input;
  const { pod, container, trouble } = about;
  const lines: string[] = [];
  if (pod !== undefined && trouble?.code !== 'unschedulable' && trouble?.code !== 'image-pull') {
    const options = { tail: 20, previous: trouble?.crashed ?? false };
    const log = await readLog(ctx, { namespace, pod, container }, options, about.signal).catch(() => []);
    if (log.length > 0)
      lines.push(`last log lines of ${pod}${container === undefined ? '' : ` (${container})`}:`);
    lines.push(...log.map((line) => `  ${line}`));
  }
  const names = new Set([input.name, ...(pod === undefined ? [] : [pod])]);
  const events = await readEvents(ctx, { namespace, type: 'Warning' }).catch(() => []);
  const own = events
    .filter((event) => names.has(event.object.slice(event.object.indexOf('/') + 1)))
    .slice(-8);
  if (own.length > 0) lines.push('warnings:');
  lines.push(...own.map((event) => `  ${event.object} ${event.reason} ×${event.count}: ${event.message}`));
  return lines;
}

async function within<T>(
  ctx: ReadContext,
  act: (signal: AbortSignal) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const stop = new AbortController();
  const late = ctx.services.clock.sleep(patience, stop.signal).then((): readonly T[] => []);
  try {
    return await Promise.race([act(stop.signal), late]);
  } finally {
    stop.abort();
  }
}
