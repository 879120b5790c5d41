import type { Json, JsonObject } from '../../engine/json.ts';
import type { Access, Before, ChangeStepType, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubectlScaleOutputs, KubectlScaleWith } from '../../generated/types.ts';
import type { KubernetesObject, PatchOptions } from '../../services/kubernetes.ts';
import { kinds } from '../../services/kubernetes.ts';
import { outOfTime } from '../out-of-time.ts';
import { call } from './errors.ts';
import { annotation, selectorOf } from './fields.ts';
import { isOurs, judgeFields, observed, observeOrUnknown, observeRollout, replaced } from './observing.ts';
import { patchRead } from './patching.ts';
import { awaitRollout, goalOf } from './rollout.ts';
import { counters, OPERATION } from './rollout-verdict.ts';
import { nameOf, targetProblems } from './target.ts';
import {
  autoscalerOf,
  captureWorkload,
  changeAccess,
  ownerNotes,
  readWorkload,
  rolloutDuration,
  workloadRef,
  workloadWrites,
} from './workload.ts';

const BEFORE = 'runbook.io/replicas-before';
const touched = [['spec', 'replicas']];

interface State {
  readonly uid: string;
  readonly replicas: number;
  readonly target: number;
  readonly remembered: string | null;
}

export const scale: ChangeStepType<KubectlScaleWith, KubectlScaleOutputs> = {
  type: 'kubectl.scale',
  effect: 'change',
  timeout: 15 * 60_000,
  describe: (input) =>
    input.replicas === 'restore'
      ? `scale ${nameOf(input)} back to what was remembered`
      : `scale ${nameOf(input)} to ${input.replicas}`,
  resources: workloadWrites,
  access: (input): readonly Access[] => changeAccess(input),
  check: targetProblems,

  async predict(input, ctx) {
    const workload = await readWorkload(ctx, input);
    const target = guarded(workload, input);
    const now = counters(workload).wanted;
    const duration = rolloutDuration({
      ...workload,
      spec: { ...workload.spec, replicas: Math.abs(target - now) },
    });
    return {
      predictable: true,
      changes: target !== now,
      diff: target === now ? [] : [{ path: 'spec.replicas', before: now, after: target }],
      outputs: { workload: nameOf(input), previous: now, replicas: target },
      notes: await ownerNotes(ctx.services.kubernetes, workload),
      duration,
    };
  },

  capture: (input, ctx) =>
    captureWorkload(ctx, input, {
      touched,
      state: (workload): JsonObject => ({
        uid: workload.metadata.uid,
        replicas: counters(workload).wanted,
        target: guarded(workload, input),
        remembered: annotation(workload, BEFORE) ?? null,
      }),
    }),

  async run(input, ctx) {
    let previous = 0;
    let target = 0;
    const patched = await patchRead(ctx, workloadRef(input), {
      touched,
      change(workload) {
        previous = counters(workload).wanted;
        const done = isOurs(workload, ctx.operationKey);
        target = done ? previous : guarded(workload, input);
        return done ? undefined : scaling(input, ctx.operationKey, { previous, target, workload });
      },
    });
    if (input.wait !== false) await settle(ctx, input, patched);
    return await outputsOf(ctx, input, { previous, target });
  },

  observe: (input, before, ctx) =>
    observeOrUnknown(async () => {
      const ref = workloadRef(input);
      const state = stateOf(before);
      const workload = await observed(ctx, ref);
      if (workload === undefined || workload.metadata.uid !== state.uid) return replaced(ref, workload);
      const now = counters(workload).wanted;
      const ours = isOurs(workload, ctx.operationKey);
      const asWanted = now === state.target;
      const asBefore = now === state.replicas;
      const otherwise = judgeFields(ref, { asWanted, asBefore, ours });
      if (otherwise !== undefined) return otherwise;
      const outputs = await outputsOf(ctx, input, { previous: state.replicas, target: state.target });
      return await observeRollout(ctx, input, workload, {
        touched,
        ours,
        wait: input.wait,
        sizeOnly: true,
        outputs: ({ ready }) => ({ ...outputs, ready }),
      });
    }),

  async undo(input, before, _outputs, ctx) {
    const { replicas, remembered, uid } = stateOf(before);
    const patched = await patchRead(ctx, workloadRef(input), {
      touched,
      change(workload) {
        if (workload.metadata.uid !== uid)
          throw new StepError('replaced', `${nameOf(input)} was deleted and created again.`, {
            outcome: 'not-applied',
            hint: `It had ${replicas} replicas; scale the new one by hand if that is still right.`,
          });
        return merge({ [OPERATION]: null, [BEFORE]: remembered }, replicas);
      },
    });
    await awaitRollout(ctx, input, patched, { ...goalOf(patched), sizeOnly: true });
  },
};

function stateOf(before: Before): State {
  return before.state as unknown as State;
}

/** The count to scale to; refuses an outage that nobody confirmed. */
function guarded(workload: KubernetesObject, input: KubectlScaleWith): number {
  const target = input.replicas === 'restore' ? rememberedCount(workload, input) : Number(input.replicas);
  if (target === 0 && input.kind === 'StatefulSet' && input.allowOutage !== true)
    throw new StepError(
      'outage-refused',
      `${nameOf(input)} is a StatefulSet: at zero replicas the service and, where it keeps them in memory, its data are gone.`,
      {
        outcome: 'not-applied',
        hint: 'If that is wanted, write allowOutage: true, and ask a human with confirm.',
      },
    );
  return target;
}

function rememberedCount(workload: KubernetesObject, input: KubectlScaleWith): number {
  const remembered = annotation(workload, BEFORE);
  if (remembered !== undefined && /^\d{1,5}$/.test(remembered)) return Number(remembered);
  throw new StepError(
    'nothing-remembered',
    remembered === undefined
      ? `${nameOf(input)} has no annotation ${BEFORE}: nobody remembered how many replicas it had.`
      : `The annotation ${BEFORE} of ${nameOf(input)} is not a number: '${remembered}'.`,
    {
      outcome: 'not-applied',
      hint: `It has ${counters(workload).wanted} replicas now; give the number with replicas.`,
    },
  );
}

function scaling(
  input: KubectlScaleWith,
  operation: string,
  to: { readonly previous: number; readonly target: number; readonly workload: KubernetesObject },
): Omit<PatchOptions, 'resourceVersion'> {
  const kept = annotation(to.workload, BEFORE) !== undefined;
  // A count that is kept already is the one from before the outage; zero is never worth keeping.
  const remember = input.remember === true && !kept && to.previous > 0;
  return merge(
    {
      [OPERATION]: operation,
      ...(remember && { [BEFORE]: String(to.previous) }),
      ...(input.replicas === 'restore' && { [BEFORE]: null }),
    },
    to.target,
  );
}

function merge(
  annotations: Readonly<Record<string, Json>>,
  replicas: number,
): Omit<PatchOptions, 'resourceVersion'> {
  return { type: 'merge', body: { metadata: { annotations }, spec: { replicas } } };
}

/** Until the pods have followed; those that go are awaited to their end. */
async function settle(ctx: RunContext, input: KubectlScaleWith, workload: KubernetesObject): Promise<void> {
  await awaitRollout(ctx, input, workload, { ...goalOf(workload), sizeOnly: true });
  const { namespace } = input;
  const wanted = counters(workload).wanted;
  const options = { namespace, labelSelector: selectorOf(workload) };
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  try {
    for await (const pods of ctx.services.kubernetes.follow(kinds.pods, options, signal)) {
      const left = pods.length - wanted;
      if (left <= 0) return;
      ctx.progress({ text: `${left} pods still to end` });
    }
  } finally {
    stop.abort();
  }
  throw outOfTime(ctx, `${nameOf(input)} is scaled to ${wanted}, but its pods did not end in time.`, {
    hint: 'Look for pods that hang in Terminating, and for finalizers.',
  });
}

async function outputsOf(
  ctx: ReadContext,
  input: KubectlScaleWith,
  counts: { readonly previous: number; readonly target: number },
): Promise<KubectlScaleOutputs> {
  const workload = await readWorkload(ctx, input);
  const autoscaler = await call({ verb: 'list', what: `autoscalers in ${input.namespace}` }, () =>
    autoscalerOf(ctx.services.kubernetes, workload),
  );
  return {
    workload: nameOf(input),
    previous: counts.previous,
    replicas: counts.target,
    ready: counters(workload).ready,
    autoscaler: autoscaler ?? '',
  };
}
