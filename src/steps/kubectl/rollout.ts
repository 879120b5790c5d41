import type { ReadContext } from '../../engine/step-type.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { kinds } from '../../services/kubernetes.ts';
import { call } from './errors.ts';
import { selectorOf, textAt } from './fields.ts';
import { merge } from './merge.ts';
import { rolloutError } from './rollout-failure.ts';
import type { RolloutGoal, RolloutSight, RolloutVerdict } from './rollout-verdict.ts';
import { counters, currentRevision, judgeRollout, podRevision, troublesOf } from './rollout-verdict.ts';
import { nameOf } from './target.ts';
import type { WorkloadInput } from './workload.ts';
import { revisionKind, workloadRef } from './workload.ts';

/** What every step that rolls something out returns. */
export interface RolloutOutputs {
  verdict: string;
  workload: string;
  generation: number;
  revision: string;
  replicas: number;
  updated: number;
  ready: number;
  pods: string[];
}

type Seen = Omit<RolloutSight, 'standing'>;

// Only for what has to stand for a while and for refused pods; completion is noticed by watch.
const tick = 2000;

export function goalOf(workload: KubernetesObject, operation?: string): RolloutGoal {
  const { uid, generation = 0 } = workload.metadata;
  return { uid, generation, ...(operation !== undefined && { operation }) };
}

/** Waits for a rollout by watch. Throws the verdict of one that cannot end well, and what is still missing at the deadline. */
export async function awaitRollout(
  ctx: ReadContext,
  input: WorkloadInput,
  workload: KubernetesObject,
  goal: RolloutGoal,
): Promise<RolloutOutputs> {
  const since = new Map<string, number>();
  let seen: Seen = { workload, pods: [], revisions: [], refusals: [] };
  let last: RolloutVerdict = { state: 'progressing', text: 'waiting for its controller' };
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  try {
    for await (const update of merge(sources(ctx, input, workload, signal))) {
      seen = { ...seen, ...update.value };
      const verdict = judgeRollout({ ...seen, standing: standing(ctx, since, seen) }, goal);
      if (verdict.state === 'complete') return await rolloutOutputs(ctx, input, 'complete');
      if (verdict.state === 'failed') throw await rolloutError(ctx, input, seen, verdict);
      if (verdict.text !== last.text) ctx.progress({ text: verdict.text });
      last = verdict;
    }
  } finally {
    stop.abort();
  }
  throw await rolloutError(ctx, input, seen, last);
}

/** How a rollout stands at this moment; nothing has to stand for a while first. */
export async function rolloutNow(
  ctx: ReadContext,
  input: WorkloadInput,
  workload: KubernetesObject,
  goal: RolloutGoal,
): Promise<RolloutVerdict> {
  const [pods, revisions, refusals] = await Promise.all([
    listPods(ctx, workload),
    listRevisions(ctx, input),
    listRefusals(ctx, workload),
  ]);
  return judgeRollout({ workload, pods, revisions, refusals, standing: () => Number.MAX_SAFE_INTEGER }, goal);
}

export async function rolloutOutputs(
  ctx: ReadContext,
  input: WorkloadInput,
  verdict: string,
): Promise<RolloutOutputs> {
  const ref = workloadRef(input);
  const { kubernetes } = ctx.services;
  const workload = await call({ verb: 'get', what: nameOf(input) }, () => kubernetes.get(ref));
  if (workload === undefined)
    return {
      verdict,
      workload: nameOf(input),
      generation: 0,
      revision: '',
      replicas: 0,
      updated: 0,
      ready: 0,
      pods: [],
    };
  const [pods, revisions] = await Promise.all([listPods(ctx, workload), listRevisions(ctx, input)]);
  const revision = currentRevision(workload, revisions) ?? '';
  const { wanted, updated, ready } = counters(workload);
  const live = pods.filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && podRevision(pod) === revision,
  );
  return {
    verdict,
    workload: nameOf(input),
    generation: workload.metadata.generation ?? 0,
    revision,
    replicas: wanted,
    updated,
    ready,
    pods: live.map((pod) => pod.metadata.name).sort(),
  };
}

export async function listRevisions(
  ctx: ReadContext,
  input: WorkloadInput,
): Promise<readonly KubernetesObject[]> {
  const { namespace } = input;
  const kind = revisionKind(input.kind);
  return await call({ verb: 'list', what: `${kind.plural} in ${namespace}` }, () =>
    ctx.services.kubernetes.list(kind, { namespace }),
  );
}

async function listPods(ctx: ReadContext, workload: KubernetesObject): Promise<readonly KubernetesObject[]> {
  const namespace = workload.metadata.namespace ?? '';
  return await call({ verb: 'list', what: `pods in ${namespace}` }, () =>
    ctx.services.kubernetes.list(kinds.pods, { namespace, labelSelector: selectorOf(workload) }),
  );
}

// A StatefulSet or DaemonSet says only in events that its pods are refused.
async function listRefusals(ctx: ReadContext, workload: KubernetesObject): Promise<readonly string[]> {
  const { namespace = '', name, uid } = workload.metadata;
  if (workload.kind === 'Deployment') return [];
  const { wanted, present } = counters(workload);
  if (present >= wanted) return [];
  try {
    const events = await ctx.services.kubernetes.list(kinds.events, {
      namespace,
      fieldSelector: `involvedObject.name=${name}`,
    });
    return events
      .filter(
        (event) =>
          textAt(event, 'reason') === 'FailedCreate' && textAt(event, 'involvedObject', 'uid') === uid,
      )
      .map((event) => textAt(event, 'message'));
  } catch {
    return [];
  }
}

function sources(
  ctx: ReadContext,
  input: WorkloadInput,
  workload: KubernetesObject,
  signal: AbortSignal,
): readonly AsyncIterable<Partial<Seen>>[] {
  const { namespace } = input;
  const { kubernetes } = ctx.services;
  const labelSelector = selectorOf(workload);
  const follow = (...options: Parameters<typeof kubernetes.follow>) => kubernetes.follow(...options);
  return [
    map(
      follow(workloadRef(input).kind, { namespace, fieldSelector: `metadata.name=${input.name}` }, signal),
      (found) => ({ workload: found.find((item) => item.metadata.name === input.name) }) as Partial<Seen>,
    ),
    map(follow(kinds.pods, { namespace, labelSelector }, signal), (pods) => ({ pods })),
    map(follow(revisionKind(input.kind), { namespace }, signal), (revisions) => ({ revisions })),
    ticks(ctx, input, signal),
  ];
}

async function* ticks(
  ctx: ReadContext,
  input: WorkloadInput,
  signal: AbortSignal,
): AsyncGenerator<Partial<Seen>> {
  while (!signal.aborted) {
    await ctx.services.clock.sleep(tick, signal);
    if (signal.aborted) return;
    if (input.kind === 'Deployment') yield {};
    else {
      const workload = await ctx.services.kubernetes.get(workloadRef(input)).catch(() => undefined);
      yield workload === undefined ? {} : { refusals: await listRefusals(ctx, workload) };
    }
  }
}

function standing(ctx: ReadContext, since: Map<string, number>, seen: Seen): (trouble: string) => number {
  const now = ctx.services.clock.monotonic();
  const current = new Set(troublesOf(seen));
  for (const key of since.keys()) if (!current.has(key)) since.delete(key);
  for (const key of current) if (!since.has(key)) since.set(key, now);
  return (trouble) => now - (since.get(trouble) ?? now);
}

async function* map<From, To>(source: AsyncIterable<From>, change: (value: From) => To): AsyncGenerator<To> {
  for await (const value of source) yield change(value);
}
