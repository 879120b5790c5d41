import type { Before, ChangeStepType, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubectlDeletePodOutputs, KubectlDeletePodWith } from '../../generated/types.ts';
import type { KubernetesObject, ObjectRef } from '../../services/kubernetes.ts';
import { kinds } from '../../services/kubernetes.ts';
import { outOfTime } from '../out-of-time.ts';
import { call, mustGet } from './errors.ts';
import { countAt, isReady } from './fields.ts';
import { asJson, observeOrUnknown } from './observing.ts';
import { podTrouble } from './pod-trouble.ts';
import { access, nameOf, objectPath, requireTarget, targetProblems, writes } from './target.ts';
import { isObject } from './touched.ts';
import { witness } from './witness.ts';

interface State {
  readonly uid: string;
  readonly owner: string;
  /** UIDs of the pods of the same owner, the deleted one among them. */
  readonly siblings: readonly string[];
}

export const deletePod: ChangeStepType<KubectlDeletePodWith, KubectlDeletePodOutputs> = {
  type: 'kubectl.delete-pod',
  effect: 'change',
  timeout: 10 * 60_000,
  describe: (input) => `delete pod ${input.namespace}/${input.name}`,
  resources: (
    { namespace }, // What runs in the pod goes with it: whether OpenBao is unsealed there has to be asked again.
  ) => writes(objectPath(namespace, 'pods'), podServices(namespace)),
  access: ({ namespace, name }) => [
    ...access(['get', 'delete'], 'pods', { namespace, name }),
    ...access(['list', 'watch'], 'pods', { namespace }),
  ],
  check: targetProblems,

  async predict(input, ctx) {
    const pod = await deletable(ctx, input);
    await call({ verb: 'dry-run the deletion of', what: podName(input) }, () =>
      ctx.services.kubernetes.dryRunDelete(podRef(input)),
    );
    const grace = countAt(pod.spec, 'terminationGracePeriodSeconds') || 30;
    return {
      predictable: true,
      changes: true,
      diff: [{ path: `pods/${input.name}`, before: pod.metadata.uid, after: '‹a new pod›' }],
      outputs: { deleted: input.name, uid: pod.metadata.uid },
      notes: [`${ownerOf(pod)?.kind} ${ownerOf(pod)?.name} makes the replacement`],
      duration: { min: 2000, max: (grace + 300) * 1000 },
    };
  },

  async capture(input, ctx) {
    const pod = await deletable(ctx, input);
    const owner = ownerOf(pod)?.uid ?? '';
    const siblings = await siblingsOf(ctx, input.namespace, owner);
    return {
      state: { uid: pod.metadata.uid, owner, siblings: siblings.map((item) => item.metadata.uid).sort() },
      witnesses: [witness(pod, [])],
    };
  },

  async run(input, ctx) {
    const earlier = checkpointOf(ctx);
    const state = earlier ?? (await begin(input, ctx));
    const pod = await ctx.services.kubernetes.get(podRef(input));
    if (pod?.metadata.uid === state.uid && pod.metadata.deletionTimestamp === undefined)
      await call({ verb: 'delete', what: podName(input) }, () =>
        ctx.services.kubernetes.delete(podRef(input), { uid: state.uid }),
      );
    const base = { deleted: input.name, uid: state.uid };
    if (input.wait === false) return { ...base, replacement: '', replacementUid: '' };
    const successor = await awaitSuccessor(ctx, input, state);
    return { ...base, replacement: successor.metadata.name, replacementUid: successor.metadata.uid };
  },

  observe: (input, before, ctx) =>
    observeOrUnknown(async () => {
      const state = stateOf(before);
      const what = podName(input);
      const pods = await call({ verb: 'list', what: `pods in ${input.namespace}` }, () =>
        ctx.services.kubernetes.list(kinds.pods, { namespace: input.namespace }),
      );
      const old = pods.find((pod) => pod.metadata.uid === state.uid);
      if (old !== undefined)
        return old.metadata.deletionTimestamp === undefined
          ? { state: 'not-applied', evidence: `${what} is still the pod it was` }
          : { state: 'in-progress', evidence: `${what} is being deleted` };
      const stranger = pods.find(
        (pod) => pod.metadata.name === input.name && ownerOf(pod)?.uid !== state.owner,
      );
      if (stranger !== undefined)
        return { state: 'conflict', evidence: `${what} is gone and its name now belongs to another owner` };
      const successor = successorIn(pods, state, input.name);
      const base = { deleted: input.name, uid: state.uid };
      if (input.wait === false || (successor !== undefined && isReady(successor)))
        return {
          state: 'applied',
          evidence: `${what} is gone${successor === undefined ? '' : `, ${successor.metadata.name} took its place`}`,
          outputs: asJson({
            ...base,
            replacement: successor?.metadata.name ?? '',
            replacementUid: successor?.metadata.uid ?? '',
          }),
          witnesses: successor === undefined ? [] : [witness(successor, [])],
        };
      const trouble = successor === undefined ? undefined : podTrouble(successor);
      if (trouble?.code === 'crash-loop' || trouble?.final === true)
        return {
          state: 'in-progress',
          stuck: true,
          evidence: `${what} is gone, and ${trouble.text}`,
        };
      return {
        state: 'in-progress',
        evidence: `${what} is gone, its replacement ${successor === undefined ? 'is not there yet' : `${successor.metadata.name} is not ready yet`}`,
      };
    }),

  undo: { irreversible: 'A deleted pod does not come back; its controller has made another one.' },
};

function podServices(namespace: string): string {
  return `openbao/${namespace.includes('‹') ? '*' : namespace}/*`;
}

type Input = KubectlDeletePodWith;

function podRef(input: Input): ObjectRef {
  requireTarget(input);
  return { kind: kinds.pods, namespace: input.namespace, name: input.name };
}

function podName(input: Input): string {
  return nameOf({ kind: 'Pod', namespace: input.namespace, name: input.name });
}

function stateOf(before: Before): State {
  return before.state as unknown as State;
}

function checkpointOf(ctx: RunContext): State | undefined {
  return isObject(ctx.resumed) && typeof ctx.resumed.uid === 'string'
    ? (ctx.resumed as unknown as State)
    : undefined;
}

// Journaled before the deletion: whoever comes later must know which pod it was.
async function begin(input: Input, ctx: RunContext): Promise<State> {
  const pod = await deletable(ctx, input);
  const owner = ownerOf(pod)?.uid ?? '';
  const siblings = await siblingsOf(ctx, input.namespace, owner);
  const state = { uid: pod.metadata.uid, owner, siblings: siblings.map((item) => item.metadata.uid) };
  await ctx.checkpoint(state);
  return state;
}

function ownerOf(pod: KubernetesObject) {
  return pod.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

async function deletable(ctx: ReadContext, input: Input): Promise<KubernetesObject> {
  const pod = await mustGet(ctx.services.kubernetes, podRef(input));
  if (input.uid !== undefined && pod.metadata.uid !== input.uid)
    throw new StepError('replaced', `${podName(input)} is no longer the pod with UID ${input.uid}.`, {
      outcome: 'not-applied',
      hint: 'It was replaced since it was looked at: look again.',
    });
  const owner = ownerOf(pod);
  if (owner === undefined || owner.kind === 'Job')
    throw new StepError('unowned-pod', `${podName(input)} has no controller that would make it again.`, {
      outcome: 'not-applied',
      hint: 'Deleting it would lose it. Delete it by hand if that is wanted.',
    });
  return pod;
}

async function siblingsOf(
  ctx: ReadContext,
  namespace: string,
  owner: string,
): Promise<readonly KubernetesObject[]> {
  const pods = await call({ verb: 'list', what: `pods in ${namespace}` }, () =>
    ctx.services.kubernetes.list(kinds.pods, { namespace }),
  );
  return pods.filter((pod) => ownerOf(pod)?.uid === owner);
}

/** The pod that came after: of the same name where names are kept (StatefulSet), else one that was not there before. */
function successorIn(
  pods: readonly KubernetesObject[],
  state: State,
  name: string,
): KubernetesObject | undefined {
  const fresh = pods.filter(
    (pod) =>
      ownerOf(pod)?.uid === state.owner &&
      pod.metadata.deletionTimestamp === undefined &&
      !state.siblings.includes(pod.metadata.uid) &&
      (ownerOf(pod)?.kind !== 'StatefulSet' || pod.metadata.name === name),
  );
  return fresh.find(isReady) ?? fresh[0];
}

async function awaitSuccessor(ctx: RunContext, input: Input, state: State): Promise<KubernetesObject> {
  let seen = 'waiting until it is gone';
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  try {
    for await (const pods of ctx.services.kubernetes.follow(
      kinds.pods,
      { namespace: input.namespace },
      signal,
    )) {
      const old = pods.some((pod) => pod.metadata.uid === state.uid);
      const successor = successorIn(pods, state, input.name);
      if (!old && successor !== undefined && isReady(successor)) return successor;
      const trouble = successor === undefined ? undefined : podTrouble(successor);
      if (trouble?.code === 'crash-loop')
        throw new StepError(trouble.code, `${podName(input)} was replaced, but ${trouble.text}.`, {
          hint: 'Read its log (kubectl.logs with previous: true) before anything else is deleted.',
        });
      seen = old
        ? 'waiting until it is gone'
        : successor === undefined
          ? 'waiting for its replacement'
          : `waiting until ${successor.metadata.name} is ready`;
      ctx.progress({ text: seen });
    }
  } finally {
    stop.abort();
  }
  throw outOfTime(ctx, `${podName(input)} was deleted, but its replacement is not ready: ${seen}.`, {
    hint: 'Look at the replacement (kubectl.describe) before another pod is deleted.',
  });
}
