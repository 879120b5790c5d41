import { minPatternLength } from '../../engine/redactor-encodings.ts';
import { Secret } from '../../engine/secret.ts';
import type { ReadContext, ReadStepType } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { BaoKvGetOutputs, BaoKvGetWith } from '../../generated/types.ts';
import type { KvRead } from '../../services/openbao.ts';
import { requireActive } from './active.ts';
import {
  kvAccess,
  kvName,
  kvProblems,
  kvResources,
  readMetadata,
  readSecret,
  requireVersioned,
  withFields,
} from './kv.ts';

export const kvGet: ReadStepType<BaoKvGetWith, BaoKvGetOutputs> = {
  type: 'bao.kv-get',
  effect: 'read',
  timeout: 60_000,
  describe: (input) =>
    `read ${input.version === undefined ? '' : `version ${input.version} of `}${kvName(input)} in OpenBao`,
  resources: (input) => kvResources(input, 'read'),
  access: (input) => kvAccess(input, { data: ['read'], metadata: ['read'] }),
  check: kvProblems,

  async run(input, ctx) {
    const pod = await requireActive(ctx, input);
    await requireVersioned(ctx, pod, input);
    const read = await readSecret(ctx, pod, input);
    const metadata = await readMetadata(ctx, pod, input);
    const found = read.state === 'found';
    return {
      exists: found,
      state: found ? 'found' : read.reason,
      version: read.version ?? 0,
      createdTime: found ? read.createdTime : '',
      fields: found ? withFields(read.data, (fields) => Object.keys(fields).sort()) : [],
      currentVersion: metadata?.currentVersion ?? 0,
      oldestVersion: metadata?.versions[0]?.version ?? 0,
      casRequired: metadata?.casRequired ?? false,
      maxVersions: metadata?.maxVersions ?? 0,
      ...(found && input.field !== undefined && { value: fieldOf(input, read, ctx) }),
    };
  },

  async reread(_field, input, { version }, ctx) {
    const pod = await requireActive(ctx, input);
    const read = await readSecret(ctx, pod, { ...input, version });
    if (read.state === 'found') return fieldOf(input, read, ctx);
    throw new StepError(
      `kv-${read.reason}`,
      `Version ${version} of ${kvName(input)}, which this run has read, cannot be read again: it is ${read.reason === 'absent' ? 'not kept any more' : read.reason}.`,
      { outcome: 'not-applied', hint: 'Start a new run, which reads the newest version.' },
    );
  },
};

function fieldOf(input: BaoKvGetWith, read: Extract<KvRead, { state: 'found' }>, ctx: ReadContext): Secret {
  const { field = '' } = input;
  return withFields(read.data, (fields) => {
    const value = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (typeof value !== 'string' || value === '')
      throw new StepError(
        'field-missing',
        `Version ${read.version} of ${kvName(input)} has no text in a field "${field}".`,
        { outcome: 'not-applied', hint: `Its fields: ${Object.keys(fields).sort().join(', ')}.` },
      );
    if (Buffer.byteLength(value) < minPatternLength)
      throw new StepError(
        'secret-too-short',
        `Field "${field}" of ${kvName(input)} has fewer than ${minPatternLength} bytes, too few to be hidden in output.`,
        { outcome: 'not-applied', hint: 'Use a longer secret.' },
      );
    const secret = Secret.fromText(`${kvName(input)} ${field}`, value);
    ctx.protect(secret);
    return secret;
  });
}
