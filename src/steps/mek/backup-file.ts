import { hash } from 'node:crypto';
import { Secret } from '../../engine/secret.ts';
import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import { decryptBackup } from '../../keys/backup.ts';
import type { BackupContent } from '../../keys/backup-content.ts';
import { parseBackup } from '../../keys/backup-content.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import { parseProtected } from './document.ts';
import type { Problem } from './target.ts';
import { secretOf } from './target.ts';

/** The fields of a `with` that open a backup. */
export interface BackupKeys {
  readonly identity?: string | Secret;
  readonly passphrase?: string | Secret;
}

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

/** Exactly one of `identity` and `passphrase`; without either nothing can be decrypted, so nothing is proven. */
export function keyProblems({ identity, passphrase }: BackupKeys): readonly Problem[] {
  if (identity !== undefined && passphrase !== undefined)
    return [{ path: ['passphrase'], message: 'Give either identity or passphrase.' }];
  if (identity !== undefined || passphrase !== undefined) return [];
  return [
    {
      path: ['identity'],
      message: 'Without identity or passphrase the backup cannot be decrypted.',
      hint: 'Give the identity of one of the recipients as a secret input.',
    },
  ];
}

export function requireKey(keys: BackupKeys): void {
  const [problem] = keyProblems(keys);
  if (problem === undefined) return;
  throw new StepError('backup-unproven', problem.message, {
    outcome: 'not-applied',
    hint: problem.hint ?? 'Leave one of them out.',
  });
}

/** The plain content of encrypted bytes, or why there is none. Names neither key. */
export async function decrypt(
  bytes: Uint8Array,
  { identity, passphrase }: BackupKeys,
): Promise<Awaited<ReturnType<typeof decryptBackup>>> {
  return await (passphrase === undefined
    ? secretOf('identity', identity).revealText((text) => decryptBackup(bytes, { identity: text }))
    : secretOf('passphrase', passphrase).revealText((text) => decryptBackup(bytes, { passphrase: text })));
}

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
  const decrypted = await decrypt(bytes, keys);
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
