import { createSecretKey } from 'node:crypto';
import { openGcm } from './gcm.ts';
import type { JweReason, Refused } from './jwe-parts.ts';
import { decodeSealed, refuse, splitJwe } from './jwe-parts.ts';
import type { MekKey } from './mek-key.ts';

const largest = 2 ** 20;
const keyLength = 32;

/**
 * Whether a `key_details` column of API Keys (A256GCMKW, A256GCM; RFC 7518 §4.7) opens with the key of this kid in `keys`:
 * authenticity alone, the content is dropped, so that a compressed one is as good. `keys` is the `privateJwks` of a document.
 */
export function opensApiKeyDetails(
  jwe: string,
  keys: readonly MekKey[],
): { readonly ok: true; readonly kid: string } | Refused<JweReason> {
  const parts = splitJwe(jwe, largest);
  if (!parts.ok) return parts;
  const { alg, enc, kid, iv, tag } = parts.members;
  if (alg !== 'A256GCMKW') return refuse(alg === 'none' ? 'alg-none' : 'alg');
  if (enc !== 'A256GCM') return refuse(enc === undefined ? 'enc-missing' : 'enc');
  if (typeof kid !== 'string' || kid === '') return refuse('kid-missing');
  if (typeof iv !== 'string' || typeof tag !== 'string') return refuse('header');
  if (Object.hasOwn(parts.members, 'crit')) return refuse('header-member');
  const wrapped = decodeSealed({ iv, ciphertext: parts.encryptedKey, tag });
  if (!wrapped.ok) return wrapped;
  const sealed = decodeSealed(parts);
  if (!sealed.ok) return sealed;
  if (wrapped.ciphertext.length !== keyLength) return refuse('key-part');
  const mek = keys.find((key) => key.kid === kid);
  if (mek === undefined) return refuse('mek-missing');
  const contentKey = openGcm(mek.keyObject, { ...wrapped, aad: undefined });
  if (contentKey === undefined) return refuse('decrypt');
  const key = createSecretKey(contentKey);
  contentKey.fill(0);
  const content = openGcm(key, { ...sealed, aad: Buffer.from(parts.protectedHeader, 'latin1') });
  content?.fill(0);
  return content === undefined ? refuse('decrypt') : { ok: true, kid };
}
