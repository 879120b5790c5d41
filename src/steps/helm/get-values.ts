import { createHash } from 'node:crypto';
import type { Secret } from '../../engine/secret.ts';
import type { Before, ChangeStepType, Observation, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { HelmGetValuesOutputs, HelmGetValuesWith } from '../../generated/types.ts';
import { callHelm } from './call.ts';
import {
  refOf,
  releaseName,
  releasePath,
  releaseProblems,
  releaseReadAccess,
  requireRelease,
} from './release-target.ts';
import { newestOf } from './revisions.ts';

interface State {
  readonly revision: number;
}

const largest = 4 * 1024 * 1024;

export const getValues: ChangeStepType<HelmGetValuesWith, HelmGetValuesOutputs> = {
  type: 'helm.get-values',
  effect: 'change',
  timeout: 60_000,
  describe: (input) => `write the values of Helm release ${releaseName(input)} to ${input.file}`,
  resources: (input) => [
    { path: releasePath(input), mode: 'read' },
    { path: `local/${input.file.includes('‹') ? '*' : encodeURIComponent(input.file)}`, mode: 'write' },
  ],
  access: ({ namespace }) => releaseReadAccess(namespace),
  check: releaseProblems,

  async predict(input, ctx) {
    const revision = await revisionOf(ctx, input);
    const found = await ctx.services.files.stat(input.file);
    const values = await valuesOf(ctx, input, revision);
    if (found === undefined)
      return {
        predictable: true,
        changes: true,
        diff: [{ path: input.file, after: `values of revision ${revision}, ${values.byteLength} bytes` }],
        outputs: { file: input.file, revision, bytes: values.byteLength },
        notes: ['the values may hold credentials in clear; the file is readable by its owner alone'],
        duration: { min: 0, max: 5_000 },
      };
    if (await isWritten(ctx, input, values)) return { predictable: true, changes: false, diff: [] };
    throw taken(input);
  },

  async capture(input, ctx) {
    return { state: { revision: await revisionOf(ctx, input) }, witnesses: [] };
  },

  async run(input, ctx) {
    const revision = await revisionOf(ctx, input);
    const values = await valuesOf(ctx, input, revision);
    if ((await ctx.services.files.stat(input.file)) !== undefined) {
      if (!(await isWritten(ctx, input, values))) throw taken(input);
    } else await write(ctx.services.files, input, values);
    return outputsOf(input, revision, values);
  },

  async observe(input, before, ctx): Promise<Observation> {
    const { revision } = stateOf(before);
    const found = await ctx.services.files.stat(input.file);
    if (found === undefined) return { state: 'not-applied', evidence: `${input.file} does not exist` };
    try {
      const values = await valuesOf(ctx, input, revision);
      if (await isWritten(ctx, input, values))
        return {
          state: 'applied',
          evidence: `${input.file} holds the values of revision ${revision}`,
          outputs: outputsOf(input, revision, values) as never,
        };
    } catch (error) {
      if (!(error instanceof StepError) || error.retryable) throw error;
      return { state: 'unknown', evidence: `could not compare ${input.file}: ${error.message}` };
    }
    return { state: 'conflict', evidence: `${input.file} exists and holds something else` };
  },

  undo: { irreversible: 'A backup is kept.' },
};

function stateOf(before: Before): State {
  return before.state as unknown as State;
}

async function revisionOf(ctx: ReadContext, input: HelmGetValuesWith): Promise<number> {
  requireRelease(input);
  if (input.revision !== undefined) return input.revision;
  return newestOf(await callHelm(() => ctx.services.helm.history(refOf(input), ctx.signal))).revision;
}

async function valuesOf(ctx: ReadContext, input: HelmGetValuesWith, revision: number): Promise<Secret> {
  return await callHelm(() => ctx.services.helm.values({ ...refOf(input), revision }, ctx.signal));
}

async function isWritten(ctx: ReadContext, input: HelmGetValuesWith, values: Secret): Promise<boolean> {
  const bytes = await ctx.services.files.read(input.file, largest).catch((cause: unknown) => {
    throw unreadable(input, cause);
  });
  return values.reveal((wanted) => Buffer.from(wanted).equals(Buffer.from(bytes)));
}

function outputsOf(input: HelmGetValuesWith, revision: number, values: Secret): HelmGetValuesOutputs {
  const sha256 = values.reveal((bytes) => createHash('sha256').update(bytes).digest('hex'));
  return { file: input.file, revision, bytes: values.byteLength, sha256 };
}

async function write(
  files: { create(path: string, content: Uint8Array): Promise<void> },
  input: HelmGetValuesWith,
  values: Secret,
): Promise<void> {
  try {
    await values.reveal((bytes) => files.create(input.file, bytes));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StepError('file-not-written', `The values could not be written to ${input.file}: ${why}.`, {
      hint: 'Choose a folder that you may write to and that has room.',
      cause,
    });
  }
}

function taken(input: HelmGetValuesWith): StepError {
  return new StepError('file-exists', `${input.file} exists already and holds something else.`, {
    outcome: 'not-applied',
    hint: 'A backup is never overwritten: name another file, for example with {{run.id}} in it.',
  });
}

function unreadable(input: HelmGetValuesWith, cause: unknown): StepError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new StepError('file-unreadable', `${input.file} cannot be compared: ${why}.`, {
    outcome: 'not-applied',
    hint: 'Name another file.',
    cause,
  });
}
