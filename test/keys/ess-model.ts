import { calculateJwkThumbprint, compactDecrypt, decodeProtectedHeader } from 'jose';
import type { MekDocument } from '../../src/keys/mek-document.ts';
import { serializeMekDocument } from '../../src/keys/mek-document.ts';
import type { StoredNek } from '../../src/keys/nek-row.ts';
import { decodeFields } from './made.ts';

/** The `keys` of a document as ESS loads them: kid → bytes. */
export function loadedKeys(document: MekDocument): ReadonlyMap<string, Uint8Array> {
  return new Map(
    decodeFields(serializeMekDocument(document)).keys.map(({ kid, k }) => [
      String(kid),
      Buffer.from(String(k), 'base64url'),
    ]),
  );
}

export interface EssRead {
  readonly text: string;
  readonly row: StoredNek;
}

/** ESS's read of the rows of one (namespace, kid), written once more with jose: the newest readable row that passes its five checks. */
export async function essReads(
  rows: readonly StoredNek[],
  keys: ReadonlyMap<string, Uint8Array>,
): Promise<EssRead | undefined> {
  for (const row of rows.toSorted((one, other) => other.encryptedAt - one.encryptedAt)) {
    if (row.status !== 'VALIDATED' && row.status !== 'CREATION_VALIDATED') continue;
    const text = await opened(row, keys);
    if (text !== undefined) return { text, row };
  }
  return undefined;
}

async function opened(row: StoredNek, keys: ReadonlyMap<string, Uint8Array>): Promise<string | undefined> {
  const jwe = row.encryptedKey ?? '';
  try {
    const header = decodeProtectedHeader(jwe) as Record<string, unknown>;
    const key = keys.get(String(header.kid));
    if (key === undefined) return undefined;
    const { plaintext } = await compactDecrypt(jwe, key);
    const text = new TextDecoder().decode(plaintext);
    const same =
      header.namespace === row.namespace &&
      header.createdAt === row.createdAt &&
      header.encryptedAt === row.encryptedAt &&
      header.kid === row.encryptedByKid &&
      (await calculateJwkThumbprint({ kty: 'oct', k: text })) === row.kid;
    return same ? text : undefined;
  } catch {
    return undefined;
  }
}
