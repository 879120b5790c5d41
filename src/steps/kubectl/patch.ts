import type { Json, JsonObject } from '../../engine/json.ts';
import type { Before, ChangeStepType, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubectlPatchOutputs, KubectlPatchWith } from '../../generated/types.ts';
import type { KubernetesObject, ObjectRef, PatchOptions } from '../../services/kubernetes.ts';
import { KubernetesError } from '../../services/kubernetes.ts';
import { diffObjects } from './diff.ts';
import { call, describeRef, mustGet } from './errors.ts';
import type { FieldsBefore } from './field-change.ts';
import {
  fieldsBefore,
  observeFields,
  restoreFields,
  rolledOut,
  settleFields,
  withMark,
} from './field-change.ts';
import { annotation } from './fields.ts';
import { resolveKind, resourceName } from './kinds.ts';
import { isOurs, observed, observeOrUnknown, replaced } from './observing.ts';
import { patchRead } from './patching.ts';
import { OPERATION } from './rollout-verdict.ts';
import { access, nameOf, objectPath, requireTarget, targetProblems, writes } from './target.ts';
import type { FieldPath } from './touched.ts';
import { touchedByOperations, touchedFields } from './touched.ts';
import { witness } from './witness.ts';
import { isWorkload, ownerNotes, requireRollable, rolloutAccess, rolloutDuration } from './workload.ts';

export const patch: ChangeStepType<KubectlPatchWith, KubectlPatchOutputs> = {
  type: 'kubectl.patch',
  effect: 'change',
  timeout: 15 * 60_000,
  describe: (input) => `patch ${nameOf(input)}: ${touchedBy(input).map(pathText).join(', ')}`,
  resources: (input) => [
    ...writes(objectPath(input.namespace, input.kind, input.name)),
    ...(reachesPods(input) ? writes(objectPath(input.namespace, 'pods')) : []),
  ],
  access: (input) => [
    ...access(['get', 'patch'], input.kind, { namespace: input.namespace, name: input.name }),
    ...access(['list'], 'horizontalpodautoscalers', { namespace: input.namespace }),
    ...(isWorkload(input.kind) && input.namespace !== undefined
      ? rolloutAccess({ kind: input.kind, namespace: input.namespace, name: input.name })
      : []),
  ],
  check: (input) => [...targetProblems(input), ...bodyProblems(input)],

  async predict(input, ctx) {
    const { ref, object } = await patchable(ctx, input);
    const notes = await ownerNotes(ctx.services.kubernetes, object);
    const after = await tryDryRun(ctx, ref, bodyOf(input));
    if (after instanceof StepError) return { predictable: false, why: after.message, notes };
    const diff = diffObjects(object, after);
    return {
      predictable: true,
      changes: diff.length > 0,
      diff,
      outputs: { object: describeRef(ref), changed: touchedBy(input).map(pathText) },
      notes,
      ...(rolledOut(object, touchedBy(input)) !== undefined && { duration: rolloutDuration(object) }),
    };
  },

  async capture(input, ctx) {
    const { ref, object } = await patchable(ctx, input);
    const touched = touchedBy(input);
    const after = await tryDryRun(ctx, ref, bodyOf(input));
    const known = after instanceof StepError ? undefined : after;
    return { state: { ...fieldsBefore(object, touched, known) }, witnesses: [witness(object, touched)] };
  },

  async run(input, ctx) {
    const { ref } = await patchable(ctx, input);
    const touched = touchedBy(input);
    const patched = await patchRead(ctx, ref, {
      touched,
      change: (object) =>
        isOurs(object, ctx.operationKey) ? undefined : marked(bodyOf(input), object, ctx.operationKey),
    });
    return outputsOf(input, ref, patched, await settleFields(ctx, patched, { touched, wait: input.wait }));
  },

  observe: (input, before, ctx) =>
    observeOrUnknown(async () => {
      const ref = await refOf(ctx, input);
      const state = stateOf(before);
      const object = await observed(ctx, ref);
      if (object === undefined || object.metadata.uid !== state.uid) return replaced(ref, object);
      return await observeFields(ctx, object, {
        ref,
        state,
        touched: touchedBy(input),
        wait: input.wait,
        outputs: (verdict) => outputsOf(input, ref, object, verdict),
      });
    }),

  async undo(input, before, _outputs, ctx) {
    await restoreFields(ctx, await refOf(ctx, input), { state: stateOf(before), touched: touchedBy(input) });
  },
};

type Input = KubectlPatchWith;
type Body = Omit<PatchOptions, 'resourceVersion'>;

function stateOf(before: Before): FieldsBefore {
  return before.state as unknown as FieldsBefore;
}

function bodyProblems(input: Input): readonly { path: readonly string[]; message: string; hint?: string }[] {
  if (resourceName(input.kind) === 'secrets')
    return [{ path: ['kind'], message: secretRefusal, hint: secretHint }];
  const json = input.type === 'json';
  if (
    json
      ? input.operations !== undefined && input.patch === undefined
      : input.patch !== undefined && input.operations === undefined
  )
    return [];
  return [
    {
      path: ['type'],
      message: json
        ? 'A JSON patch is written under operations, and has no patch.'
        : `A ${input.type ?? 'strategic'} patch is written under patch, and has no operations.`,
    },
  ];
}

const secretRefusal = 'A Secret is not patched: its earlier values could not be recorded, nor put back.';
const secretHint = 'Use kubectl.apply with secretData.';

async function refOf(ctx: ReadContext, input: Input): Promise<ObjectRef> {
  requireTarget(input);
  const [problem] = bodyProblems(input);
  if (problem !== undefined)
    throw new StepError('invalid-input', problem.message, {
      outcome: 'not-applied',
      ...(problem.hint !== undefined && { hint: problem.hint }),
    });
  const kind = await call({ verb: 'find the kind', what: input.kind }, () =>
    resolveKind(ctx.services.kubernetes, input.kind),
  );
  requireScope(kind, input.namespace);
  return { kind, ...(input.namespace !== undefined && { namespace: input.namespace }), name: input.name };
}

function requireScope(kind: ObjectRef['kind'], namespace: string | undefined): void {
  if (kind.namespaced === (namespace !== undefined)) return;
  throw new StepError(
    'invalid-target',
    kind.namespaced
      ? `A ${kind.kind} is in a namespace: namespace is missing.`
      : `A ${kind.kind} is in no namespace.`,
    { outcome: 'not-applied' },
  );
}

async function patchable(
  ctx: ReadContext,
  input: Input,
): Promise<{ readonly ref: ObjectRef; readonly object: KubernetesObject }> {
  const ref = await refOf(ctx, input);
  const object = await mustGet(ctx.services.kubernetes, ref);
  if (input.wait !== false && rolledOut(object, touchedBy(input)) !== undefined) requireRollable(object);
  return { ref, object };
}

/** The object as it would be; a refusal of the dry run itself is an answer, not a failure. */
async function tryDryRun(
  ctx: ReadContext,
  ref: ObjectRef,
  body: Body,
): Promise<KubernetesObject | StepError> {
  try {
    return await ctx.services.kubernetes.dryRunPatch(ref, body);
  } catch (error) {
    if (error instanceof KubernetesError && error.status === 400 && /dry.?run/i.test(error.message))
      return new StepError('no-dry-run', `No dry run is possible: ${error.message}`);
    return await call({ verb: 'dry-run the patch of', what: describeRef(ref) }, () => Promise.reject(error));
  }
}

function bodyOf(input: Input): Body {
  if (input.type === 'json') return { type: 'json', body: (input.operations ?? []) as readonly JsonObject[] };
  return { type: input.type ?? 'strategic', body: (input.patch ?? {}) as JsonObject };
}

function marked(body: Body, object: KubernetesObject, operation: string): Body {
  if (body.type !== 'json') return { ...body, body: withMark(body.body as JsonObject, operation) };
  const path = `/metadata/annotations/${OPERATION.replaceAll('/', '~1')}`;
  const none = annotation(object, OPERATION) === undefined && object.metadata.annotations === undefined;
  const mark: readonly Json[] = [
    ...(none ? [{ op: 'add', path: '/metadata/annotations', value: {} }] : []),
    { op: 'add', path, value: operation },
  ];
  return { ...body, body: [...(body.body as readonly Json[]), ...mark] };
}

function touchedBy(input: Input): readonly FieldPath[] {
  return input.type === 'json'
    ? touchedByOperations(input.operations ?? [])
    : touchedFields((input.patch ?? {}) as JsonObject);
}

function reachesPods(input: Input): boolean {
  // A kind that is not known yet may be a workload's.
  if (input.kind.includes('‹')) return true;
  return isWorkload(input.kind) && touchedBy(input).some(([first]) => first === 'spec');
}

function pathText(path: FieldPath): string {
  return path.join('.');
}

function outputsOf(
  input: Input,
  ref: ObjectRef,
  object: KubernetesObject,
  verdict: string,
): KubectlPatchOutputs {
  return {
    object: describeRef(ref),
    generation: object.metadata.generation ?? 0,
    changed: touchedBy(input).map(pathText),
    verdict,
  };
}
