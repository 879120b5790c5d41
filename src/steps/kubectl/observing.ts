import type { Observation, ReadContext } from '../../engine/step-type.ts';
import type { KubernetesObject, ObjectRef } from '../../services/kubernetes.ts';
import { call, describeRef, evidenceOf } from './errors.ts';
import { countAt } from './fields.ts';
import type { RolloutOutputs } from './rollout.ts';
import { goalOf, rolloutNow, rolloutOutputs } from './rollout.ts';
import type { FieldPath } from './touched.ts';
import { witness } from './witness.ts';
import type { WorkloadInput } from './workload.ts';

/** An observation that could not be made is not a failure: the answer is that nobody knows. */
export async function observeOrUnknown(act: () => Promise<Observation>): Promise<Observation> {
  try {
    return await act();
  } catch (error) {
    const evidence = evidenceOf(error);
    if (evidence === undefined) throw error;
    return { state: 'unknown', evidence: `Could not look: ${evidence}` };
  }
}

export async function observed(ctx: ReadContext, ref: ObjectRef): Promise<KubernetesObject | undefined> {
  return await call({ verb: 'get', what: describeRef(ref) }, () => ctx.services.kubernetes.get(ref));
}

/** The object is not the one that was captured. */
export function replaced(ref: ObjectRef, now: KubernetesObject | undefined): Observation {
  const what = describeRef(ref);
  return {
    state: 'conflict',
    evidence: now === undefined ? `${what} was deleted` : `${what} was deleted and created again`,
  };
}

/** Our change of a workload is in place: applied only when its rollout is complete too. */
export async function observeRollout(
  ctx: ReadContext,
  input: WorkloadInput,
  workload: KubernetesObject,
  options: {
    readonly touched: readonly FieldPath[];
    readonly operation?: string;
    outputs(rollout: RolloutOutputs): object;
  },
): Promise<Observation> {
  const verdict = await rolloutNow(ctx, input, workload, goalOf(workload, options.operation));
  if (verdict.state !== 'complete')
    return {
      state: 'in-progress',
      evidence: `changed, rollout ${verdict.state === 'failed' ? verdict.code : 'goes on'}: ${verdict.text}`,
    };
  const rollout = await rolloutOutputs(ctx, input, 'complete');
  return {
    state: 'applied',
    evidence: `${rollout.workload} generation ${countAt(workload, 'metadata', 'generation')}: ${verdict.text}`,
    outputs: options.outputs(rollout) as NonNullable<Observation['outputs']>,
    witnesses: [witness(workload, options.touched)],
  };
}
