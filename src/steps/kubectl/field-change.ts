import type { Json, JsonObject } from '../../engine/json.ts';
import type { Observation, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubernetesObject, ObjectRef } from '../../services/kubernetes.ts';
import { describeRef } from './errors.ts';
import { holdsSecret } from './mask.ts';
import { asJson, fieldsDigest, isOurs, judgeFields, observeRollout } from './observing.ts';
import { patchRead } from './patching.ts';
import { awaitRollout, goalOf } from './rollout.ts';
import { OPERATION } from './rollout-verdict.ts';
import type { FieldPath } from './touched.ts';
import { inversePatch, isObject, pick } from './touched.ts';
import { witness } from './witness.ts';
import type { WorkloadInput } from './workload.ts';
import { isWorkload } from './workload.ts';

/** What `patch` and `apply` record of the fields they touch. */
export interface FieldsBefore {
  readonly uid: string;
  /** By path; null when they hold what a journal must not. */
  readonly fields: Readonly<Record<string, Json>> | null;
  readonly before: string;
  /** Digest as a dry run says it will be; null when no dry run was possible. */
  readonly after: string | null;
}

export function fieldsBefore(
  object: KubernetesObject,
  touched: readonly FieldPath[],
  after: KubernetesObject | undefined,
): FieldsBefore {
  const fields = pick(object, touched);
  return {
    uid: object.metadata.uid,
    fields: object.kind === 'Secret' || holdsSecret(fields) ? null : fields,
    before: fieldsDigest(object, touched),
    after: after === undefined ? null : fieldsDigest(after, touched),
  };
}

/** The workload whose pods follow a change, when it reaches into a pod template. */
export function rolledOut(
  object: KubernetesObject,
  touched: readonly FieldPath[],
): WorkloadInput | undefined {
  const { namespace, name } = object.metadata;
  if (!isWorkload(object.kind) || namespace === undefined) return undefined;
  const reaches = touched.some(
    ([spec, part]) => spec === 'spec' && (part === 'template' || part === 'replicas'),
  );
  return reaches ? { kind: object.kind, namespace, name } : undefined;
}

/** Waits until pods have followed, where they do; answers the verdict for the outputs. */
export async function settleFields(
  ctx: ReadContext,
  object: KubernetesObject,
  options: { readonly touched: readonly FieldPath[]; readonly wait?: boolean | undefined },
): Promise<string> {
  const workload = rolledOut(object, options.touched);
  if (workload === undefined || options.wait === false) return 'not-awaited';
  await awaitRollout(ctx, workload, object, goalOf(object));
  return 'complete';
}

export async function observeFields(
  ctx: ReadContext & { readonly operationKey: string },
  object: KubernetesObject,
  options: {
    readonly ref: ObjectRef;
    readonly state: FieldsBefore;
    readonly touched: readonly FieldPath[];
    readonly wait?: boolean | undefined;
    outputs(verdict: string): object;
  },
): Promise<Observation> {
  const { ref, state, touched } = options;
  const current = fieldsDigest(object, touched);
  const ours = isOurs(object, ctx.operationKey);
  const asBefore = current === state.before;
  // Without a dry run our mark is the only sign, together with a change.
  const asWanted = state.after === null ? ours && !asBefore : current === state.after;
  const otherwise = judgeFields(ref, { asWanted, asBefore, ours });
  if (otherwise !== undefined) return otherwise;
  const workload = rolledOut(object, touched);
  if (workload !== undefined && options.wait !== false)
    return await observeRollout(ctx, workload, object, {
      touched,
      ours,
      outputs: () => options.outputs('complete'),
    });
  return {
    state: 'applied',
    evidence: `${describeRef(ref)} is as wanted`,
    outputs: asJson(options.outputs('not-awaited')),
    witnesses: [witness(object, touched)],
  };
}

/** Puts touched fields back as they were, and takes our mark off. */
export async function restoreFields(
  ctx: RunContext,
  ref: ObjectRef,
  options: { readonly state: FieldsBefore; readonly touched: readonly FieldPath[] },
): Promise<void> {
  const { state, touched } = options;
  const { fields } = state;
  if (fields === null)
    throw new StepError(
      'not-recorded',
      `The earlier fields of ${describeRef(ref)} hold secrets and were not recorded.`,
      {
        outcome: 'not-applied',
        hint: 'Put them back from where they are kept: the Helm release, OpenBao, or an earlier revision.',
      },
    );
  const restored = await patchRead(ctx, ref, {
    touched,
    change(object) {
      if (object.metadata.uid !== state.uid)
        throw new StepError('replaced', `${describeRef(ref)} was deleted and created again.`, {
          outcome: 'not-applied',
        });
      const patch = inversePatch(touched, fields, object);
      return { type: 'merge', body: withMark(patch, null) };
    },
  });
  await settleFields(ctx, restored, { touched });
}

/** A manifest or merge patch that carries the operation key; null takes it off. */
export function withMark(patch: JsonObject, operation: string | null): JsonObject {
  const metadata = isObject(patch.metadata) ? patch.metadata : {};
  const annotations = isObject(metadata.annotations) ? metadata.annotations : {};
  return { ...patch, metadata: { ...metadata, annotations: { ...annotations, [OPERATION]: operation } } };
}
