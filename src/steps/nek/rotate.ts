import type { ChangeStepType, Observation, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { NekRotateOutputs, NekRotateWith } from '../../generated/types.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { type EnvEntries, envEntries, envPatch, pickEnv } from '../kubectl/env-entries.ts';
import {
  asJson,
  isOurs,
  observed,
  observeOrUnknown,
  observeRollout,
  replaced,
} from '../kubectl/observing.ts';
import { patchRead } from '../kubectl/patching.ts';
import { awaitRollout, goalOf } from '../kubectl/rollout.ts';
import { counters } from '../kubectl/rollout-verdict.ts';
import { nameOf, targetProblems } from '../kubectl/target.ts';
import { digest, witness } from '../kubectl/witness.ts';
import {
  changeAccess,
  ownerNotes,
  readWorkload,
  requireRollable,
  rolloutDuration,
  workloadRef,
  workloadWrites,
} from '../kubectl/workload.ts';
import { captured, stateOf } from '../mek/preparing.ts';
import { outOfTime } from '../out-of-time.ts';
import { keepOutcome, keptOutcome } from '../outcome.ts';
import { noteBegun, noteUndone, wasUndone } from '../undone.ts';
import { withNeks } from './open.ts';
import { nekAccess, nekPlaceProblems, nekResources } from './place.ts';
import { currentKey, type KeyBefore, keysBefore } from './rotate-keys.ts';
import { envTarget, longestList, rotationCron, togglesFor } from './rotate-toggles.ts';

const touched = [['spec', 'template']];
const hour = 3_600_000;
const pollEvery = 10_000;
const patchAttempts = 4;

interface State {
  readonly uid: string;
  /** What stood where the toggles are put; null where nothing did. */
  readonly env: EnvEntries;
  readonly cron: string;
  readonly keys: readonly KeyBefore[];
}

type Rotated = NekRotateOutputs['rotated'][number];

export const rotate: ChangeStepType<NekRotateWith, NekRotateOutputs> = {
  type: 'nek.rotate',
  effect: 'change',
  timeout: 2 * hour,
  describe: ({ namespaces }) => `let ESS make a new key for ${namespaces?.join(', ') ?? 'every namespace'}`,
  resources: (input) => [...nekResources(input, 'write'), ...workloadWrites(envTarget(input.ess))],
  access: (input) => [...nekAccess(input), ...changeAccess(envTarget(input.ess))],
  check: (input) => [
    ...nekPlaceProblems(input),
    ...targetProblems({ namespace: input.ess.namespace, name: input.ess.resource }).map((problem) => ({
      ...problem,
      path: ['ess', problem.path[0] === 'name' ? 'resource' : (problem.path[0] ?? '')],
    })),
    ...listProblems(input.namespaces ?? []),
  ],

  async predict(input, ctx) {
    const { workload, state } = await prepare(input, ctx);
    const { min, max } = rolloutDuration(workload);
    return {
      predictable: true,
      changes: true,
      diff: state.keys.map(({ namespace, from }) => ({
        path: `current key of ${namespace}`,
        before: from,
        after: '‹a new key›',
      })),
      notes: [
        `ESS makes the keys at the next ${state.cron} (second minute hour day month weekday) by its own clock`,
        'until then its environment has the toggles for it; its pods are replaced twice',
        ...(await ownerNotes(ctx.services.kubernetes, workload)),
      ],
      duration: { min: 2 * min + 60_000, max: 2 * max + hour },
    };
  },

  async capture(input, ctx) {
    const { workload, state } = await prepare(input, ctx);
    return { state: asJson(state), witnesses: [witness(workload, touched)] };
  },

  async run(input, ctx) {
    const { clock } = ctx.services;
    const started = clock.monotonic();
    const state = captured<State>(ctx);
    await noteBegun(ctx);
    if ((await look(input, ctx, state)).waiting.length > 0) {
      await setEnv(input, ctx, state, togglesOf(state));
      await awaitKeys(input, ctx, state);
    }
    await setEnv(input, ctx, state, state.env);
    const { rotated } = await look(input, ctx, state);
    const seconds = Math.round((clock.monotonic() - started) / 1000);
    return await keepOutcome<NekRotateOutputs>(ctx, { rotated, seconds });
  },

  observe: (input, before, ctx) => observeOrUnknown(() => judge(input, stateOf<State>(before), ctx)),

  undoes: "take the toggles out of ESS's environment again; a new key that ESS has made stays",

  async undo(input, before, _outputs, ctx) {
    const state = stateOf<State>(before);
    await setEnv(input, ctx, state, state.env);
    await noteUndone(ctx);
  },
};

function listProblems(namespaces: readonly string[]) {
  return namespaces
    .filter((name) => /[\s,]/.test(name))
    .map((name) => ({
      path: ['namespaces'],
      message: `'${name}' cannot stand in a list: it has a comma or a space.`,
    }));
}

async function prepare(
  input: NekRotateWith,
  ctx: ReadContext,
): Promise<{ readonly workload: KubernetesObject; readonly state: State }> {
  const target = envTarget(input.ess);
  const workload = await readWorkload(ctx, target);
  requireRollable(workload);
  if (counters(workload).wanted === 0)
    throw new StepError('no-pods', `${nameOf(target)} has 0 replicas: nobody would make a key.`, {
      outcome: 'not-applied',
      hint: 'Scale it up first.',
    });
  const keys = await withNeks(ctx, input, (world) => keysBefore(ctx, world, input.namespaces));
  const cron = input.cron ?? rotationCron(workload, ctx.services.clock.now());
  const names = keys.map(({ namespace }) => namespace);
  if (names.join(',').length > longestList)
    throw new StepError('too-many-namespaces', `${names.length} namespaces are too many for one list.`, {
      outcome: 'not-applied',
      hint: 'Name some of them in namespaces, and rotate the others in further steps.',
    });
  const env = pickEnv(envEntries(workload, target), togglesFor(names, cron));
  return { workload, state: { uid: workload.metadata.uid, env, cron, keys } };
}

function togglesOf({ keys, cron }: State): EnvEntries {
  return togglesFor(
    keys.map(({ namespace }) => namespace),
    cron,
  );
}

/** Puts entries there, with our mark while they are toggles, and waits for the pods. Does nothing where they are there already. */
async function setEnv(
  input: NekRotateWith,
  ctx: RunContext,
  state: State,
  entries: EnvEntries,
): Promise<void> {
  const target = envTarget(input.ess);
  const mark = entries === state.env ? null : ctx.operationKey;
  const patched = await persist(ctx, () =>
    patchRead(ctx, workloadRef(target), {
      touched,
      change(workload) {
        if (workload.metadata.uid !== state.uid)
          throw new StepError('replaced', `${nameOf(target)} was deleted and created again.`, {
            outcome: 'not-applied',
            hint: 'The toggles went with it. Check its environment, then start anew.',
          });
        requireRollable(workload);
        const there = digest(pickEnv(envEntries(workload, target), entries)) === digest(entries);
        const marked = isOurs(workload, ctx.operationKey) === (mark !== null);
        return there && marked ? undefined : envPatch(target.container, entries, mark);
      },
    }),
  );
  await awaitRollout(ctx, target, patched, goalOf(patched));
}

/** A patch whose answer was lost is read before it is made again, so it may be repeated. */
async function persist<T>(ctx: RunContext, act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await act();
    } catch (error) {
      const passes = error instanceof StepError && error.retryable;
      if (!passes || attempt === patchAttempts || ctx.signal.aborted) throw error;
      ctx.progress({ text: `${error.message} Trying again.` });
      await ctx.services.clock.sleep(1000 * attempt, ctx.signal);
    }
}

interface Looked {
  readonly rotated: Rotated[];
  /** Namespaces whose current key is the one of before, or does not work. */
  readonly waiting: readonly string[];
}

async function look(input: NekRotateWith, ctx: ReadContext, { keys }: State): Promise<Looked> {
  return await withNeks(ctx, input, async (world) => {
    const rotated: Rotated[] = [];
    const waiting: string[] = [];
    for (const { namespace, from } of keys) {
      const { kid, usable } = await currentKey(ctx, world, namespace);
      if (usable && kid !== from) rotated.push({ namespace, from, to: kid });
      else waiting.push(namespace);
    }
    return { rotated, waiting };
  });
}

async function awaitKeys(input: NekRotateWith, ctx: RunContext, state: State): Promise<void> {
  let waiting: readonly string[] = [];
  while (!ctx.signal.aborted) {
    try {
      ({ waiting } = await look(input, ctx, state));
      if (waiting.length === 0) return;
      ctx.progress({ text: `waiting for ESS to make new keys (${state.cron}): ${some(waiting)}` });
    } catch (error) {
      // What passes by itself says nothing about ESS.
      if (!(error instanceof StepError) || !error.retryable) throw error;
      ctx.progress({ text: `${error.message} Looking again.` });
    }
    await ctx.services.clock.sleep(pollEvery, ctx.signal);
  }
  throw outOfTime(ctx, `ESS has made no new key in time for ${some(waiting)}.`, {
    details: ['Its log says why: "Starting encryption key rotation", "Promotion results".'],
    hint: 'The toggles are still in its environment: `runbook rollback` takes them out, `runbook resume` waits on.',
  });
}

async function judge(
  input: NekRotateWith,
  state: State,
  ctx: ReadContext & { readonly operationKey: string },
): Promise<Observation> {
  const target = envTarget(input.ess);
  const ref = workloadRef(target);
  const workload = await observed(ctx, ref);
  if (workload === undefined || workload.metadata.uid !== state.uid) return replaced(ref, workload);
  const toggles = togglesOf(state);
  const now = digest(pickEnv(envEntries(workload, target), toggles));
  const on = now === digest(toggles);
  if (!on && now !== digest(state.env))
    return { state: 'conflict', evidence: `somebody else changed ENCRYPTION_* of ${nameOf(target)}` };
  const { rotated, waiting } = await look(input, ctx, state);
  const partial = on || rotated.length > 0;
  if (!on && (await wasUndone(ctx)))
    return { state: 'not-applied', evidence: `the toggles are out; ${rotated.length} new keys stay` };
  if (!on && waiting.length > 0)
    return { state: 'not-applied', partial, evidence: `no toggles; no new key: ${some(waiting)}` };
  if (on && waiting.length === 0)
    return { state: 'not-applied', partial, evidence: 'every new key is there, the toggles are still in' };
  const outcome = await keptOutcome(ctx);
  const rollout = await observeRollout(ctx, target, workload, {
    touched,
    ours: true,
    outputs: () => outcome ?? { rotated, seconds: 0 },
  });
  if (!on || rollout.state !== 'applied') return rollout;
  return { state: 'in-progress', evidence: `the toggles are in; ESS still has to rotate ${some(waiting)}` };
}

function some(names: readonly string[]): string {
  return names.length <= 5
    ? names.join(', ')
    : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}
