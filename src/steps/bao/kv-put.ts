import type { Secret } from '../../engine/secret.ts';
import type { Before, ChangeStepType, Observation, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { BaoKvPutOutputs, BaoKvPutWith } from '../../generated/types.ts';
import type { KvRead, OpenBaoPod } from '../../services/openbao.ts';
import { OpenBaoError } from '../../services/openbao.ts';
import { observeActive, requireActive, tokenOf } from './active.ts';
import {
  kvAccess,
  kvFailure,
  kvName,
  kvProblems,
  kvResources,
  readMetadata,
  readSecret,
  requireVersioned,
} from './kv.ts';
import { dataOf, difference, holds, sameData } from './kv-fields.ts';

interface State {
  /** The newest version before; 0 when there was none. */
  readonly version: number;
  readonly had: 'found' | 'absent' | 'deleted' | 'destroyed';
  /** UUID of the mount: its path may be given to another one. */
  readonly mount: string;
}

export const kvPut: ChangeStepType<BaoKvPutWith, BaoKvPutOutputs> = {
  type: 'bao.kv-put',
  effect: 'change',
  timeout: 2 * 60_000,
  describe: (input) => `write ${kvName(input)} in OpenBao`,
  resources: (input) => kvResources(input, 'write'),
  access: (input) => kvAccess(input, { data: ['create', 'read', 'update'], metadata: ['read'] }),
  check: kvProblems,

  async predict(input, ctx) {
    const pod = await requireActive(ctx, input);
    const state = await look(ctx, pod, input);
    const now = await readSecret(ctx, pod, input);
    if (holds(now, input.data))
      return {
        predictable: true,
        changes: false,
        diff: [],
        outputs: { version: state.version, previousVersion: state.version },
      };
    const { lines, removed } = difference(now, input.data);
    return {
      predictable: true,
      changes: true,
      diff: [{ path: 'version', before: state.version, after: state.version + 1 }, ...lines],
      outputs: { version: state.version + 1, previousVersion: state.version },
      notes: [
        ...(removed.length === 0 ? [] : [`the new version has no ${removed.join(', ')} any more`]),
        ...(state.had === 'found'
          ? []
          : [`a rollback leaves version ${state.version + 1}: the secret ${noVersion(state)}`]),
      ],
      duration: { min: 50, max: 2000 },
    };
  },

  async capture(input, ctx) {
    const pod = await requireActive(ctx, input);
    const state = await look(ctx, pod, input);
    return {
      state: { ...state },
      witnesses: [
        {
          resource: `openbao-kv/${input.namespace}/${kvName(input)}`,
          description: `OpenBao secret ${kvName(input)} version ${state.version}`,
          digest: `${state.mount} ${state.version}`,
        },
      ],
    };
  },

  async run(input, ctx) {
    const pod = await requireActive(ctx, input);
    const state = ctx.before === undefined ? await look(ctx, pod, input) : stateOf(ctx.before);
    await requireSameMount(ctx, pod, input, state);
    const version = await write(ctx, pod, { input, cas: state.version, data: dataOf(input.data) });
    return { version, previousVersion: state.version };
  },

  observe: (input, before, ctx) =>
    observeActive(ctx, input, async (pod) => {
      const state = stateOf(before);
      const { uuid } = await requireVersioned(ctx, pod, input);
      if (uuid !== state.mount)
        return {
          state: 'conflict',
          evidence: `${input.mount} is another mount than the one that was looked at`,
        };
      const newest = (await readMetadata(ctx, pod, input))?.currentVersion ?? 0;
      return await verdict(ctx, pod, { input, state, newest });
    }),

  async undo(input, before, outputs, ctx) {
    const state = stateOf(before);
    const written = outputs?.version ?? state.version + 1;
    if (state.had !== 'found')
      throw new StepError('cannot-undo', `${kvName(input)} ${noVersion(state)}; version ${written} stays.`, {
        outcome: 'not-applied',
        hint: `Nothing is deleted here. If it must go: bao kv delete -mount=${input.mount} ${input.path}`,
      });
    const pod = await requireActive(ctx, input);
    await requireSameMount(ctx, pod, input, state);
    const earlier = await readSecret(ctx, pod, { ...input, version: state.version });
    if (earlier.state !== 'found')
      throw new StepError(
        'cannot-undo',
        `Version ${state.version} of ${kvName(input)} cannot be put back: it is ${earlier.reason === 'absent' ? 'not kept any more' : earlier.reason}.`,
        { outcome: 'not-applied', hint: 'Write the earlier content from a backup.' },
      );
    await write(ctx, pod, { input, cas: written, data: earlier.data });
  },
};

function stateOf(before: Before): State {
  return before.state as unknown as State;
}

function noVersion({ version, had }: State): string {
  return version === 0 ? 'did not exist before' : `had no content before: version ${version} was ${had}`;
}

/** The version that a write has to expect. Refuses when `cas` asks for another one. */
async function look(ctx: ReadContext, pod: OpenBaoPod, input: BaoKvPutWith): Promise<State> {
  const { uuid } = await requireVersioned(ctx, pod, input);
  const version = (await readMetadata(ctx, pod, input))?.currentVersion ?? 0;
  if (input.cas !== undefined && input.cas !== version)
    throw new StepError(
      'world-moved',
      `The newest version of ${kvName(input)} is ${version}, not ${input.cas} as expected.`,
      { outcome: 'not-applied', hint: 'Look at what was written (bao.kv-get) before you write over it.' },
    );
  if (version === 0) return { version, had: 'absent', mount: uuid };
  const read = await readSecret(ctx, pod, { ...input, version });
  return { version, had: read.state === 'found' ? 'found' : read.reason, mount: uuid };
}

async function requireSameMount(
  ctx: ReadContext,
  pod: OpenBaoPod,
  input: BaoKvPutWith,
  state: State,
): Promise<void> {
  const { uuid } = await requireVersioned(ctx, pod, input);
  if (uuid === state.mount) return;
  throw new StepError('world-moved', `${input.mount} is another mount than the one that was looked at.`, {
    outcome: 'not-applied',
    hint: 'Somebody has removed the engine and made a new one: look for its content first.',
  });
}

async function write(
  ctx: RunContext,
  pod: OpenBaoPod,
  { input, cas, data }: { readonly input: BaoKvPutWith; readonly cas: number; readonly data: Secret },
): Promise<number> {
  const { mount, path } = input;
  try {
    return await ctx.services.openbao.kvWrite(
      pod,
      { mount, path, cas, data },
      tokenOf(input.token),
      ctx.signal,
    );
  } catch (error) {
    if (!(error instanceof OpenBaoError) || !error.casMismatch)
      throw kvFailure(error, {
        target: input,
        doing: `Could not write ${kvName(input)}`,
        needs: { data: [cas === 0 ? 'create' : 'update'] },
      });
    // Ours may have arrived although an earlier answer was lost: only the content tells.
    throw new StepError('world-moved', `Version ${cas} of ${kvName(input)} is not the newest any more.`, {
      outcome: 'unknown',
      cause: error,
      hint: 'Somebody else has written. Look at it (bao.kv-get) before you write over it.',
    });
  }
}

async function verdict(
  ctx: ReadContext,
  pod: OpenBaoPod,
  seen: { readonly input: BaoKvPutWith; readonly state: State; readonly newest: number },
): Promise<Observation> {
  const { input, state, newest } = seen;
  const name = kvName(input);
  const at = async (version: number) => await readSecret(ctx, pod, { ...input, version });
  if (newest === state.version) {
    const already = newest > 0 && holds(await at(newest), input.data);
    return already
      ? applied(newest, newest, `version ${newest} of ${name} has these fields already`)
      : { state: 'not-applied', evidence: `version ${newest} of ${name} is still the newest` };
  }
  const ours = state.version + 1;
  if (newest === ours && holds(await at(ours), input.data))
    return applied(ours, state.version, `version ${ours} of ${name} has what was written`);
  if (newest === ours + 1 && state.had === 'found' && (await isBack(at, state.version, newest)))
    return {
      state: 'not-applied',
      evidence: `version ${newest} of ${name} has the content of ${state.version} again`,
    };
  return {
    state: 'conflict',
    evidence: `the newest version of ${name} is ${newest}, after ${state.version}, and has other content than what was to be written`,
  };
}

function applied(version: number, previousVersion: number, evidence: string): Observation {
  return { state: 'applied', evidence, outputs: { version, previousVersion } };
}

async function isBack(
  at: (version: number) => Promise<Exclude<KvRead, { state: 'failed' }>>,
  earlier: number,
  newest: number,
): Promise<boolean> {
  const [before, now] = [await at(earlier), await at(newest)];
  if (before.state !== 'found' || now.state !== 'found') return false;
  return sameData(before.data, now.data);
}
