import { Secret } from '../../engine/secret.ts';
import type { Before, ChangeStepType, Observation, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { BaoStepDownOutputs, BaoStepDownWith } from '../../generated/types.ts';
import { OpenBaoError } from '../../services/openbao.ts';
import { outOfTime } from '../out-of-time.ts';
import { portForwardAccess } from '../pod-access.ts';
import type { Asked } from './nodes.ts';
import { activeOf, askEvery, baoResources, targetProblems } from './nodes.ts';

interface State {
  /** The active pod before; empty when there was none. */
  readonly active: string;
  readonly uid: string;
}

const pause = 1000;

export const stepDown: ChangeStepType<BaoStepDownWith, BaoStepDownOutputs> = {
  type: 'bao.step-down',
  effect: 'change',
  timeout: 2 * 60_000,
  describe: (input) => `make ${input.pod ?? 'the active OpenBao pod'} in ${input.namespace} step down`,
  resources: (input) => baoResources(input, 'write'),
  access: (input) => [
    ...portForwardAccess(input.namespace),
    { system: 'openbao', path: 'sys/step-down', capabilities: ['update', 'sudo'] },
  ],
  check: targetProblems,

  async predict(input, ctx) {
    const asked = await askEvery(ctx, input);
    const active = requireSuccessor(input, asked);
    const changes = wanted(input, active);
    return {
      predictable: true,
      changes,
      diff: changes ? [{ path: 'active', before: active.pod.pod, after: '‹another pod›' }] : [],
      outputs: { previous: changes ? active.pod.pod : '' },
      duration: { min: 1000, max: 30_000 },
    };
  },

  async capture(input, ctx) {
    const active = requireSuccessor(input, await askEvery(ctx, input));
    return {
      state: { active: active.pod.pod, uid: active.pod.uid },
      witnesses: [
        {
          resource: `openbao/${input.namespace}/active`,
          description: `OpenBao pod ${input.namespace}/${active.pod.pod} is active`,
          digest: active.pod.uid,
        },
      ],
    };
  },

  async run(input, ctx) {
    const active = requireSuccessor(input, await askEvery(ctx, input));
    if (!wanted(input, active)) return { previous: '', active: active.pod.pod };
    await ctx.checkpoint({ active: active.pod.pod });
    await send(input, active, ctx);
    return { previous: active.pod.pod, active: await awaitSuccessor(input, active, ctx) };
  },

  async observe(input, before, ctx): Promise<Observation> {
    const state = stateOf(before);
    const asked = await ask(ctx, input);
    if (asked === undefined) return { state: 'unknown', evidence: 'the OpenBao pods could not be listed' };
    const active = activeOf(asked);
    const previous = input.pod === undefined || input.pod === state.active ? state.active : '';
    if (active !== undefined && active.pod.pod !== state.active)
      return {
        state: 'applied',
        evidence: `${active.pod.pod} is active, ${state.active} was before`,
        outputs: { previous, active: active.pod.pod },
      };
    if (active !== undefined && active.pod.uid !== state.uid)
      return { state: 'conflict', evidence: `${state.active} was deleted and created again, and is active` };
    if (active !== undefined && input.pod !== undefined && input.pod !== state.active)
      return {
        state: 'applied',
        evidence: `${active.pod.pod} is active, not ${input.pod}`,
        outputs: { previous: '', active: active.pod.pod },
      };
    if (active !== undefined) return { state: 'not-applied', evidence: `${state.active} is still active` };
    const silent = asked.filter(({ node }) => node === undefined);
    if (silent.length > 0)
      return {
        state: 'unknown',
        evidence: `no active pod among those that answer; ${silent.map(({ pod }) => pod.pod).join(', ')} did not`,
      };
    return { state: 'in-progress', evidence: 'no pod is active: an election is going on' };
  },

  undo: { irreversible: 'Leadership is not given back; any unsealed pod may lead.' },
};

function stateOf(before: Before): State {
  return before.state as unknown as State;
}

function wanted(input: BaoStepDownWith, active: Asked): boolean {
  return input.pod === undefined || input.pod === active.pod.pod;
}

async function ask(ctx: ReadContext, input: BaoStepDownWith): Promise<readonly Asked[] | undefined> {
  try {
    return await askEvery(ctx, input);
  } catch (error) {
    if (error instanceof StepError && !error.retryable) return undefined;
    throw error;
  }
}

/** The active pod; refuses when there is none, or nobody who could take over. */
function requireSuccessor(input: BaoStepDownWith, asked: readonly Asked[]): Asked {
  const active = activeOf(asked);
  const where = `in ${input.namespace}`;
  if (active === undefined)
    throw new StepError('no-active-pod', `No OpenBao pod ${where} is active.`, {
      outcome: 'not-applied',
      retryable: true,
      details: asked.map(({ pod, node, error }) =>
        node === undefined ? `${pod.pod}: ${error}` : `${pod.pod}: ${node.sealed ? 'sealed' : 'standby'}`,
      ),
      hint: 'Check that a majority of the pods is unsealed (bao.status).',
    });
  const heirs = asked.filter((item) => item !== active && item.node !== undefined && !item.node.sealed);
  if (heirs.length === 0 && wanted(input, active))
    throw new StepError(
      'no-successor',
      `No other unsealed OpenBao pod ${where} could take over from ${active.pod.pod}.`,
      {
        outcome: 'not-applied',
        hint: 'Unseal a standby first.',
      },
    );
  return active;
}

async function send(input: BaoStepDownWith, active: Asked, ctx: RunContext): Promise<void> {
  const token: unknown = input.token;
  const secret = token instanceof Secret ? token : Secret.fromText('token', String(token));
  try {
    await ctx.services.openbao.stepDown(active.pod, secret, ctx.signal);
  } catch (error) {
    if (!(error instanceof OpenBaoError)) throw error;
    const { status, outcome, retryable } = error;
    throw new StepError(
      status === 403 ? 'forbidden' : status === undefined ? 'unreachable' : 'openbao-error',
      `${active.pod.pod} did not step down: ${error.message}`,
      {
        outcome,
        retryable,
        cause: error,
        ...(status === 403 && { hint: 'The token needs update and sudo on sys/step-down.' }),
      },
    );
  }
}

async function awaitSuccessor(input: BaoStepDownWith, before: Asked, ctx: RunContext): Promise<string> {
  while (!ctx.signal.aborted) {
    // A blip of the API server says nothing about the election.
    const asked = await ask(ctx, input).catch(() => undefined);
    const active = asked === undefined ? undefined : activeOf(asked);
    if (active !== undefined && active.pod.pod !== before.pod.pod) return active.pod.pod;
    ctx.progress({ text: `waiting until another pod than ${before.pod.pod} is active` });
    await ctx.services.clock.sleep(pause, ctx.signal);
  }
  throw outOfTime(ctx, `${before.pod.pod} was asked to step down, but no other pod became active in time.`, {
    hint: 'It may have been elected again. Look with bao.status before its pod is deleted.',
  });
}
