import { expect } from 'vitest';
import { encryptBackup } from '../../src/keys/backup.ts';
import { backupContent } from '../../src/keys/backup-content.ts';
import { AGE_PAIR } from '../../src/sandbox/inputs.ts';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { activateKey, appendKey, documentOf, encoded, jwk, newer, setOf } from '../sandbox/keys-rig.ts';

/** The kid that other operators give to the keys that they make here. */
export const otherKid = newer[0];

/** What the published procedure does: a new key in front of `keys`, and the whole of `keys` written over `private_jwks`. */
export function rotateByTheBook(sandbox: Sandbox): void {
  const keys = encoded([jwk(otherKid, 7), ...setOf(documentOf(sandbox), 'keys')]);
  const jwe_mapping = JSON.stringify({ payload_jwe_kid: otherKid });
  const data = { keys, private_jwks: keys, current_kid: otherKid, jwe_mapping };
  expect(sandbox.control.editKv({ data })).toHaveProperty('version');
}

/** A key is active that no namespace key is under yet. */
export function leaveUnfinished(sandbox: Sandbox): void {
  appendKey(sandbox, otherKid, 7);
  activateKey(sandbox, otherKid);
}

/** A key was added that nothing was ever encrypted with. */
export function addUnusedKey(sandbox: Sandbox): void {
  appendKey(sandbox, otherKid, 7);
}

/** The migrations Job wrote the document anew; a backup of what it was lies in a file. */
export async function overwriteAfterBackup(sandbox: Sandbox, file: string): Promise<void> {
  const found = sandbox.inspect.secret();
  const content = backupContent({
    cluster: (await sandbox.services.kubernetes.identity()).uid,
    mount: 'services/all/kv',
    path: 'encryption/keys/stored_data',
    version: found?.version ?? 0,
    createdTime: '2025-09-27T09:01:00Z',
    data: Buffer.from(JSON.stringify(found?.data)),
  });
  const encrypted = await encryptBackup(content, { recipients: [AGE_PAIR.recipient] });
  if (!encrypted.ok) throw new Error(encrypted.problem);
  await sandbox.services.files.create(file, encrypted.bytes);
  expect(sandbox.control.runMigrationsJob({ misbehaving: true })).toMatchObject({ wrote: true });
}
