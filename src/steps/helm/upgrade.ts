import type { JsonObject } from '../../engine/json.ts';
import type { Before, ChangeStepType, Observation, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { HelmUpgradeOutputs, HelmUpgradeWith } from '../../generated/types.ts';
import { callHelm } from './call.ts';
import { chartProblems, targetOf } from './chart-target.ts';
import { clientsOf } from './client-record.ts';
import { jobsThatRan, upgradeHooks } from './hooks.ts';
import { valuesOf } from './object-diff.ts';
import { observeRelease } from './observe-release.ts';
import { releaseDiff } from './release-diff.ts';
import { refOf, releaseName, releaseWriteAccess, releaseWrites } from './release-target.ts';
import { judgeUpgrade } from './release-verdict.ts';
import { sayRevision } from './revisions.ts';
import { runClient } from './run-client.ts';
import { rollBack } from './undo.ts';
import { durationOf, type Prepared, prepareUpgrade, witnessesOf } from './upgrade-plan.ts';
import { lostValues } from './values-diff.ts';

interface State {
  readonly newest: number;
  readonly deployed: number;
  readonly fromVersion: string;
  readonly appVersion: string;
  readonly digest: string;
  /** Nothing would change. */
  readonly asWanted: boolean;
}

export const upgrade: ChangeStepType<HelmUpgradeWith, HelmUpgradeOutputs> = {
  type: 'helm.upgrade',
  effect: 'change',
  timeout: 15 * 60_000,
  describe: (input) =>
    `upgrade Helm release ${releaseName(input)} to ${input.chart.replace(/^.*\//, '')} ${input.version}`,
  resources: releaseWrites,
  access: ({ namespace }) => releaseWriteAccess(namespace),
  check: chartProblems,

  async predict(input, ctx) {
    const prepared = await prepareUpgrade(ctx, input);
    const { base, current, next, newest } = prepared;
    if (prepared.asWanted) return { predictable: true, changes: false, diff: [] };
    return {
      predictable: true,
      changes: true,
      diff: releaseDiff(current, next),
      outputs: {
        revision: newest.revision + 1,
        previousRevision: base.revision,
        chartVersion: next.chartVersion,
        previousVersion: current.chartVersion,
        appVersion: next.appVersion,
        digest: next.digest,
      },
      notes: notesOf(prepared),
      duration: durationOf(prepared),
    };
  },

  async capture(input, ctx) {
    const prepared = await prepareUpgrade(ctx, input);
    const { base, current, next, newest } = prepared;
    const state: State = {
      newest: newest.revision,
      deployed: base.status === 'deployed' ? base.revision : 0,
      fromVersion: current.chartVersion,
      appVersion: next.appVersion,
      digest: next.digest,
      asWanted: prepared.asWanted,
    };
    return { state: { ...state }, witnesses: witnessesOf(input, prepared) };
  },

  async run(input, ctx) {
    const { base } = await prepareUpgrade(ctx, input);
    const target = { ...(await targetOf(ctx, input)), operation: ctx.operationKey };
    const done = await runClient(ctx, input, (run) => ctx.services.helm.upgrade(target, run), {
      giveUp: true,
    });
    return {
      revision: done.revision,
      previousRevision: base.revision,
      chartVersion: done.chartVersion,
      previousVersion: base.chartVersion,
      appVersion: done.appVersion,
      digest: done.digest,
    };
  },

  observe: (input, before, ctx) =>
    observeRelease(input, ctx, (sight) => {
      const state = stateOf(before);
      const seen = judgeUpgrade(state, ctx.operationKey, sight);
      const outputs = (revision: number): JsonObject => ({
        revision,
        previousRevision: state.deployed,
        chartVersion: input.version,
        previousVersion: state.fromVersion,
        appVersion: state.appVersion,
        digest: state.digest,
      });
      if (seen.state === 'not-applied' && state.asWanted && sight.clients.started === 0)
        return {
          state: 'applied',
          evidence: `revision ${state.newest} has this chart and these values already`,
          outputs: outputs(state.newest),
        };
      return {
        ...seen,
        ...(seen.revision === undefined ? {} : { outputs: outputs(seen.revision) }),
      } satisfies Observation;
    }),

  async undo(input, before, _outputs, ctx) {
    const state = stateOf(before);
    if (state.asWanted && (await clientsOf(ctx)).started === 0) return;
    await refuseAfterHooks(input, ctx);
    await rollBack(ctx, input, { base: state, to: state.deployed, what: 'upgrade' });
  },
};

function stateOf(before: Before): State {
  return before.state as unknown as State;
}

function notesOf({ current, next, newest }: Prepared): readonly string[] {
  const hooks = upgradeHooks(next).map(
    ({ kind, name, events }) =>
      `${kind} ${name} runs (${events.join(', ')}); what it does, Helm does not take back`,
  );
  const onDelete = next.objects
    .filter(({ kind, spec }) => kind === 'StatefulSet' && JSON.stringify(spec ?? null).includes('"OnDelete"'))
    .map(({ metadata }) => String((metadata as JsonObject).name));
  return [
    ...hooks,
    ...onDelete.map(
      (name) =>
        `StatefulSet ${name} replaces its pods only when they are deleted: Helm does not wait for that`,
    ),
    ...lostNotes(lostValues(valuesOf(current), valuesOf(next))),
    ...(newest.status === 'failed' ? [`the newest revision, ${newest.revision}, failed`] : []),
  ];
}

function lostNotes(lost: readonly string[]): readonly string[] {
  if (lost.length === 0) return [];
  const more = lost.length > mostNamed ? ` and ${lost.length - mostNamed} more` : '';
  return [
    `the values file lacks what the release has: ${lost.slice(0, mostNamed).join(', ')}${more}; is it older than the release?`,
  ];
}

const mostNamed = 10;

/** A schema migration stays when its release is rolled back: old pods may not cope with it. */
async function refuseAfterHooks(input: HelmUpgradeWith, ctx: RunContext): Promise<void> {
  if (input.undoAfterHooks === true) return;
  const release = await callHelm(() => ctx.services.helm.release(refOf(input), ctx.signal));
  const ran = jobsThatRan(release);
  if (ran.length === 0) return;
  throw new StepError(
    'hooks-ran',
    `Release ${releaseName(input)} stays at ${sayRevision(release)}: its upgrade ran the Job${ran.length === 1 ? '' : 's'} ${ran.join(', ')}, and rolling back would not take back what that did.`,
    {
      outcome: 'not-applied',
      hint: 'Find out whether the earlier version copes with it (schema, keys). If it does, use the runbook rollback-release, then resume this run; if not, mend the cause and upgrade again.',
    },
  );
}
