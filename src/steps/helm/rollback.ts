import type { JsonObject } from '../../engine/json.ts';
import type { Before, ChangeStepType, Observation, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { HelmRollbackOutputs, HelmRollbackWith } from '../../generated/types.ts';
import type { HelmRelease, HelmRevision } from '../../services/helm.ts';
import { callHelm } from './call.ts';
import { clientsOf } from './client-record.ts';
import { rollbackHooks } from './hooks.ts';
import { valuesOf } from './object-diff.ts';
import { observeRelease } from './observe-release.ts';
import { releaseDiff } from './release-diff.ts';
import {
  refOf,
  releaseName,
  releaseProblems,
  releaseWriteAccess,
  releaseWrites,
  requireRelease,
} from './release-target.ts';
import { judgeRollback } from './release-verdict.ts';
import { deployedOf, isPending, newestOf, originOf, previousOf, refusePending } from './revisions.ts';
import { runClient } from './run-client.ts';
import { rollBack } from './undo.ts';
import { durationOf, releaseWitness } from './upgrade-plan.ts';
import { protectValues } from './values-diff.ts';

interface State {
  readonly newest: number;
  readonly deployed: number;
  /** The newest revision came to a good end: only then there is a state to go back to. */
  readonly sound: boolean;
  /** Origin of the revision that is put back. */
  readonly to: number;
  readonly fromVersion: string;
  readonly toVersion: string;
}

export const rollback: ChangeStepType<HelmRollbackWith, HelmRollbackOutputs> = {
  type: 'helm.rollback',
  effect: 'change',
  timeout: 15 * 60_000,
  describe: (input) =>
    `roll Helm release ${releaseName(input)} back to ${wantedOf(input) === undefined ? 'the revision before' : `revision ${input.revision}`}`,
  resources: releaseWrites,
  access: ({ namespace }) => releaseWriteAccess(namespace),
  check: releaseProblems,

  async predict(input, ctx) {
    const { newest, target, same } = await choose(ctx, input);
    if (same) return { predictable: true, changes: false, diff: [] };
    const [current, next] = await both(ctx, input, newest, target);
    return {
      predictable: true,
      changes: true,
      diff: releaseDiff(current, next),
      outputs: {
        revision: newest.revision + 1,
        fromRevision: newest.revision,
        toRevision: target.revision,
        chartVersion: next.chartVersion,
        previousVersion: current.chartVersion,
      },
      notes: notesOf(newest, next),
      duration: durationOf({ newest, base: newest, current, next: { ...next, digest: '' }, asWanted: false }),
    };
  },

  async capture(input, ctx) {
    const { history, newest, target } = await choose(ctx, input);
    const deployed = deployedOf(history)?.revision ?? 0;
    const state: State = {
      newest: newest.revision,
      deployed,
      sound: newest.status === 'deployed',
      to: originOf(history, target.revision),
      fromVersion: newest.chartVersion,
      toVersion: target.chartVersion,
    };
    return { state: { ...state }, witnesses: [releaseWitness(input, newest)] };
  },

  async run(input, ctx) {
    const { newest, target } = await chooseOnce(ctx, input);
    const at = { ...refOf(input), revision: target.revision };
    await runClient(ctx, input, (run) => ctx.services.helm.rollback(at, run));
    const history = await callHelm(() => ctx.services.helm.history(refOf(input), ctx.signal));
    return {
      revision: newestOf(history).revision,
      fromRevision: newest.revision,
      toRevision: target.revision,
      chartVersion: target.chartVersion,
      previousVersion: newest.chartVersion,
    };
  },

  observe: (input, before, ctx) =>
    observeRelease(input, ctx, (sight) => {
      const state = stateOf(before);
      const seen = judgeRollback(state, sight);
      const outputs = (revision: number): JsonObject => ({
        revision,
        fromRevision: state.newest,
        toRevision: wantedOf(input) ?? state.to,
        chartVersion: state.toVersion,
        previousVersion: state.fromVersion,
      });
      return {
        ...seen,
        ...(seen.revision === undefined ? {} : { outputs: outputs(seen.revision) }),
      } satisfies Observation;
    }),

  async undo(input, before, _outputs, ctx) {
    const state = stateOf(before);
    if ((await clientsOf(ctx)).started === 0) return;
    if (!state.sound)
      throw new StepError(
        'was-broken',
        `Release ${releaseName(input)} had failed at revision ${state.newest} before it was rolled back: there is no sound state to go back to.`,
        { outcome: 'not-applied', hint: 'Leave it as it is, or upgrade it again.' },
      );
    await rollBack(ctx, input, { base: state, to: state.newest, what: 'rollback' });
  },
};

/** Undefined: the revision before. */
function wantedOf({ revision }: HelmRollbackWith): number | undefined {
  return revision === 0 ? undefined : revision;
}

function stateOf(before: Before): State {
  return before.state as unknown as State;
}

interface Choice {
  readonly history: readonly HelmRevision[];
  readonly newest: HelmRevision;
  readonly target: HelmRevision;
  /** Chart and values are those of the target already. */
  readonly same: boolean;
}

async function choose(ctx: ReadContext, input: HelmRollbackWith): Promise<Choice> {
  requireRelease(input);
  const history = await callHelm(() => ctx.services.helm.history(refOf(input), ctx.signal));
  const newest = newestOf(history);
  const { started } = await clientsOf(ctx);
  // What a client of this step has left pending is this step's to repeat.
  const own = started > 0 && newest.status === 'pending-rollback';
  if (input.acceptPending !== true && !own) refusePending(input, history);
  const deployed = deployedOf(history);
  const unsound = newest.status !== 'deployed' ? deployed : undefined;
  const wanted = wantedOf(input);
  const before =
    wanted === undefined
      ? (unsound ?? previousOf(history))
      : history.find(({ revision }) => revision === wanted);
  if (before === undefined) throw noRevision(input, history);
  const same =
    newest.status === 'deployed' && originOf(history, newest.revision) === originOf(history, before.revision);
  return { history, newest, target: before, same };
}

/** Repeated after a failure, "the revision before" would be another one. */
async function chooseOnce(ctx: RunContext, input: HelmRollbackWith): Promise<Choice> {
  const chosen = (ctx.resumed as { readonly to?: unknown } | undefined)?.to;
  const choice = await choose(ctx, typeof chosen === 'number' ? { ...input, revision: chosen } : input);
  await ctx.checkpoint({ to: choice.target.revision });
  return choice;
}

function noRevision(input: HelmRollbackWith, history: readonly HelmRevision[]): StepError {
  const kept = history.map(
    ({ revision, chartVersion, status }) => `${revision} (${chartVersion}, ${status})`,
  );
  const what =
    wantedOf(input) === undefined
      ? `has no earlier revision with another chart or other values`
      : `keeps no revision ${input.revision}`;
  return new StepError('no-revision', `Release ${releaseName(input)} ${what}.`, {
    outcome: 'not-applied',
    hint: `It keeps ${kept.join(', ')}; Helm prunes what is older than the last ten.`,
  });
}

async function both(
  ctx: ReadContext,
  input: HelmRollbackWith,
  newest: HelmRevision,
  target: HelmRevision,
): Promise<readonly [HelmRelease, HelmRelease]> {
  const { helm } = ctx.services;
  const read = (revision: number) => callHelm(() => helm.release({ ...refOf(input), revision }, ctx.signal));
  const [current, next] = [await read(newest.revision), await read(target.revision)];
  for (const content of [current, next]) protectValues(ctx, valuesOf(content));
  return [current, next];
}

function notesOf(newest: HelmRevision, next: HelmRelease): readonly string[] {
  const hooks = rollbackHooks(next).map(({ kind, name }) => `${kind} ${name} runs`);
  return [
    'chart and values both go back; schema migrations, data, keys and changes made to live objects do not',
    ...hooks,
    ...(isPending(newest)
      ? [`revision ${newest.revision} is ${newest.status}: make sure that no helm client works on it`]
      : []),
  ];
}
