import type { Json, JsonObject } from '../../engine/json.ts';
import type { Observation, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubernetesObject, ObjectRef } from '../../services/kubernetes.ts';
import { call, describeRef, evidenceOf } from './errors.ts';
import { annotation } from './fields.ts';
import type { RolloutOutputs } from './rollout.ts';
import { goalOf, rolloutNow, rolloutOutputs } from './rollout.ts';
import type { RolloutVerdict } from './rollout-verdict.ts';
import { OPERATION } from './rollout-verdict.ts';
import type { FieldPath } from './touched.ts';
import { pick } from './touched.ts';
import { digest, witness } from './witness.ts';
import type { WorkloadInput } from './workload.ts';

export type ObserveContext = ReadContext & { readonly operationKey: string };

/** An observation that is not allowed is not a failure: the answer is that nobody knows. A blip is thrown: whoever asks may ask again. */
export async function observeOrUnknown(act: () => Promise<Observation>): Promise<Observation> {
  try {
    return await act();
  } catch (error) {
    const evidence = evidenceOf(error);
    if (evidence === undefined || (error instanceof StepError && error.retryable)) throw error;
    return { state: 'unknown', evidence: `could not look: ${evidence}` };
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

/** Whether the last change of an object was ours: it carries our operation key. */
export function isOurs(object: KubernetesObject, operation: string): boolean {
  return annotation(object, OPERATION) === operation;
}

/** Digest of the fields that a step touches. */
export function fieldsDigest(object: KubernetesObject, touched: readonly FieldPath[]): string {
  return digest(pick(object, touched));
}

/**
 * Judges fields that were captured with their digest before and, where a dry run could tell, after:
 * undefined when they are as wanted, else what that means.
 */
export function judgeFields(
  ref: ObjectRef,
  now: { readonly asWanted: boolean; readonly asBefore: boolean; readonly ours: boolean },
): Observation | undefined {
  if (now.asWanted) return undefined;
  const what = describeRef(ref);
  if (now.asBefore) return { state: 'not-applied', evidence: `${what} is as it was before` };
  return {
    state: 'conflict',
    evidence: now.ours
      ? `${what} was changed by this step, then by somebody else`
      : `${what} was changed by somebody else`,
  };
}

/** As wanted already: applied when its rollout, if one is awaited, is complete; else ours goes on, and another's has to be awaited. */
export async function observeRollout(
  ctx: ReadContext,
  input: WorkloadInput,
  workload: KubernetesObject,
  options: {
    readonly touched: readonly FieldPath[];
    readonly ours: boolean;
    readonly wait?: boolean | undefined;
    /** In the pod template, for a restart. */
    readonly operation?: string;
    readonly sizeOnly?: boolean;
    outputs(rollout: RolloutOutputs): object;
  },
): Promise<Observation> {
  const awaited = options.wait !== false;
  const goal = { ...goalOf(workload, options.operation), sizeOnly: options.sizeOnly === true };
  const verdict = await rolloutNow(ctx, input, workload, goal);
  if (awaited && verdict.state !== 'complete') {
    const state = verdict.state === 'failed' ? verdict.code : 'goes on';
    return {
      state: options.ours ? 'in-progress' : 'not-applied',
      ...(options.ours && isStuck(verdict) && { stuck: true }),
      evidence: `${describeInput(input)} is as wanted, its rollout ${state}: ${verdict.text}`,
    };
  }
  const rollout = await rolloutOutputs(ctx, input, awaited ? 'complete' : 'not-awaited');
  return {
    state: 'applied',
    evidence: `${rollout.workload} generation ${rollout.generation}: ${verdict.text}`,
    outputs: asJson(options.outputs(rollout)),
    witnesses: [witness(workload, options.touched)],
  };
}

// What may pass by itself (an image that cannot be pulled at this moment, a full node) is waited for.
function isStuck(verdict: RolloutVerdict): boolean {
  if (verdict.state !== 'failed') return false;
  const lasting = ['crash-loop', 'progress-deadline-exceeded', 'paused', 'awaiting-delete'];
  return lasting.includes(verdict.code) || verdict.trouble?.final === true;
}

/** Outputs are JSON by their schema; their generated types do not say so. */
export function asJson(outputs: object): JsonObject {
  return outputs as { readonly [key: string]: Json };
}

function describeInput(input: WorkloadInput): string {
  return `${input.kind} ${input.namespace}/${input.name}`;
}
