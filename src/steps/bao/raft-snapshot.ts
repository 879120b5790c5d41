import { createHash } from 'node:crypto';
import type { ChangeStepType, Observation, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { BaoRaftSnapshotOutputs, BaoRaftSnapshotWith } from '../../generated/types.ts';
import { OpenBaoError } from '../../services/openbao.ts';
import { type FileMark, keepMark, lookAtFile, requireNoFile } from '../backup/kept-file.ts';
import { portForwardAccess } from '../pod-access.ts';
import { requireActive, tokenOf } from './active.ts';
import { baoResources, targetProblems } from './nodes.ts';

export const raftSnapshot: ChangeStepType<BaoRaftSnapshotWith, BaoRaftSnapshotOutputs> = {
  type: 'bao.raft-snapshot',
  effect: 'change',
  timeout: 15 * 60_000,
  describe: (input) => `save a raft snapshot of OpenBao in ${input.namespace} to ${input.file}`,
  resources: (input) => [
    { path: `local/${encodeURIComponent(input.file)}`, mode: 'write' },
    ...baoResources(input, 'read'),
  ],
  access: (input) => [
    ...portForwardAccess(input.namespace),
    { system: 'openbao', path: 'sys/storage/raft/snapshot', capabilities: ['read'] },
  ],
  check: targetProblems,

  async predict(input, ctx) {
    await requireNoFile(ctx, input.file);
    await requireActive(ctx, input);
    return {
      predictable: true,
      changes: true,
      diff: [{ path: input.file, after: '‹a new file›' }],
      outputs: { file: input.file },
      duration: { min: 500, max: 120_000 },
    };
  },

  async capture(input, ctx) {
    await requireNoFile(ctx, input.file);
    return { state: null, witnesses: [] };
  },

  async run(input, ctx) {
    const pod = await requireActive(ctx, input);
    const pieces = ctx.services.openbao.raftSnapshot(pod, tokenOf(input.token), ctx.signal);
    let taken: FileMark | undefined;
    try {
      await ctx.services.files.create(
        input.file,
        watched(pieces, ctx, (known) => {
          taken = known;
        }),
      );
    } catch (error) {
      throw failureOf(error, input);
    }
    if (taken === undefined) throw new StepError('no-snapshot', `${input.file} was made without a snapshot.`);
    return { file: input.file, ...taken };
  },

  async observe(input, _before, ctx): Promise<Observation> {
    const { file } = input;
    const seen = await lookAtFile(ctx, file);
    if (seen.state === 'unknown') return { state: 'unknown', evidence: `${file} cannot be looked at` };
    if (seen.state === 'absent') return { state: 'not-applied', evidence: `${file} does not exist` };
    if (seen.state === 'other')
      return {
        state: 'conflict',
        evidence: `${file} exists and is not the whole snapshot that this step took; look at it and remove it`,
      };
    const { mark } = seen;
    return {
      state: 'applied',
      evidence: `${file} has ${mark.bytes} bytes with the SHA-256 ${mark.sha256}`,
      outputs: { file, ...mark },
    };
  },

  undo: { irreversible: 'A snapshot is kept: it changes nothing, and may be what is needed next.' },
};

/** The pieces on their way into the file; what they were is kept before the file is complete, and only when all of them came. */
async function* watched(
  pieces: AsyncIterable<Uint8Array>,
  ctx: RunContext,
  done: (taken: FileMark) => void,
): AsyncIterable<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of pieces) {
    hash.update(piece);
    bytes += piece.length;
    ctx.progress({ text: `${bytes} bytes` });
    yield piece;
  }
  const taken: FileMark = { sha256: hash.digest('hex'), bytes };
  await keepMark(ctx, taken);
  done(taken);
}

function failureOf(error: unknown, { file }: BaoRaftSnapshotWith): unknown {
  if (error instanceof StepError || !(error instanceof Error)) return error;
  if (!(error instanceof OpenBaoError))
    return new StepError('file-not-created', error.message, { outcome: 'unknown', cause: error });
  const { status, outcome, retryable } = error;
  return new StepError(
    status === 403 ? 'policy-missing' : 'no-snapshot',
    `No snapshot for ${file}: ${error.message}`,
    {
      outcome,
      retryable,
      cause: error,
      ...(status === 403 && {
        details: ['path "sys/storage/raft/snapshot" {', '  capabilities = ["read"]', '}'],
        hint: 'Give the token a policy with this rule.',
      }),
    },
  );
}
