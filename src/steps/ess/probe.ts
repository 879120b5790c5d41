import { randomBytes } from 'node:crypto';
import { Secret } from '../../engine/secret.ts';
import type { Access, ChangeStepType, Observation, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { EssProbeOutputs, EssProbeWith } from '../../generated/types.ts';
import { observeOrUnknown } from '../kubectl/observing.ts';
import { connect } from '../mek/openbao.ts';
import { groupProblems, openbaoAccess } from '../mek/target.ts';
import { requirePolicy } from '../mek/token.ts';
import { outOfTime } from '../out-of-time.ts';
import { portForwardAccess } from '../pod-access.ts';
import {
  bearerFor,
  deleteSecret,
  entityOf,
  essPods,
  givenBearer,
  hashOf,
  readSecret,
  type SecretCall,
  signPath,
  writeSecret,
} from './secret-call.ts';
import { lastTrace, type Trace, trace } from './trace.ts';

/** A write without an answer may still be carried out for as long. Milliseconds. */
const landing = 10_000;

export const probe: ChangeStepType<EssProbeWith, EssProbeOutputs> = {
  type: 'ess.probe',
  effect: 'change',
  timeout: 2 * 60_000,
  describe: ({ ess }) => `write, read and delete a secret through every pod of ESS in ${ess?.namespace}`,
  resources: ({ ess, essNamespace = 'nvcf', entityType = 'functions' }) => [
    { path: ['ess', ess.namespace, essNamespace, entityType].map(segment).join('/'), mode: 'write' },
    { path: `kubernetes/${segment(ess.namespace)}/pods/*`, mode: 'read' },
  ],
  access: (input): readonly Access[] => [
    ...portForwardAccess(input.ess.namespace),
    ...(input.bearer !== undefined || input.openbao === undefined
      ? []
      : openbaoAccess(input.openbao, [{ path: signPath(input), capabilities: ['update'] }])),
  ],
  check: (input) => [
    ...groupProblems('ess', input.ess),
    ...groupProblems('openbao', input.openbao),
    ...(input.openbao === undefined && input.bearer === undefined
      ? [{ path: ['openbao'], message: 'Give openbao, where a token for ESS is signed, or bearer.' }]
      : []),
  ],

  async predict(input, ctx) {
    const pods = await prepare(input, ctx);
    return {
      predictable: true,
      changes: true,
      diff: [],
      notes: [`a throw-away secret is written, read and deleted through ${pods.join(', ')}`],
      duration: { min: pods.length * 200, max: pods.length * 30_000 },
    };
  },

  async capture(input, ctx) {
    return { state: { pods: await prepare(input, ctx) }, witnesses: [] };
  },

  async run(input, ctx) {
    const pods = await essPods(ctx, input);
    const bearer = await bearerFor(ctx, input);
    const entity = entityOf(ctx.operationKey);
    const failures: string[] = [];
    for (const pod of pods) {
      if (ctx.signal.aborted) throw outOfTime(ctx, `The probe was stopped before ${pod}.`);
      ctx.progress({ text: `asking ${pod}` });
      const failure = await probePod(ctx, { input, entity, pod, bearer });
      if (failure !== undefined) failures.push(failure);
    }
    if ((await lastTrace(ctx)).at === 'put')
      // What cannot be deleted now is left to the undo.
      await clearUp(ctx, { input, entity, bearer }).catch(() => undefined);
    if (failures.length > 0)
      throw new StepError('probe-failed', `${failures.length} of ${pods.length} pods of ESS failed.`, {
        retryable: true,
        details: failures,
        hint: 'Look at the log of such a pod for "Failed encryption key validation" or "Master key does not exist".',
      });
    await trace(ctx, { at: 'done', pods });
    return outputsOf(entity, pods);
  },

  observe: (input, _before, ctx) =>
    observeOrUnknown(async () => {
      const last = await lastTrace(ctx);
      const entity = entityOf(ctx.operationKey);
      if (last.at === 'nothing') return { state: 'not-applied', evidence: 'nothing of the probe is in ESS' };
      if (last.at === 'put') return await judgeLeftOver(input, ctx, { entity, last });
      const evidence = `each pod gave back what it was given: ${last.pods.join(', ')}`;
      return { state: 'applied', evidence, outputs: { ...outputsOf(entity, last.pods) } };
    }),

  undoes: 'delete what is left of the throw-away secret',

  async undo(input, _before, _outputs, ctx) {
    if ((await lastTrace(ctx)).at !== 'put') return await trace(ctx, { at: 'nothing' });
    const bearer = await bearerFor(ctx, input);
    await clearUp(ctx, { input, entity: entityOf(ctx.operationKey), bearer });
  },
};

function segment(name: string): string {
  return /[‹\s/]/.test(name) ? '*' : name;
}

function outputsOf(entity: string, pods: readonly string[]): EssProbeOutputs {
  return { pods: pods.map((pod) => ({ pod, ok: true })), entity };
}

/** The pods, and proof that a token can be had. */
async function prepare(input: EssProbeWith, ctx: ReadContext): Promise<readonly string[]> {
  const pods = await essPods(ctx, input);
  if (input.bearer === undefined && input.openbao !== undefined)
    await requirePolicy(ctx, await connect(ctx, input.openbao), [
      { path: signPath(input), capabilities: ['update'] },
    ]);
  return pods;
}

/** Undefined: the pod gave back what it was given, and nothing is left of it. */
async function probePod(ctx: RunContext, call: SecretCall): Promise<string | undefined> {
  const value = Secret.fromText('probe', randomBytes(32).toString('base64url'));
  ctx.protect(value);
  await trace(ctx, { at: 'put', time: ctx.services.clock.now(), hash: value.revealText(hashOf) });
  let failure: string | undefined;
  try {
    await writeSecret(ctx, call, value);
    const back = await readSecret(ctx, call);
    const same = back !== undefined && value.equals(Secret.fromText('probe', back));
    if (!same) failure = `${call.pod} gave back ${back === undefined ? 'nothing' : 'something else'}`;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    failure = error.message;
  }
  try {
    await deleteSecret(ctx, call);
    await trace(ctx, { at: 'nothing' });
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    return [failure, error.message].filter((text) => text !== undefined).join(' ');
  }
  return failure;
}

async function judgeLeftOver(
  input: EssProbeWith,
  ctx: ReadContext,
  { entity, last }: { readonly entity: string; readonly last: Extract<Trace, { at: 'put' }> },
): Promise<Observation> {
  const { entityType = 'functions' } = input;
  const where = `${entityType}/${entity}`;
  if (ctx.services.clock.now() - last.time < landing)
    return { state: 'in-progress', evidence: `a write of a moment ago may still reach ${where}` };
  const bearer = givenBearer(input);
  if (bearer === undefined)
    return { state: 'not-applied', partial: true, evidence: `a secret of the probe may lie under ${where}` };
  const [pod = ''] = await essPods(ctx, input);
  const back = await readSecret(ctx, { input, entity, pod, bearer });
  if (back === undefined) return { state: 'not-applied', evidence: `nothing lies under ${where}` };
  if (hashOf(back) === last.hash)
    return { state: 'not-applied', partial: true, evidence: `the secret of the probe lies under ${where}` };
  return { state: 'conflict', evidence: `somebody else wrote a secret under ${where}` };
}

/** Deletes what was left, through the first pod that does it. */
async function clearUp(ctx: RunContext, call: Omit<SecretCall, 'pod'>): Promise<void> {
  let failure: unknown;
  for (const pod of await essPods(ctx, call.input)) {
    try {
      await deleteSecret(ctx, { ...call, pod });
      await trace(ctx, { at: 'nothing' });
      return;
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      failure = error;
    }
  }
  throw failure;
}
