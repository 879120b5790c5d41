import type { DiffLine, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import { uuidV1Time } from '../../keys/kid.ts';
import type { PatchOptions } from '../../services/kubernetes.ts';
import { observeRollout } from '../kubectl/observing.ts';
import { patchRead } from '../kubectl/patching.ts';
import { awaitRollout, goalOf as rolloutGoal } from '../kubectl/rollout.ts';
import { OPERATION, templateAnnotation } from '../kubectl/rollout-verdict.ts';
import {
  ownerNotes,
  readWorkload,
  requireRollable,
  rolloutDuration,
  workloadRef,
} from '../kubectl/workload.ts';
import { outOfTime } from '../out-of-time.ts';
import type { Consumer, Goal, PodProof } from './consumers.ts';
import { LOADED, loadedMark, proofsOf, restarts, workloadOf } from './consumers.ts';
import type { LoadLogs } from './pod-log.ts';
import { loadLogs } from './pod-log.ts';

const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';
const touched = [['spec', 'template']];
const pause = 5000;
// The agent renders secrets every 5 minutes, ESS looks at the file every 10.
const schedule = 15 * 60_000;
// Clocks of nodes and of OpenBao may differ a little.
const margin = 2 * 60_000;

interface Look {
  readonly goal: Goal;
  readonly logs: LoadLogs;
}

/** Logs from the time on when the key was made: nobody can have loaded it before. */
export function logsSince(ctx: ReadContext, { kid }: Goal): LoadLogs {
  const born = uuidV1Time(kid);
  return loadLogs(ctx, born === undefined ? undefined : born - margin);
}

/** Restarts a service if that is what it takes, and waits until every pod of it proves that it has loaded the key. */
export async function refresh(ctx: RunContext, consumer: Consumer, look: Look): Promise<readonly PodProof[]> {
  const proofs = await proofsOf(ctx, consumer, look);
  if (proofs.every(({ state }) => state === 'proven')) return proofs;
  if (restarts(consumer) && proofs.some(({ state }) => state === 'stale'))
    await restart(ctx, consumer, look.goal);
  return await awaitProofs(ctx, consumer, look);
}

async function restart(ctx: RunContext, consumer: Consumer, goal: Goal): Promise<void> {
  const input = workloadOf(consumer);
  ctx.progress({ text: `restarting ${consumer.name}` });
  const patched = await patchRead(ctx, workloadRef(input), {
    touched,
    change(workload) {
      requireRollable(workload);
      if (templateAnnotation(workload, OPERATION) === ctx.operationKey) return undefined;
      return restarting(ctx, goal);
    },
  });
  await awaitRollout(ctx, input, patched, rolloutGoal(patched, ctx.operationKey));
}

function restarting(ctx: RunContext, goal: Goal): Omit<PatchOptions, 'resourceVersion'> {
  const annotations = {
    [OPERATION]: ctx.operationKey,
    [LOADED]: loadedMark(goal),
    [RESTARTED_AT]: new Date(ctx.services.clock.now()).toISOString(),
  };
  return { type: 'strategic', body: { spec: { template: { metadata: { annotations } } } } };
}

async function awaitProofs(ctx: RunContext, consumer: Consumer, look: Look): Promise<readonly PodProof[]> {
  let last: readonly PodProof[] = [];
  while (!ctx.signal.aborted) {
    last = (await glance(ctx, consumer, look)) ?? last;
    const open = last.filter(({ state }) => state !== 'proven');
    if (last.length > 0 && open.length === 0) return last;
    const [first] = open;
    const of = last.length === 0 ? 'its pods' : `${open.length} of ${last.length} pods`;
    ctx.progress({
      text: `waiting for ${of} of ${consumer.name}${first === undefined ? '' : ` (${first.pod}: ${first.evidence})`}`,
    });
    await ctx.services.clock.sleep(pause, ctx.signal);
  }
  throw outOfTime(ctx, `${consumer.name} was not proven in time to have loaded ${look.goal.kid}.`, {
    details: last.filter(({ state }) => state !== 'proven').map(({ pod, evidence }) => `${pod}: ${evidence}`),
    hint: restarts(consumer)
      ? 'Look at the log of these pods; the step may be repeated, it looks first.'
      : 'If its log was rotated or it does not reload, write refresh: restart.',
  });
}

/** A blip of the API server, or a moment without pods, is no news. */
async function glance(
  ctx: RunContext,
  consumer: Consumer,
  look: Look,
): Promise<readonly PodProof[] | undefined> {
  try {
    return await proofsOf(ctx, consumer, look);
  } catch (error) {
    if (ctx.signal.aborted) return undefined;
    if (error instanceof StepError && (error.retryable || error.code === 'no-match')) return undefined;
    throw error;
  }
}

interface Forecast {
  readonly changes: boolean;
  readonly diff: readonly DiffLine[];
  readonly notes: readonly string[];
  readonly duration: { readonly min: number; readonly max: number };
}

/** What a run would do to a service, as it is now. */
export async function predictConsumer(ctx: ReadContext, consumer: Consumer, look: Look): Promise<Forecast> {
  const proofs = await proofsOf(ctx, consumer, look);
  const open = proofs.filter(({ state }) => state !== 'proven');
  const [first] = open;
  if (first === undefined) return { changes: false, diff: [], notes: [], duration: { min: 0, max: 5000 } };
  const before = `${open.length} of ${proofs.length} pods not proven (${first.pod}: ${first.evidence})`;
  const line = (after: string): DiffLine => ({ path: consumer.name, before, after });
  if (!restarts(consumer))
    return {
      changes: true,
      diff: [line('waits until it reloads by its schedule')],
      notes: [],
      duration: { min: pause, max: schedule },
    };
  const workload = await readWorkload(ctx, workloadOf(consumer));
  requireRollable(workload);
  return {
    changes: true,
    diff: [line('restarted')],
    notes: (await ownerNotes(ctx.services.kubernetes, workload)).map((note) => `${consumer.name}: ${note}`),
    duration: rolloutDuration(workload),
  };
}

/** Names of the services whose pods are made from a template that this step has marked. */
export async function restartedBy(
  ctx: ReadContext & { readonly operationKey: string },
  consumers: readonly Consumer[],
): Promise<readonly string[]> {
  const names: string[] = [];
  for (const consumer of consumers) {
    if (!restarts(consumer)) continue;
    const workload = await readWorkload(ctx, workloadOf(consumer));
    if (templateAnnotation(workload, OPERATION) === ctx.operationKey) names.push(consumer.name);
  }
  return names;
}

/** How a restart of this step goes; undefined when it has restarted none of these services. */
export async function rolloutOf(
  ctx: ReadContext & { readonly operationKey: string },
  consumers: readonly Consumer[],
): Promise<{ readonly text: string; readonly stuck: boolean } | undefined> {
  for (const consumer of consumers) {
    if (!restarts(consumer)) continue;
    const input = workloadOf(consumer);
    const workload = await readWorkload(ctx, input);
    const operation = ctx.operationKey;
    if (templateAnnotation(workload, OPERATION) !== operation) continue;
    const { evidence, stuck } = await observeRollout(ctx, input, workload, {
      touched,
      operation,
      ours: true,
      outputs: (rollout) => rollout,
    });
    return { text: evidence, stuck: stuck === true };
  }
  return undefined;
}
