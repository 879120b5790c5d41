import type { JsonObject } from '../../engine/json.ts';
import type { ChangeStepType } from '../../engine/step-type.ts';
import type { KubectlRolloutRestartOutputs, KubectlRolloutRestartWith } from '../../generated/types.ts';
import type { KubernetesObject, PatchOptions } from '../../services/kubernetes.ts';
import { diffObjects } from './diff.ts';
import { call } from './errors.ts';
import { textAt } from './fields.ts';
import { observed, observeOrUnknown, observeRollout, replaced } from './observing.ts';
import { patchRead } from './patching.ts';
import { awaitRollout, goalOf, listRevisions } from './rollout.ts';
import { counters, OPERATION, templateAnnotation } from './rollout-verdict.ts';
import { nameOf, targetProblems } from './target.ts';
import { digest } from './witness.ts';
import {
  captureWorkload,
  changeAccess,
  ownerNotes,
  readWorkload,
  requireRollable,
  rolloutDuration,
  workloadRef,
  workloadWrites,
} from './workload.ts';

const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';
const touched = [['spec', 'template']];

interface State {
  readonly uid: string;
  /** Digest of the pod template: the template itself may hold what a journal must not. */
  readonly template: string;
}

export const rolloutRestart: ChangeStepType<KubectlRolloutRestartWith, KubectlRolloutRestartOutputs> = {
  type: 'kubectl.rollout-restart',
  effect: 'change',
  timeout: 15 * 60_000,
  describe: (input) => `restart ${nameOf(input)} pod by pod`,
  resources: workloadWrites,
  access: changeAccess,
  check: targetProblems,

  async predict(input, ctx) {
    const workload = await readWorkload(ctx, input);
    requireRollable(workload);
    const restarted = await call({ verb: 'dry-run the patch of', what: nameOf(input) }, () =>
      ctx.services.kubernetes.dryRunPatch(
        workloadRef(input),
        restart('‹operation key›', ctx.services.clock.now()),
      ),
    );
    const { wanted } = counters(workload);
    return {
      predictable: true,
      changes: true,
      diff: diffObjects(workload, restarted),
      notes: [
        wanted === 0
          ? 'it has 0 replicas: no pod restarts'
          : `${wanted} ${wanted === 1 ? 'pod restarts' : 'pods restart'}`,
        ...(await ownerNotes(ctx.services.kubernetes, workload)),
      ],
      duration: rolloutDuration(workload),
    };
  },

  async capture(input, ctx) {
    return await captureWorkload(ctx, input, {
      touched,
      state: (workload): JsonObject => ({ uid: workload.metadata.uid, template: templateDigest(workload) }),
      guard: requireRollable,
    });
  },

  async run(input, ctx) {
    const patched = await patchRead(ctx, workloadRef(input), {
      touched,
      change(workload) {
        requireRollable(workload);
        if (templateAnnotation(workload, OPERATION) === ctx.operationKey) return undefined;
        return restart(ctx.operationKey, ctx.services.clock.now());
      },
    });
    return await awaitRollout(ctx, input, patched, goalOf(patched, ctx.operationKey));
  },

  observe: (input, before, ctx) =>
    observeOrUnknown(async () => {
      const ref = workloadRef(input);
      const state = before.state as unknown as State;
      const workload = await observed(ctx, ref);
      if (workload === undefined || workload.metadata.uid !== state.uid) return replaced(ref, workload);
      const operation = ctx.operationKey;
      if (templateAnnotation(workload, OPERATION) === operation)
        return await observeRollout(ctx, input, workload, {
          touched,
          operation,
          ours: true,
          outputs: (rollout) => rollout,
        });
      const revisions = await listRevisions(ctx, input);
      if (revisions.some((revision) => revisionAnnotation(revision) === operation))
        return {
          state: 'conflict',
          evidence: `${nameOf(input)} was restarted by this step, then somebody changed its pod template again`,
        };
      const same = templateDigest(workload) === state.template;
      return {
        state: 'not-applied',
        evidence: same
          ? `the pod template of ${nameOf(input)} is as it was`
          : `the pod template of ${nameOf(input)} was changed, but not by this step`,
      };
    }),

  undo: { irreversible: 'A restart changes nothing that could be put back.' },
};

function restart(operation: string, now: number): Omit<PatchOptions, 'resourceVersion'> {
  const annotations = { [OPERATION]: operation, [RESTARTED_AT]: new Date(now).toISOString() };
  return { type: 'strategic', body: { spec: { template: { metadata: { annotations } } } } };
}

function templateDigest(workload: KubernetesObject): string {
  return digest(workload.spec?.template ?? null);
}

function revisionAnnotation(revision: KubernetesObject): string {
  const inSet = textAt(revision.spec, 'template', 'metadata', 'annotations', OPERATION);
  return inSet || textAt(revision.data, 'spec', 'template', 'metadata', 'annotations', OPERATION);
}
