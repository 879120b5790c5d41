import type { JsonObject } from '../../engine/json.ts';
import type { Before, ChangeStepType, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubectlRolloutUndoOutputs, KubectlRolloutUndoWith } from '../../generated/types.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { diffObjects } from './diff.ts';
import { call } from './errors.ts';
import {
  fieldsDigest,
  isOurs,
  judgeFields,
  observed,
  observeOrUnknown,
  observeRollout,
  replaced,
} from './observing.ts';
import { patchRead } from './patching.ts';
import type { HistoryEntry } from './revision-history.ts';
import { patchToRevision, revisionHistory } from './revision-history.ts';
import { awaitRollout, goalOf, listRevisions, rolloutOutputs } from './rollout.ts';
import { nameOf, targetProblems } from './target.ts';
import { witness } from './witness.ts';
import {
  changeAccess,
  ownerNotes,
  readWorkload,
  requireRollable,
  rolloutDuration,
  workloadRef,
  workloadWrites,
} from './workload.ts';

const touched = [['spec', 'template']];

interface State {
  readonly uid: string;
  readonly from: number;
  readonly to: number;
  /** Digests of the pod template before, and as a dry run says it will be. */
  readonly before: string;
  readonly after: string;
}

export const rolloutUndo: ChangeStepType<KubectlRolloutUndoWith, KubectlRolloutUndoOutputs> = {
  type: 'kubectl.rollout-undo',
  effect: 'change',
  timeout: 15 * 60_000,
  describe: (input) =>
    `put ${nameOf(input)} back to ${input.toRevision === undefined ? 'the revision before' : `revision ${input.toRevision}`}`,
  resources: workloadWrites,
  access: changeAccess,
  check: targetProblems,

  async predict(input, ctx) {
    const { workload, from, to } = await choose(ctx, input);
    const after = await dryRun(ctx, input, workload, to);
    const diff = diffObjects(workload, after);
    return {
      predictable: true,
      changes: diff.length > 0,
      diff,
      outputs: { workload: nameOf(input), fromRevision: from.number, toRevision: to.number },
      notes: await ownerNotes(ctx.services.kubernetes, workload),
      duration: rolloutDuration(workload),
    };
  },

  async capture(input, ctx) {
    const { workload, from, to } = await choose(ctx, input);
    const after = await dryRun(ctx, input, workload, to);
    return {
      state: {
        uid: workload.metadata.uid,
        from: from.number,
        to: to.number,
        before: fieldsDigest(workload, touched),
        after: fieldsDigest(after, touched),
      },
      witnesses: [witness(workload, touched)],
    };
  },

  async run(input, ctx) {
    const now = await readWorkload(ctx, input);
    if (isOurs(now, ctx.operationKey)) {
      // Repeated after a lost answer: the revisions are where the checkpoint says.
      const { from, to } = resumedNumbers(ctx);
      return await finish(ctx, input, { workload: now, from, to });
    }
    const { workload, from, to } = await choose(ctx, input);
    await ctx.checkpoint({ from: from.number, to: to.number });
    const patched = await moveTo(ctx, input, { workload, to, operation: ctx.operationKey });
    return await finish(ctx, input, { workload: patched, from: from.number, to: to.number });
  },

  observe: (input, before, ctx) =>
    observeOrUnknown(async () => {
      const ref = workloadRef(input);
      const state = stateOf(before);
      const workload = await observed(ctx, ref);
      if (workload === undefined || workload.metadata.uid !== state.uid) return replaced(ref, workload);
      const current = fieldsDigest(workload, touched);
      const ours = isOurs(workload, ctx.operationKey);
      const now = { asWanted: current === state.after, asBefore: current === state.before, ours };
      return (
        judgeFields(ref, now) ??
        (await observeRollout(ctx, input, workload, {
          touched,
          ours,
          wait: input.wait,
          outputs: (rollout) => ({ ...rollout, fromRevision: state.from, toRevision: state.to }),
        }))
      );
    }),

  async undo(input, before, _outputs, ctx) {
    const { uid, from, before: digest } = stateOf(before);
    const workload = await readWorkload(ctx, input);
    if (workload.metadata.uid !== uid)
      throw new StepError('replaced', `${nameOf(input)} was deleted and created again.`, {
        outcome: 'not-applied',
      });
    if (fieldsDigest(workload, touched) !== digest) {
      const history = revisionHistory(workload, await listRevisions(ctx, input));
      const to = history.entries.find((entry) => entry.number === from);
      if (to === undefined) throw noRevision(input, from, history.entries);
      const patched = await moveTo(ctx, input, { workload, to, operation: null });
      await awaitRollout(ctx, input, patched, goalOf(patched));
    }
  },
};

function stateOf(before: Before): State {
  return before.state as unknown as State;
}

interface Choice {
  readonly workload: KubernetesObject;
  readonly from: HistoryEntry;
  readonly to: HistoryEntry;
}

async function choose(ctx: ReadContext, input: KubectlRolloutUndoWith): Promise<Choice> {
  const workload = await readWorkload(ctx, input);
  requireRollable(workload);
  const { entries, current } = revisionHistory(workload, await listRevisions(ctx, input));
  const { toRevision } = input;
  const earlier = entries.filter((entry) => entry.number < (current?.number ?? 0));
  const to = toRevision === undefined ? earlier.at(-1) : entries.find((entry) => entry.number === toRevision);
  if (current === undefined || to === undefined) throw noRevision(input, toRevision, entries);
  return { workload, from: current, to };
}

function noRevision(
  input: KubectlRolloutUndoWith,
  wanted: number | undefined,
  entries: readonly HistoryEntry[],
): StepError {
  const kept = entries.map((entry) => entry.number).join(', ');
  return new StepError(
    'no-revision',
    wanted === undefined
      ? `${nameOf(input)} has no earlier revision to go back to.`
      : `${nameOf(input)} has no revision ${wanted}.`,
    {
      outcome: 'not-applied',
      hint: kept === '' ? 'It keeps no revisions.' : `It keeps the revisions ${kept}.`,
    },
  );
}

async function dryRun(
  ctx: ReadContext,
  input: KubectlRolloutUndoWith,
  workload: KubernetesObject,
  to: HistoryEntry,
): Promise<KubernetesObject> {
  return await call({ verb: 'dry-run the patch of', what: nameOf(input) }, () =>
    ctx.services.kubernetes.dryRunPatch(workloadRef(input), patchToRevision(workload, to)),
  );
}

async function moveTo(
  ctx: RunContext,
  input: KubectlRolloutUndoWith,
  move: { readonly workload: KubernetesObject; readonly to: HistoryEntry; readonly operation: string | null },
): Promise<KubernetesObject> {
  return await patchRead(ctx, workloadRef(input), {
    touched,
    change: (workload) => patchToRevision(workload, move.to, move.operation),
  });
}

async function finish(
  ctx: RunContext,
  input: KubectlRolloutUndoWith,
  done: { readonly workload: KubernetesObject; readonly from: number; readonly to: number },
): Promise<KubectlRolloutUndoOutputs> {
  const rollout =
    input.wait === false
      ? await rolloutOutputs(ctx, input, 'not-awaited')
      : await awaitRollout(ctx, input, done.workload, goalOf(done.workload));
  return { ...rollout, fromRevision: done.from, toRevision: done.to };
}

function resumedNumbers(ctx: RunContext): { readonly from: number; readonly to: number } {
  const { from, to } = (ctx.resumed ?? {}) as JsonObject;
  return { from: typeof from === 'number' ? from : 0, to: typeof to === 'number' ? to : 0 };
}
