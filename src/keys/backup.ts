import type { Decrypter } from 'age-encryption';

export type BackupRecipients =
  /** Public age recipients, `age1…`. */
  { readonly recipients: readonly string[] } | { readonly passphrase: string };

export type BackupKey =
  /** `AGE-SECRET-KEY-…`, or the text of an identity file: one a line, lines with `#` are comments. */
  { readonly identity: string } | { readonly passphrase: string };

type Problem = { readonly ok: false; readonly problem: string };

/** Encrypts with age. A recipient that is none is a problem, before anything is encrypted. */
export async function encryptBackup(
  plain: Uint8Array,
  to: BackupRecipients,
): Promise<{ readonly ok: true; readonly bytes: Uint8Array } | Problem> {
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  if ('passphrase' in to) {
    if (to.passphrase === '') return problem('The passphrase is empty.');
    encrypter.setPassphrase(to.passphrase);
    return { ok: true, bytes: await encrypter.encrypt(plain) };
  }
  if (to.recipients.length === 0) return problem('No recipient is given.');
  for (const [index, recipient] of to.recipients.entries()) {
    const place = `Recipient ${index + 1} of ${to.recipients.length}`;
    // An identity in the wrong place is a secret: not even its beginning is repeated.
    if (/secret/i.test(recipient))
      return problem(`${place} is an identity (secret); its public half, age1…, is needed.`);
    try {
      encrypter.addRecipient(recipient);
    } catch {
      return problem(`${place} is no age recipient (age1…).`);
    }
  }
  return { ok: true, bytes: await encrypter.encrypt(plain) };
}

/** The reverse. Says whether the identity is malformed, does not fit, or the file is damaged, without naming either. */
export async function decryptBackup(
  bytes: Uint8Array,
  key: BackupKey,
): Promise<{ readonly ok: true; readonly plain: Uint8Array } | Problem> {
  const age = await import('age-encryption');
  const decrypter = new age.Decrypter();
  const refused = addKey(decrypter, key);
  if (refused !== undefined) return problem(refused);
  try {
    return { ok: true, plain: await decrypter.decrypt(bytes) };
  } catch (error) {
    // The library's other messages are about the file's form; some repeat what they were given.
    const unmatched = error instanceof Error && error.message.startsWith('no identity matched');
    return problem(
      unmatched
        ? `The backup was not encrypted to this ${'passphrase' in key ? 'passphrase' : 'identity'}, or its header is damaged.`
        : 'The backup is damaged, or not an age file.',
    );
  }
}

function addKey(decrypter: Decrypter, key: BackupKey): string | undefined {
  if ('passphrase' in key) {
    decrypter.addPassphrase(key.passphrase);
    return undefined;
  }
  const identities = key.identity
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (identities.length === 0) return 'No age identity is given.';
  for (const [index, identity] of identities.entries())
    try {
      decrypter.addIdentity(identity);
    } catch {
      return `Identity ${index + 1} of ${identities.length} is no age identity (AGE-SECRET-KEY-1…).`;
    }
  return undefined;
}

function problem(text: string): Problem {
  return { ok: false, problem: text };
}
