import { Secret } from '../../engine/secret.ts';
import { StepError } from '../../engine/step-type.ts';
import { type BackupRecipients, decryptBackup, encryptBackup } from '../../keys/backup.ts';
import type { Problem } from '../mek/target.ts';
import { secretOf } from '../mek/target.ts';

/** The fields of a `with` that say whom a backup is encrypted to. */
export interface SealTo {
  readonly recipients?: readonly string[];
  readonly passphrase?: string | Secret;
}

/** The fields of a `with` that open a backup. */
export interface BackupKeys {
  readonly identity?: string | Secret;
  readonly passphrase?: string | Secret;
}

/** Encrypts with age. A recipient that is none is refused before anything is encrypted. */
export async function seal({ passphrase, recipients = [] }: SealTo, plain: Secret): Promise<Uint8Array> {
  const encrypt = (to: BackupRecipients) => plain.reveal((bytes) => encryptBackup(bytes, to));
  const made = await (passphrase === undefined
    ? encrypt({ recipients })
    : secretOf('passphrase', passphrase).revealText((text) => encrypt({ passphrase: text })));
  if (made.ok) return made.bytes;
  throw new StepError('backup-recipients', made.problem, { outcome: 'not-applied' });
}

/** The plain content of encrypted bytes, or why there is none. Names neither key. */
export async function unseal(
  bytes: Uint8Array,
  { identity, passphrase }: BackupKeys,
): Promise<Awaited<ReturnType<typeof decryptBackup>>> {
  return await (passphrase === undefined
    ? secretOf('identity', identity).revealText((text) => decryptBackup(bytes, { identity: text }))
    : secretOf('passphrase', passphrase).revealText((text) => decryptBackup(bytes, { passphrase: text })));
}

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

/** Tries recipients on nothing of value, before anything is read. */
export async function requireRecipients(to: SealTo): Promise<void> {
  await seal(to, Secret.fromText('trial', 'trial'));
}

/** The plain content of a file that is to be restored from. */
export async function openSealed(file: string, bytes: Uint8Array, keys: BackupKeys): Promise<Uint8Array> {
  requireKey(keys);
  const opened = await unseal(bytes, keys);
  if (opened.ok) return opened.plain;
  throw new StepError('backup-unreadable', `${file} cannot be restored: ${opened.problem}`, {
    outcome: 'not-applied',
    hint: 'Check that it is the right file and the right identity; another copy may be whole.',
  });
}
