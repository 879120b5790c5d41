import { createHash } from 'node:crypto';
import type { ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';

/** What a file holds that a step makes, noted before the file is complete. */
export interface FileMark {
  /** Hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
}

/** A file as it lies on the disk, against the notes of this step instance. */
export type FileSight =
  | { readonly state: 'absent' }
  | { readonly state: 'ours'; readonly mark: FileMark }
  | { readonly state: 'other' }
  /** It cannot be looked at. */
  | { readonly state: 'unknown'; readonly why: string };

const keepsake = 'file';

export function markOf(bytes: Uint8Array): FileMark {
  return { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
}

/** Notes what is about to become a file, durably: an encrypted file tells nobody whose it is. */
export async function keepMark(ctx: RunContext, mark: FileMark): Promise<void> {
  await ctx.keep(keepsake, Buffer.from(`${JSON.stringify(mark)}\n`));
}

/** Whether a file is one that this step instance made, now or before a crash. */
export async function lookAtFile(ctx: ReadContext, file: string): Promise<FileSight> {
  let size: number | undefined;
  try {
    size = (await ctx.services.files.stat(file))?.size;
  } catch (error) {
    return { state: 'unknown', why: messageOf(error) };
  }
  if (size === undefined) return { state: 'absent' };
  const marks = (await keptMarks(ctx)).filter(({ bytes }) => bytes === size);
  if (marks.length === 0) return { state: 'other' };
  try {
    const { sha256 } = markOf(await ctx.services.files.read(file, size));
    const mark = marks.find((known) => known.sha256 === sha256);
    return mark === undefined ? { state: 'other' } : { state: 'ours', mark };
  } catch (error) {
    return { state: 'unknown', why: messageOf(error) };
  }
}

/** Refuses a file that is there; a backup is never written over another. */
export async function requireNoFile(ctx: ReadContext, file: string): Promise<void> {
  const seen = await lookAtFile(ctx, file);
  if (seen.state === 'absent') return;
  throw new StepError(
    'file-exists',
    seen.state === 'unknown' ? `${file} cannot be looked at: ${seen.why}.` : `${file} exists already.`,
    {
      outcome: 'not-applied',
      hint: 'Nothing is ever overwritten: name a new file, for example with {{run.id}} in its name.',
    },
  );
}

/** Makes a new file, noted before, and reads it back. What happened to it when this fails, only a look tells. */
export async function createKept(ctx: RunContext, file: string, content: Uint8Array): Promise<FileMark> {
  const mark = markOf(content);
  await keepMark(ctx, mark);
  try {
    await ctx.services.files.create(file, content);
  } catch (cause) {
    throw new StepError('file-not-written', `${file} could not be written: ${messageOf(cause)}.`, {
      hint: 'Choose a folder that you may write to and that has room.',
      cause,
    });
  }
  const seen = await lookAtFile(ctx, file);
  if (seen.state === 'ours' && seen.mark.sha256 === mark.sha256) return mark;
  throw new StepError('file-not-written', `${file} does not hold what was written to it.`, {
    hint: 'Do not rely on it: look at the disk, and write to another file.',
  });
}

async function keptMarks(ctx: ReadContext): Promise<readonly FileMark[]> {
  const text = Buffer.from((await ctx.kept(keepsake)) ?? []).toString();
  // A crash may have left the beginning of an entry in front of a whole one.
  return [...text.matchAll(/\{"sha256":"([0-9a-f]{64})","bytes":(\d+)\}\n/g)].map(
    ([, sha256 = '', bytes]) => ({ sha256, bytes: Number(bytes) }),
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
