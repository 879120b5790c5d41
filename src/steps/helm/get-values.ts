import type { Secret } from '../../engine/secret.ts';
import type { Before, ChangeStepType, Observation, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { HelmGetValuesOutputs, HelmGetValuesWith } from '../../generated/types.ts';
import { createKept, type FileMark, localFile, lookAtFile, markOf } from '../backup/kept-file.ts';
import { requireRecipients, seal } from '../backup/sealing.ts';
import { asJson } from '../kubectl/observing.ts';
import { callHelm } from './call.ts';
import { valuesOf } from './object-diff.ts';
import {
  refOf,
  releaseName,
  releasePath,
  releaseProblems,
  releaseReadAccess,
  requireRelease,
} from './release-target.ts';
import { newestOf } from './revisions.ts';
import { secretPaths } from './values-secrets.ts';

interface State {
  readonly revision: number;
}

const largest = 4 * 1024 * 1024;

export const getValues: ChangeStepType<HelmGetValuesWith, HelmGetValuesOutputs> = {
  type: 'helm.get-values',
  effect: 'change',
  timeout: 60_000,
  describe: (input) =>
    `write the values of Helm release ${releaseName(input)} to ${input.file}${(input.recipients ?? []).length > 0 ? ', encrypted' : ''}`,
  resources: (input) => [
    { path: releasePath(input), mode: 'read' },
    { path: localFile(input.file), mode: 'write' },
  ],
  access: ({ namespace }) => releaseReadAccess(namespace),
  check: releaseProblems,

  async predict(input, ctx) {
    const revision = await revisionOf(ctx, input);
    const values = await yamlOf(ctx, input, revision);
    const secrets = await requireWay(ctx, input, revision);
    const found = await ctx.services.files.stat(input.file);
    if (found === undefined)
      return {
        predictable: true,
        changes: true,
        diff: [
          {
            path: input.file,
            after: `values of revision ${revision}, ${values.byteLength} bytes${sealedTo(input)}`,
          },
        ],
        outputs: { file: input.file, revision, encrypted: isSealed(input) },
        notes: notesOf(input, secrets),
        duration: { min: 0, max: 5_000 },
      };
    if (!isSealed(input) && (await isWritten(ctx, input, values)))
      return { predictable: true, changes: false, diff: [] };
    throw taken(input);
  },

  async capture(input, ctx) {
    const revision = await revisionOf(ctx, input);
    await requireWay(ctx, input, revision);
    return { state: { revision }, witnesses: [] };
  },

  async run(input, ctx) {
    const revision = await revisionOf(ctx, input);
    const values = await yamlOf(ctx, input, revision);
    await requireWay(ctx, input, revision);
    const seen = await lookAtFile(ctx, input.file);
    if (seen.state === 'ours') return outputsOf(input, revision, seen.mark);
    if (seen.state === 'unknown') throw unreadable(input, seen.why);
    if (seen.state === 'other') {
      if (isSealed(input) || !(await isWritten(ctx, input, values))) throw taken(input);
      return outputsOf(input, revision, values.reveal(markOf));
    }
    const content = isSealed(input) ? await seal(input, values) : values.reveal((bytes) => bytes.slice());
    return outputsOf(input, revision, await createKept(ctx, input.file, content));
  },

  async observe(input, before, ctx): Promise<Observation> {
    const { revision } = stateOf(before);
    const { file } = input;
    const seen = await lookAtFile(ctx, file);
    if (seen.state === 'absent') return { state: 'not-applied', evidence: `${file} does not exist` };
    if (seen.state === 'unknown')
      return { state: 'unknown', evidence: `could not look at ${file}: ${seen.why}` };
    if (seen.state === 'ours') return applied(input, revision, seen.mark);
    const other: Observation = { state: 'conflict', evidence: `${file} exists and holds something else` };
    if (isSealed(input)) return other;
    try {
      const values = await yamlOf(ctx, input, revision);
      return (await isWritten(ctx, input, values)) ? applied(input, revision, values.reveal(markOf)) : other;
    } catch (error) {
      if (!(error instanceof StepError) || error.retryable) throw error;
      return { state: 'unknown', evidence: `could not compare ${file}: ${error.message}` };
    }
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

async function yamlOf(ctx: ReadContext, input: HelmGetValuesWith, revision: number): Promise<Secret> {
  return await callHelm(() => ctx.services.helm.values({ ...refOf(input), revision }, ctx.signal));
}

function isSealed({ recipients = [] }: HelmGetValuesWith): boolean {
  return recipients.length > 0;
}

function sealedTo({ recipients = [] }: HelmGetValuesWith): string {
  if (recipients.length === 0) return ', in clear';
  return `, encrypted to ${recipients.length} ${recipients.length === 1 ? 'recipient' : 'recipients'}`;
}

/**
 * Values that look like secrets lie in no file in clear unless the author says so; gives the paths of those that do.
 * Recipients are tried before anything is written.
 */
async function requireWay(
  ctx: ReadContext,
  input: HelmGetValuesWith,
  revision: number,
): Promise<readonly string[]> {
  if (isSealed(input)) {
    await requireRecipients(input);
    return [];
  }
  const release = await callHelm(() => ctx.services.helm.release({ ...refOf(input), revision }, ctx.signal));
  const secrets = secretPaths(valuesOf(release));
  if (secrets.length === 0 || input.plain === true) return secrets;
  const more = secrets.length - most;
  throw new StepError(
    'values-hold-secrets',
    `The values of release ${releaseName(input)} seem to hold ${secrets.length === 1 ? 'a secret' : `${secrets.length} secrets`}; they are not written to ${input.file} in clear.`,
    {
      outcome: 'not-applied',
      details: [...secrets.slice(0, most), ...(more > 0 ? [`and ${more} more`] : [])],
      hint: 'Give recipients (age1…), and the file is encrypted to them. When none of these is a secret: plain: true.',
    },
  );
}

const most = 20;

function notesOf(input: HelmGetValuesWith, secrets: readonly string[]): readonly string[] {
  if (isSealed(input)) return [];
  return secrets.length === 0
    ? ['no value looks like a secret; the file is readable by its owner alone']
    : [`values that look like secrets lie in the file in clear: ${secrets.slice(0, most).join(', ')}`];
}

async function isWritten(ctx: ReadContext, input: HelmGetValuesWith, values: Secret): Promise<boolean> {
  const bytes = await ctx.services.files.read(input.file, largest).catch((cause: unknown) => {
    throw unreadable(input, cause instanceof Error ? cause.message : String(cause));
  });
  return values.reveal((wanted) => Buffer.from(wanted).equals(Buffer.from(bytes)));
}

function outputsOf(input: HelmGetValuesWith, revision: number, mark: FileMark): HelmGetValuesOutputs {
  return { file: input.file, revision, encrypted: isSealed(input), ...mark };
}

function applied(input: HelmGetValuesWith, revision: number, mark: FileMark): Observation {
  return {
    state: 'applied',
    evidence: `${input.file} holds the values of revision ${revision}`,
    outputs: asJson(outputsOf(input, revision, mark)),
  };
}

function taken(input: HelmGetValuesWith): StepError {
  return new StepError('file-exists', `${input.file} exists already and holds something else.`, {
    outcome: 'not-applied',
    hint: 'A backup is never overwritten: name another file, for example with {{run.id}} in it.',
  });
}

function unreadable(input: HelmGetValuesWith, why: string): StepError {
  return new StepError('file-unreadable', `${input.file} cannot be compared: ${why}.`, {
    outcome: 'not-applied',
    hint: 'Name another file.',
  });
}
