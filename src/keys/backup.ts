export type BackupRecipients =
  /** Public age recipients, `age1…`. */
  { readonly recipients: readonly string[] } | { readonly passphrase: string };

export type BackupKey = { readonly identity: string } | { readonly passphrase: string };

/** Encrypts with age. A recipient that is none is a problem, before anything is encrypted. */
export async function encryptBackup(
  _plain: Uint8Array,
  _to: BackupRecipients,
): Promise<
  { readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly problem: string }
> {
  throw new Error('not built');
}

/** The reverse. Says whether the identity is malformed, does not fit, or the file is damaged, without naming either. */
export async function decryptBackup(
  _bytes: Uint8Array,
  _key: BackupKey,
): Promise<
  { readonly ok: true; readonly plain: Uint8Array } | { readonly ok: false; readonly problem: string }
> {
  throw new Error('not built');
}
