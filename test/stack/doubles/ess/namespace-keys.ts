import { createHash, randomBytes } from 'node:crypto';
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';
import type { SetKey } from '../lib/jwk-set.ts';
import type { MasterKeys } from './master-keys.ts';

/** A row of `encryption_keys_by_kid_and_encrypted_at`; null is a column without a value. */
export interface KeyRow {
  namespace: string;
  kid: string;
  encryptedAt: number;
  createdAt: string | null;
  encryptedByKid: string | null;
  encryptedKey: string | null;
  status: string | null;
}

/** A namespace key that may be used, and the row that it came from. */
export interface NamespaceKey {
  kid: string;
  key: Uint8Array;
  row: KeyRow;
}

export type Verdict =
  | { state: 'usable'; key: Uint8Array }
  /** The next older row is tried. */
  | { state: 'skipped'; error: string }
  /** The whole key fails, whatever older rows there are. */
  | { state: 'fatal'; error: string };

const validStatuses = ['VALIDATED', 'CREATION_VALIDATED'];
const statuses = [...validStatuses, 'PENDING_ROTATION', 'PENDING_REENCRYPTION'];

/** Unwraps the key of one row and compares its header with the row's columns. Rejects nothing: it answers. */
export async function validate(row: KeyRow, keys: MasterKeys): Promise<Verdict> {
  if (row.encryptedKey === null) return { state: 'fatal', error: 'INTERNAL_KEY_FETCH_EXECUTION_ERROR' };
  let header: ReturnType<typeof decodeProtectedHeader>;
  try {
    header = decodeProtectedHeader(row.encryptedKey);
  } catch {
    return { state: 'skipped', error: 'JWE_PARSE_ERROR' };
  }
  if (typeof header.enc !== 'string' || header.alg === undefined || header.alg === 'none')
    return { state: 'fatal', error: 'INTERNAL_KEY_FETCH_EXECUTION_ERROR' };
  const master = keys.all.get(header.kid ?? '');
  if (master === undefined) return { state: 'skipped', error: 'ENCRYPTING_KEY_UNAVAILABLE' };
  try {
    const { plaintext } = await compactDecrypt(row.encryptedKey, master);
    const text = Buffer.from(plaintext).toString();
    if ('version' in header && !isIntact(row, header, text))
      return { state: 'skipped', error: 'INTEGRITY_CHECKS_ERROR' };
    return { state: 'usable', key: Buffer.from(text, 'base64url') };
  } catch {
    return { state: 'skipped', error: 'KEY_DECRYPTION_ERROR' };
  }
}

/** The newest row of one key that is valid by its status and its content. `skipped` hears of each row that is not. */
export async function selectKey(
  rows: readonly KeyRow[],
  keys: MasterKeys,
  skipped: (row: KeyRow, error: string) => void = () => undefined,
): Promise<NamespaceKey> {
  const newestFirst = [...rows].sort((a, b) => b.encryptedAt - a.encryptedAt);
  for (const row of newestFirst) {
    if (row.status === null || !statuses.includes(row.status))
      throw new Error(`a row of NEK ${row.kid} has no status that ESS knows`);
    if (!validStatuses.includes(row.status)) continue;
    const verdict = await validate(row, keys);
    if (verdict.state === 'usable') return { kid: row.kid, key: verdict.key, row };
    skipped(row, verdict.error);
    if (verdict.state === 'fatal')
      throw new Error(`a row of NEK ${row.kid} cannot be read: ${verdict.error}`);
  }
  throw new Error(`there is no valid row of NEK ${rows[0]?.kid ?? ''}`);
}

/** Has a row a status with which ESS may use it? */
export function isValid({ status }: KeyRow): boolean {
  return validStatuses.includes(status ?? '');
}

/** A fresh namespace key, named by its thumbprint (RFC 7638). */
export function makeKey(): { kid: string; key: Uint8Array } {
  const key = randomBytes(32);
  return { kid: thumbprint(key.toString('base64url')), key };
}

/** Wraps a namespace key into a new row. */
export async function wrapKey(
  { kid, key }: { kid: string; key: Uint8Array },
  master: SetKey,
  row: { namespace: string; createdAt: string; encryptedAt: number; status: string },
): Promise<KeyRow> {
  const { namespace, createdAt, encryptedAt, status } = row;
  const encryptedKey = await new CompactEncrypt(Buffer.from(Buffer.from(key).toString('base64url')))
    .setProtectedHeader({
      alg: 'dir',
      enc: 'A256GCM',
      kid: master.kid,
      version: 1,
      namespace,
      createdAt,
      encryptedAt,
    })
    .encrypt(master.key);
  return { namespace, kid, encryptedAt, createdAt, encryptedByKid: master.kid, encryptedKey, status };
}

function isIntact(row: KeyRow, header: Record<string, unknown>, text: string): boolean {
  return (
    header.namespace === row.namespace &&
    header.createdAt === row.createdAt &&
    header.encryptedAt === row.encryptedAt &&
    header.kid === row.encryptedByKid &&
    thumbprint(text) === row.kid
  );
}

function thumbprint(text: string): string {
  return createHash('sha256').update(`{"k":"${text}","kty":"oct"}`).digest('base64url');
}
