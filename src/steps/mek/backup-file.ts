import { hash } from 'node:crypto';
import { Secret } from '../../engine/secret.ts';
import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { BackupContent } from '../../keys/backup-content.ts';
import { parseBackup } from '../../keys/backup-content.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import { type BackupKeys, unseal } from '../backup/sealing.ts';
import { parseProtected } from './document.ts';

/** A backup that was opened. */
export interface OpenBackup {
  /** Where the copy is from. */
  readonly origin: Omit<BackupContent, 'data'>;
  readonly data: Secret;
  readonly document: MekDocument;
  /** Of the file. */
  readonly sha256: string;
  readonly bytes: number;
}

// A document of a hundred keys has 60 kB.
const mostBytes = 4 * 1024 * 1024;

/** Undefined when no file is there. */
export async function readBackupFile(ctx: ReadContext, file: string): Promise<Uint8Array | undefined> {
  try {
    if ((await ctx.services.files.stat(file)) === undefined) return undefined;
    return await ctx.services.files.read(file, mostBytes);
  } catch (error) {
    throw unreadableFile(error);
  }
}

export async function fileExists(ctx: ReadContext, file: string): Promise<boolean> {
  try {
    return (await ctx.services.files.stat(file)) !== undefined;
  } catch (error) {
    throw unreadableFile(error);
  }
}

// The file service names the file and the cause.
function unreadableFile(error: unknown): StepError {
  return new StepError('file-unreadable', `${messageOf(error)}.`, { outcome: 'not-applied', cause: error });
}

/** Decrypts and checks a backup down to its keys, all of which are protected; or says why it is none. */
export async function openBackup(
  ctx: ReadContext,
  bytes: Uint8Array,
  keys: BackupKeys,
): Promise<
  | { readonly ok: true; readonly backup: OpenBackup }
  | { readonly ok: false; readonly problem: string; readonly details: readonly string[] }
> {
  const decrypted = await unseal(bytes, keys);
  if (!decrypted.ok) return { ...decrypted, details: [] };
  const parsed = parseBackup(decrypted.plain);
  if (!parsed.ok) return { ...parsed, details: [] };
  const { data: fields, ...origin } = parsed.content;
  const data = new Secret('master keys', fields);
  const read = parseProtected(ctx, data);
  if (!read.ok)
    return { ok: false, problem: 'It holds no valid master key document.', details: read.problems };
  const { document } = read;
  const sha256 = hash('sha256', bytes, 'hex');
  return { ok: true, backup: { origin, data, document, sha256, bytes: bytes.length } };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
