import { createHash } from 'node:crypto';
import type { ChangeStepType, Observation, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { BaoRaftSnapshotOutputs, BaoRaftSnapshotWith } from '../../generated/types.ts';
import { OpenBaoError } from '../../services/openbao.ts';
import { portForwardAccess } from '../pod-access.ts';
import { requireActive, tokenOf } from './active.ts';
import { baoResources, targetProblems } from './nodes.ts';

/** What was streamed into the file, kept before the file is complete. */
interface Taken {
  readonly sha256: string;
  readonly bytes: number;
}

const keepsake = 'snapshot';

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
    await requireNoFile(input, ctx);
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
    await requireNoFile(input, ctx);
    return { state: null, witnesses: [] };
  },

  async run(input, ctx) {
    const pod = await requireActive(ctx, input);
    const pieces = ctx.services.openbao.raftSnapshot(pod, tokenOf(input.token), ctx.signal);
    let taken: Taken | undefined;
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
    const size = await sizeOf(input, ctx);
    if (size === 'unknown') return { state: 'unknown', evidence: `${file} cannot be looked at` };
    if (size === undefined) return { state: 'not-applied', evidence: `${file} does not exist` };
    const taken = await lastTaken(ctx);
    if (taken === undefined || taken.bytes !== size || (await sha256Of(file, size, ctx)) !== taken.sha256)
      return {
        state: 'conflict',
        evidence: `${file} exists and is not the whole snapshot that this step took; look at it and remove it`,
      };
    return {
      state: 'applied',
      evidence: `${file} has ${taken.bytes} bytes with the SHA-256 ${taken.sha256}`,
      outputs: { file, ...taken },
    };
  },

  undo: { irreversible: 'A snapshot is kept: it changes nothing, and may be what is needed next.' },
};

async function requireNoFile(input: BaoRaftSnapshotWith, ctx: ReadContext): Promise<void> {
  const size = await sizeOf(input, ctx);
  if (size === undefined) return;
  throw new StepError(
    'file-exists',
    `${input.file} ${size === 'unknown' ? 'cannot be looked at' : 'exists'}.`,
    {
      outcome: 'not-applied',
      hint: 'Nothing is ever overwritten: name a new file, for example with {{run.id}} in its name.',
    },
  );
}

async function sizeOf(
  { file }: BaoRaftSnapshotWith,
  { services }: ReadContext,
): Promise<number | undefined | 'unknown'> {
  try {
    return (await services.files.stat(file))?.size;
  } catch {
    return 'unknown';
  }
}

/** The pieces on their way into the file; what they were is kept before the file is complete, and only when all of them came. */
async function* watched(
  pieces: AsyncIterable<Uint8Array>,
  ctx: RunContext,
  done: (taken: Taken) => void,
): AsyncIterable<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of pieces) {
    hash.update(piece);
    bytes += piece.length;
    ctx.progress({ text: `${bytes} bytes` });
    yield piece;
  }
  const taken: Taken = { sha256: hash.digest('hex'), bytes };
  await ctx.keep(keepsake, Buffer.from(`${JSON.stringify(taken)}\n`));
  done(taken);
}

async function lastTaken(ctx: ReadContext): Promise<Taken | undefined> {
  const text = Buffer.from((await ctx.kept(keepsake)) ?? []).toString();
  // A crash may have left the beginning of an entry in front of a whole one.
  const [, sha256, bytes] = [...text.matchAll(/\{"sha256":"([0-9a-f]{64})","bytes":(\d+)\}\n/g)].at(-1) ?? [];
  return sha256 === undefined ? undefined : { sha256, bytes: Number(bytes) };
}

async function sha256Of(file: string, size: number, { services }: ReadContext): Promise<string> {
  return createHash('sha256')
    .update(await services.files.read(file, size))
    .digest('hex');
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
