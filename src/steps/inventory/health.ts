import type { ReadContext, ReadStepType } from '../../engine/step-type.ts';
import type { InventoryHealthOutputs, InventoryHealthWith } from '../../generated/types.ts';
import { listMatching, type PodSummary, podSummary } from '../kubectl/pod-list.ts';
import { goalOf, rolloutNow } from '../kubectl/rollout.ts';
import { targetProblems } from '../kubectl/target.ts';
import { readWorkload, rolloutAccess, workloadReads } from '../kubectl/workload.ts';
import { portForwardAccess } from '../pod-access.ts';

/** How long one pod may take to answer its own health endpoint, in milliseconds. */
const ANSWER_WITHIN = 10_000;

/** '200', or why there was no answer. */
async function ask(input: InventoryHealthWith, pod: string, ctx: ReadContext): Promise<string> {
  const port = input.healthPort ?? 0;
  const url = `http://${pod}:${port}${input.healthPath ?? ''}`;
  const late = new AbortController();
  const answer = ctx.services.http.request(
    { method: 'GET', url, through: { namespace: input.namespace, pod, port } },
    AbortSignal.any([ctx.signal, late.signal]),
  );
  const done = new AbortController();
  const limit = ctx.services.clock
    .sleep(ANSWER_WITHIN, AbortSignal.any([ctx.signal, done.signal]))
    .then(() => {
      if (!done.signal.aborted) late.abort();
    });
  const status = await answer.then(({ status: code }) => String(code)).catch(() => 'no answer');
  done.abort();
  await limit;
  return status;
}

async function endpoint(
  input: InventoryHealthWith,
  pods: readonly PodSummary[],
  ctx: ReadContext,
): Promise<string> {
  if ((input.healthPort ?? 0) === 0) return 'none';
  const asked = pods.filter(({ phase, terminating }) => phase === 'Running' && !terminating);
  const answers = await Promise.all(asked.map(({ name }) => ask(input, name, ctx)));
  return answers.length === 0 ? 'no answer' : [...new Set(answers)].sort().join(', ');
}

export const inventoryHealth: ReadStepType<InventoryHealthWith, InventoryHealthOutputs> = {
  type: 'inventory.health',
  effect: 'read',
  timeout: 60_000,
  describe: (input) => `health of ${input.kind} ${input.namespace}/${input.name}`,
  resources: (input) => [
    ...workloadReads(input),
    { path: `kubernetes/${input.namespace}/pods/*`, mode: 'read' },
  ],
  access: (input) => [...rolloutAccess(input), ...portForwardAccess(input.namespace)],
  check: targetProblems,

  async run(input, ctx) {
    const workload = await readWorkload(ctx, input);
    const verdict = await rolloutNow(ctx, input, workload, goalOf(workload));
    const { namespace, selector } = input;
    const pods = (await listMatching(ctx, { namespace, selector, allowNone: true })).map(podSummary);
    const answered = await endpoint(input, pods, ctx);
    const ready = pods.filter((pod) => pod.ready && !pod.terminating).length;
    const wanted = Number(workload.spec?.replicas ?? workload.status?.desiredNumberScheduled ?? 1);
    const problems = [
      ...(verdict.state === 'complete' ? [] : [verdict.text]),
      ...(wanted === 0 ? ['it is offline: scaled to zero'] : []),
      ...pods
        .filter((pod) => !pod.ready && !pod.terminating)
        .map((pod) => `pod ${pod.name} is not ready: ${pod.reason}`),
      ...(answered === 'none' || /^2\d\d$/.test(answered) ? [] : [`its health endpoint said: ${answered}`]),
    ];
    return {
      namespace,
      workload: `${input.kind}/${input.name}`,
      healthy: problems.length === 0,
      rollout: verdict.state === 'failed' ? verdict.code : verdict.state,
      pods: `${ready}/${wanted}`,
      restarts: pods.reduce((sum, pod) => sum + pod.restarts, 0),
      endpoint: answered,
      problem: problems.join('; '),
    };
  },
};
