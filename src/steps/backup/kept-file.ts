import { createHash } from 'node:crypto';
import type { JsonObject } from '../../engine/json.ts';
import type { Observation, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import { asJson } from '../kubectl/observing.ts';

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
const remarks = 'about';

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

/**
 * Makes a new file, noted before with what is to be said about it, and reads it back. What happened to it when this fails, only a look
 * tells.
 */
export async function createKept(
  ctx: RunContext,
  file: string,
  content: Uint8Array,
  about?: object,
): Promise<FileMark> {
  const mark = markOf(content);
  if (about !== undefined)
    await ctx.keep(remarks, Buffer.from(`${JSON.stringify({ sha256: mark.sha256, about })}\n`));
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

/** What was said about a file when it was made. */
export async function aboutFile(ctx: ReadContext, { sha256 }: FileMark): Promise<JsonObject | undefined> {
  const text = Buffer.from((await ctx.kept(remarks)) ?? []).toString();
  for (const line of text.split('\n').reverse()) {
    // A crash may have left the beginning of a line in front of a whole one.
    const at = line.lastIndexOf('{"sha256":"');
    if (at < 0 || !line.startsWith(`{"sha256":"${sha256}"`, at)) continue;
    try {
      return (JSON.parse(line.slice(at)) as { about: JsonObject }).about;
    } catch {
      // Cut off: an earlier line may tell.
    }
  }
  return undefined;
}

/** How the step that makes a file stands, from the file alone. */
export async function observeKept(
  ctx: ReadContext,
  file: string,
  outputsOf: (mark: FileMark, about: JsonObject) => object,
): Promise<Observation> {
  const seen = await lookAtFile(ctx, file);
  if (seen.state === 'absent') return { state: 'not-applied', evidence: `${file} does not exist` };
  if (seen.state === 'unknown')
    return { state: 'unknown', evidence: `could not look at ${file}: ${seen.why}` };
  const about = seen.state === 'ours' ? await aboutFile(ctx, seen.mark) : undefined;
  if (seen.state === 'other' || about === undefined)
    return { state: 'conflict', evidence: `${file} exists, and this step did not make it` };
  return {
    state: 'applied',
    evidence: `${file} has ${seen.mark.bytes} bytes with the SHA-256 ${seen.mark.sha256}`,
    outputs: asJson(outputsOf(seen.mark, about)),
  };
}

async function keptMarks(ctx: ReadContext): Promise<readonly FileMark[]> {
  const text = Buffer.from((await ctx.kept(keepsake)) ?? []).toString();
  // A crash may have left the beginning of an entry in front of a whole one.
  return [...text.matchAll(/\{"sha256":"([0-9a-f]{64})","bytes":(\d+)\}\n/g)].map(
    ([, sha256 = '', bytes]) => ({ sha256, bytes: Number(bytes) }),
  );
}

/** The bytes of a file that a step is to restore from. */
export async function readWhole(ctx: ReadContext, file: string, limit: number): Promise<Uint8Array> {
  try {
    if ((await ctx.services.files.stat(file)) !== undefined)
      return await ctx.services.files.read(file, limit);
  } catch (error) {
    throw new StepError('file-unreadable', `${messageOf(error)}.`, { outcome: 'not-applied', cause: error });
  }
  throw new StepError('not-found', `There is no file ${file}.`, { outcome: 'not-applied' });
}

/** The path of a local file as a resource. */
export function localFile(file: string): string {
  return `local/${file.includes('‹') ? '*' : encodeURIComponent(file)}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
