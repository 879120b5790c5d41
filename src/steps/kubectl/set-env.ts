import type { JsonObject } from '../../engine/json.ts';
import type { Before, ChangeStepType } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubectlSetEnvOutputs, KubectlSetEnvWith } from '../../generated/types.ts';
import { diffObjects } from './diff.ts';
import { type EnvEntries, envEntries, envPatch, pickEnv } from './env-entries.ts';
import { call } from './errors.ts';
import { at } from './fields.ts';
import { looksSecret } from './mask.ts';
import { isOurs, judgeFields, observed, observeOrUnknown, observeRollout, replaced } from './observing.ts';
import { patchRead } from './patching.ts';
import { awaitRollout, goalOf, rolloutOutputs } from './rollout.ts';
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

const touched = [['spec', 'template']];
const UNRECORDED = 'unrecorded';

interface State {
  readonly uid: string;
  /** Earlier entries; null where there was none, 'unrecorded' where a journal must not hold it. */
  readonly env: Readonly<Record<string, JsonObject | null | typeof UNRECORDED>>;
  readonly digest: string;
}

export const setEnv: ChangeStepType<KubectlSetEnvWith, KubectlSetEnvOutputs> = {
  type: 'kubectl.set-env',
  effect: 'change',
  timeout: 15 * 60_000,
  describe: (input) => `set ${Object.keys(input.env).join(', ')} of ${nameOf(input)}`,
  resources: workloadWrites,
  access: changeAccess,
  check: (input) => [
    ...targetProblems(input),
    ...Object.keys(input.env)
      .filter((name) => !/^[A-Za-z_][\w.-]*$/.test(name))
      .map((name) => ({ path: ['env', name], message: `'${name}' is not the name of a variable.` })),
  ],

  async predict(input, ctx) {
    const workload = await readWorkload(ctx, input);
    requireRollable(workload);
    const current = envEntries(workload, input);
    const wanted = wantedEntries(input);
    const changes = digest(pickEnv(current, wanted)) !== digest(wanted);
    const patch = envPatch(input.container, wanted);
    const after = await call({ verb: 'dry-run the patch of', what: nameOf(input) }, () =>
      ctx.services.kubernetes.dryRunPatch(workloadRef(input), patch),
    );
    const lost = Object.keys(wanted).filter((name) => recorded(name, current[name] ?? null) === UNRECORDED);
    return {
      predictable: true,
      changes,
      diff: changes ? diffObjects(workload, after) : [],
      outputs: { changed: Object.keys(wanted).sort() },
      notes: [
        ...lost.map(
          (name) =>
            `the earlier value of ${name} looks like a secret: it is not recorded and cannot be put back`,
        ),
        ...(await ownerNotes(ctx.services.kubernetes, workload)),
      ],
      duration: rolloutDuration(workload),
    };
  },

  capture: (input, ctx) =>
    captureWorkload(ctx, input, {
      touched,
      guard: requireRollable,
      state: (workload) => {
        const current = pickEnv(envEntries(workload, input), wantedEntries(input));
        const env = Object.fromEntries(
          Object.entries(current).map(([name, entry]) => [name, recorded(name, entry)]),
        );
        return { uid: workload.metadata.uid, env, digest: digest(current) };
      },
    }),

  async run(input, ctx) {
    const wanted = wantedEntries(input);
    const patched = await patchRead(ctx, workloadRef(input), {
      touched,
      change(workload) {
        requireRollable(workload);
        const current = pickEnv(envEntries(workload, input), wanted);
        const done = isOurs(workload, ctx.operationKey) && digest(current) === digest(wanted);
        return done ? undefined : envPatch(input.container, wanted, ctx.operationKey);
      },
    });
    const rollout =
      input.wait === false
        ? await rolloutOutputs(ctx, input, 'not-awaited')
        : await awaitRollout(ctx, input, patched, goalOf(patched));
    return { ...rollout, changed: Object.keys(wanted).sort() };
  },

  observe: (input, before, ctx) =>
    observeOrUnknown(async () => {
      const ref = workloadRef(input);
      const state = stateOf(before);
      const workload = await observed(ctx, ref);
      if (workload === undefined || workload.metadata.uid !== state.uid) return replaced(ref, workload);
      const wanted = wantedEntries(input);
      const current = digest(pickEnv(envEntries(workload, input), wanted));
      const ours = isOurs(workload, ctx.operationKey);
      const now = { asWanted: current === digest(wanted), asBefore: current === state.digest, ours };
      return (
        judgeFields(ref, now) ??
        (await observeRollout(ctx, input, workload, {
          touched,
          ours,
          wait: input.wait,
          outputs: (rollout) => ({ ...rollout, changed: Object.keys(wanted).sort() }),
        }))
      );
    }),

  async undo(input, before, _outputs, ctx) {
    const { env, uid } = stateOf(before);
    const lost = Object.keys(env).filter((name) => env[name] === UNRECORDED);
    if (lost.length > 0)
      throw new StepError(
        'not-recorded',
        `The earlier value of ${lost.join(', ')} was not recorded: it looks like a secret.`,
        {
          outcome: 'not-applied',
          hint: `kubectl -n ${input.namespace} rollout undo ${input.kind.toLowerCase()}/${input.name} puts the earlier pod template back.`,
        },
      );
    const patched = await patchRead(ctx, workloadRef(input), {
      touched,
      change(workload) {
        if (workload.metadata.uid === uid) return envPatch(input.container, env as EnvEntries, null);
        throw new StepError('replaced', `${nameOf(input)} was deleted and created again.`, {
          outcome: 'not-applied',
        });
      },
    });
    await awaitRollout(ctx, input, patched, goalOf(patched));
  },
};

function stateOf(before: Before): State {
  return before.state as unknown as State;
}

function wantedEntries(input: KubectlSetEnvWith): EnvEntries {
  return Object.fromEntries(
    Object.entries(input.env).map(([name, value]) => [name, value === null ? null : { name, value }]),
  );
}

function recorded(name: string, entry: JsonObject | null): JsonObject | null | typeof UNRECORDED {
  const literal = typeof at(entry, 'value') === 'string';
  return literal && looksSecret(name) ? UNRECORDED : entry;
}
