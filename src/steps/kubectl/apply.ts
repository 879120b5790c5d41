import type { JsonObject } from '../../engine/json.ts';
import type { Secret } from '../../engine/secret.ts';
import type { Before, ChangeStepType, Prediction, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubectlApplyOutputs, KubectlApplyWith } from '../../generated/types.ts';
import type { KubernetesObject, ObjectRef } from '../../services/kubernetes.ts';
import { KubernetesError } from '../../services/kubernetes.ts';
import { diffObjects } from './diff.ts';
import { call, describeRef } from './errors.ts';
import type { FieldsBefore } from './field-change.ts';
import {
  fieldsBefore,
  observeFields,
  restoreFields,
  rolledOut,
  settleFields,
  withMark,
} from './field-change.ts';
import { kindOfManifest } from './kinds.ts';
import { isOurs, observed, observeOrUnknown, replaced } from './observing.ts';
import { matchesSecretData, secretDiff, withSecretData } from './secret-data.ts';
import { access, nameOf, objectPath, requireTarget, targetProblems, writes } from './target.ts';
import type { FieldPath } from './touched.ts';
import { fieldAt, touchedFields } from './touched.ts';
import { absence, witness } from './witness.ts';
import { isWorkload, ownerNotes, requireRollable, rolloutAccess, rolloutDuration } from './workload.ts';

type Input = KubectlApplyWith;
type SecretData = Readonly<Record<string, string | Secret>>;
type State = { readonly existed: false } | ({ readonly existed: true } & FieldsBefore);

export const apply: ChangeStepType<KubectlApplyWith, KubectlApplyOutputs> = {
  type: 'kubectl.apply',
  effect: 'change',
  timeout: 15 * 60_000,
  describe: (input) => `apply ${nameOf(targetOf(input))}`,
  resources(input) {
    const { kind, namespace, name } = targetOf(input);
    const pods = isWorkload(kind) ? writes(objectPath(namespace, 'pods')) : [];
    return [...writes(objectPath(namespace, writtenKind(input), name)), ...pods];
  },
  access(input) {
    const { kind, namespace, name } = targetOf(input);
    return [
      ...access(['get', 'patch', 'create', 'delete'], writtenKind(input), { namespace, name }),
      ...access(['list'], 'horizontalpodautoscalers', { namespace }),
      ...(isWorkload(kind) && namespace !== undefined ? rolloutAccess({ kind, namespace, name }) : []),
    ];
  },
  check: (input) => [
    ...targetProblems({ namespace: targetOf(input).namespace, name: targetOf(input).name }),
    ...manifestProblems(input),
  ],

  async predict(input, ctx): Promise<Prediction> {
    const ref = await refOf(ctx, input);
    const object = await observed(ctx, ref);
    const notes = object === undefined ? [] : [...(await ownerNotes(ctx.services.kubernetes, object))];
    if (object?.kind === 'Secret')
      notes.push('the earlier values of this Secret are not recorded and cannot be put back');
    const after = await tryDryRun(ctx, input, ref);
    if (after instanceof StepError) return { predictable: false, why: after.message, notes };
    const diff = [...diffObjects(object, after), ...secretDiff(object, secretsOf(input))];
    const changes = diff.length > 0;
    const duration = rolledOut(after, touchedBy(input)) !== undefined && { duration: rolloutDuration(after) };
    const outputs = { object: describeRef(ref), created: object === undefined };
    return { predictable: true, changes, diff, outputs, notes, ...duration };
  },

  async capture(input, ctx) {
    const ref = await refOf(ctx, input);
    const object = await observed(ctx, ref);
    if (object === undefined) return { state: { existed: false }, witnesses: [absence(targetOf(input))] };
    const touched = touchedBy(input);
    if (input.wait !== false && rolledOut(object, touched) !== undefined) requireRollable(object);
    const after = await tryDryRun(ctx, input, ref);
    const fields = fieldsBefore(object, touched, after instanceof StepError ? undefined : after);
    return { state: { existed: true, ...fields }, witnesses: [witness(object, touched)] };
  },

  async run(input, ctx) {
    const ref = await refOf(ctx, input);
    const before = await observed(ctx, ref);
    const applied =
      before !== undefined && isOurs(before, ctx.operationKey) ? before : await send(ctx, input, ref);
    const verdict = await settleFields(ctx, applied, { touched: touchedBy(input), wait: input.wait });
    return outputsOf(ref, applied, { created: before === undefined, verdict });
  },

  observe: (input, before, ctx) =>
    observeOrUnknown(async () => {
      const ref = await refOf(ctx, input);
      const state = stateOf(before);
      const object = await observed(ctx, ref);
      const what = describeRef(ref);
      if (!state.existed) return await observeCreation(ctx, input, { ref, object });
      if (object === undefined || object.metadata.uid !== state.uid) return replaced(ref, object);
      const secrets = input.secretData === undefined || matchesSecretData(object, secretsOf(input));
      const seen = await observeFields(ctx, object, {
        ref,
        state,
        touched: touchedBy(input),
        wait: input.wait,
        outputs: (verdict) => outputsOf(ref, object, { created: false, verdict }),
      });
      if (seen.state !== 'applied' || secrets) return seen;
      return isOurs(object, ctx.operationKey)
        ? { state: 'conflict', evidence: `${what} was applied by this step, then its values were changed` }
        : { state: 'not-applied', evidence: `${what} does not hold the wanted values` };
    }),

  async undo(input, before, outputs, ctx) {
    const ref = await refOf(ctx, input);
    const state = stateOf(before);
    if (state.existed) return await restoreFields(ctx, ref, { state, touched: touchedBy(input) });
    const object = await observed(ctx, ref);
    if (object === undefined) return;
    if (!isOurs(object, ctx.operationKey) && object.metadata.uid !== outputs?.uid)
      throw new StepError('conflict', `${describeRef(ref)} was changed or created by somebody else since.`, {
        outcome: 'not-applied',
        hint: 'Delete it by hand if nobody needs it.',
      });
    const { uid, resourceVersion } = object.metadata;
    await call({ verb: 'delete', what: describeRef(ref) }, () =>
      ctx.services.kubernetes.delete(ref, { uid, resourceVersion }),
    );
  },
};

function targetOf(input: Input) {
  const { kind, metadata } = input.manifest;
  return { kind, namespace: metadata.namespace, name: metadata.name };
}

/** The kind with its group, as `resourceName` reads it. */
function writtenKind({ manifest }: Input): string {
  const [group, version] = manifest.apiVersion.split('/');
  return version === undefined ? manifest.kind : `${manifest.kind}.${group}`;
}

function stateOf(before: Before): State {
  return before.state as unknown as State;
}

function secretsOf(input: Input): SecretData {
  return (input.secretData ?? {}) as SecretData;
}

function manifestOf(input: Input): JsonObject {
  return input.manifest as unknown as JsonObject;
}

// The status belongs to controllers, and the identity is not a field that is set.
function touchedBy(input: Input): readonly FieldPath[] {
  return touchedFields(manifestOf(input)).filter(
    ([first, second]) =>
      !['apiVersion', 'kind', 'status'].includes(first ?? '') &&
      !(first === 'metadata' && ['name', 'namespace'].includes(second ?? '')),
  );
}

function manifestProblems(
  input: Input,
): readonly { path: readonly string[]; message: string; hint?: string }[] {
  const { kind } = input.manifest;
  const manifest = manifestOf(input);
  const inline = ['data', 'stringData'].find((field) => fieldAt(manifest, [field]) !== undefined);
  if (kind === 'Secret' && inline !== undefined)
    return [
      {
        path: ['manifest', inline],
        message: 'The values of a Secret are not written in a runbook.',
        hint: 'Write them under secretData, from secret inputs.',
      },
    ];
  if (kind !== 'Secret' && input.secretData !== undefined)
    return [{ path: ['secretData'], message: `Only a Secret takes secretData, not a ${kind}.` }];
  return [];
}

async function refOf(ctx: ReadContext, input: Input): Promise<ObjectRef> {
  const { namespace, name } = targetOf(input);
  requireTarget({ namespace, name });
  const [problem] = manifestProblems(input);
  if (problem !== undefined)
    throw new StepError('invalid-input', problem.message, {
      outcome: 'not-applied',
      hint: problem.hint ?? '',
    });
  const { apiVersion } = input.manifest;
  const kind = await call({ verb: 'find the kind', what: input.manifest.kind }, () =>
    kindOfManifest(ctx.services.kubernetes, apiVersion, input.manifest.kind),
  );
  if (kind.namespaced !== (namespace !== undefined))
    throw new StepError(
      'invalid-target',
      kind.namespaced
        ? `manifest.metadata.namespace is missing: a ${kind.kind} is in a namespace.`
        : `A ${kind.kind} is in no namespace.`,
      { outcome: 'not-applied' },
    );
  return { kind, ...(namespace !== undefined && { namespace }), name };
}

/** The object as it would be, without secret values; a refusal of the dry run itself is an answer, not a failure. */
async function tryDryRun(
  ctx: ReadContext,
  input: Input,
  ref: ObjectRef,
): Promise<KubernetesObject | StepError> {
  try {
    return await ctx.services.kubernetes.dryRunApply(manifestOf(input));
  } catch (error) {
    if (error instanceof KubernetesError && error.status === 400 && /dry.?run/i.test(error.message))
      return new StepError('no-dry-run', `No dry run is possible: ${error.message}`);
    if (error instanceof KubernetesError && error.status === 409 && input.force === true)
      return new StepError(
        'no-dry-run',
        `It will take over fields of another field manager: ${error.message}`,
      );
    return await call({ verb: 'dry-run the apply of', what: describeRef(ref) }, () => Promise.reject(error));
  }
}

async function send(ctx: RunContext, input: Input, ref: ObjectRef): Promise<KubernetesObject> {
  const manifest = withMark(manifestOf(input), ctx.operationKey);
  const options = input.force === undefined ? {} : { force: input.force };
  return await withSecretData(manifest, secretsOf(input), (complete) =>
    call({ verb: 'apply', what: describeRef(ref) }, () => ctx.services.kubernetes.apply(complete, options)),
  );
}

async function observeCreation(
  ctx: ReadContext & { readonly operationKey: string },
  input: Input,
  seen: { readonly ref: ObjectRef; readonly object: KubernetesObject | undefined },
) {
  const { ref, object } = seen;
  const what = describeRef(ref);
  if (object === undefined) return { state: 'not-applied' as const, evidence: `${what} does not exist` };
  if (object.metadata.deletionTimestamp !== undefined)
    return { state: 'in-progress' as const, evidence: `${what} is being deleted` };
  if (!isOurs(object, ctx.operationKey))
    return { state: 'conflict' as const, evidence: `${what} was created by somebody else` };
  const touched = touchedBy(input);
  const state = { uid: object.metadata.uid, fields: null, before: '', after: null };
  return await observeFields(ctx, object, {
    ref,
    state,
    touched,
    wait: input.wait,
    outputs: (verdict) => outputsOf(ref, object, { created: true, verdict }),
  });
}

function outputsOf(
  ref: ObjectRef,
  object: KubernetesObject,
  more: { readonly created: boolean; readonly verdict: string },
): KubectlApplyOutputs {
  const { uid, generation = 0 } = object.metadata;
  return { object: describeRef(ref), uid, created: more.created, generation, verdict: more.verdict };
}
