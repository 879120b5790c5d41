import type { ReadContext, StepError } from '../../engine/step-type.ts';
import type { HelmError, HelmRelease } from '../../services/helm.ts';
import { kinds } from '../../services/kubernetes.ts';
import { textAt } from '../kubectl/fields.ts';
import { readLog } from '../kubectl/log-lines.ts';
import { goalOf, rolloutNow } from '../kubectl/rollout.ts';
import { rolloutError } from '../kubectl/rollout-failure.ts';
import { isWorkload, podsOf, readWorkload, type WorkloadInput } from '../kubectl/workload.ts';
import { stepError } from './call.ts';
import { type ReleaseInput, refOf, releaseName } from './release-target.ts';

const most = 3;
const tail = 20;

/** The failure of a client with what it was waiting for: hooks that failed, pods that did not get ready, with their last words. */
export async function releaseFailure(
  ctx: ReadContext,
  input: ReleaseInput,
  error: HelmError,
): Promise<StepError> {
  if (error.outcome === 'not-applied') return stepError(error);
  const release = await ctx.services.helm.release(refOf(input), ctx.signal).catch(() => undefined);
  const found = release === undefined ? [] : await explain(ctx, release);
  const first = found[0];
  const message =
    first === undefined ? error.message : `${error.message.replace(/\.?$/, '.')} ${first.message}`;
  const refused = found.find(({ hint }) => hint !== undefined);
  return stepError(error, {
    ...(first === undefined ? {} : { message }),
    details: found.flatMap(({ message: said, details }, index) => [
      ...(index === 0 ? [] : [said]),
      ...details,
    ]),
    hint: refused?.hint ?? hintOf(input, release),
  });
}

interface Explained {
  readonly message: string;
  readonly details: readonly string[];
  /** What to do, when that is known. */
  readonly hint?: string;
}

/** OpenBao's answer to a write that names no version, where `cas_required` is set. */
const guarded = /check-and-set parameter required/i;

async function explain(ctx: ReadContext, release: HelmRelease): Promise<readonly Explained[]> {
  const hooks = release.hooks.filter(
    ({ kind, phase }) => kind === 'Job' && ['Failed', 'Running'].includes(phase),
  );
  const jobs = await Promise.all(hooks.map(({ name, phase }) => explainJob(ctx, release, { name, phase })));
  const rollouts = await Promise.all(workloadsOf(release).map((workload) => explainRollout(ctx, workload)));
  return [...jobs, ...rollouts].filter((item) => item !== undefined).slice(0, most);
}

export function workloadsOf(release: Pick<HelmRelease, 'namespace' | 'objects'>): readonly WorkloadInput[] {
  return release.objects.flatMap((object): readonly WorkloadInput[] => {
    const kind = textAt(object, 'kind');
    const namespace = textAt(object, 'metadata', 'namespace') || release.namespace;
    return isWorkload(kind) ? [{ kind, namespace, name: textAt(object, 'metadata', 'name') }] : [];
  });
}

async function explainJob(
  ctx: ReadContext,
  { namespace }: HelmRelease,
  hook: { readonly name: string; readonly phase: string },
): Promise<Explained> {
  const how = hook.phase === 'Failed' ? 'failed' : 'did not end';
  const labelSelector = `job-name=${hook.name}`;
  const pods = await ctx.services.kubernetes.list(kinds.pods, { namespace, labelSelector }).catch(() => []);
  const [pod] = [...pods].sort((a, b) =>
    (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? 1 : -1,
  );
  if (pod === undefined)
    return { message: `The hook Job ${namespace}/${hook.name} ${how}; its pods are gone.`, details: [] };
  const source = { namespace, pod: pod.metadata.name, container: undefined };
  const log = await readLog(ctx, source, { tail }, ctx.signal).catch(() => []);
  const details =
    log.length === 0 ? [] : [`last log lines of ${pod.metadata.name}:`, ...log.map((line) => `  ${line}`)];
  if (!log.some((line) => guarded.test(line)))
    return { message: `The hook Job ${namespace}/${hook.name} ${how}.`, details };
  return {
    message: `The hook Job ${namespace}/${hook.name} ${how} because a secret is protected: it would have written over it without naming a version, and OpenBao refused (check-and-set is required there). The secret is as it was.`,
    details,
    hint: 'Such a Job takes a read that failed for an absent secret: find that read in the lines above and make sure that every OpenBao pod is sound. Then roll back, and upgrade again; never lift the protection for it.',
  };
}

async function explainRollout(ctx: ReadContext, input: WorkloadInput): Promise<Explained | undefined> {
  try {
    const workload = await readWorkload(ctx, input);
    const verdict = await rolloutNow(ctx, input, workload, goalOf(workload));
    if (verdict.state === 'complete') return undefined;
    const pods = await podsOf(ctx.services.kubernetes, workload);
    const { message, details } = await rolloutError(ctx, input, { pods }, verdict);
    return { message, details };
  } catch {
    return undefined;
  }
}

function hintOf(input: ReleaseInput, release: HelmRelease | undefined): string {
  const revision = release === undefined ? '' : ` Revision ${release.revision} is ${release.status}.`;
  return `Read the lines above; then roll back, or mend the cause and upgrade again.${revision} The earlier revision is kept: helm.history ${releaseName(input)}.`;
}
