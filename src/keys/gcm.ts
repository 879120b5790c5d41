import type { KeyObject } from 'node:crypto';
import { createCipheriv, createDecipheriv, randomFillSync } from 'node:crypto';

/** Bytes of an initialisation vector and of a tag, the only ones that are written or accepted. */
export const ivLength = 12;
export const tagLength = 16;

const algorithm = 'aes-256-gcm';
// Without it node:crypto accepts tags of 4 bytes.
const options = { authTagLength: tagLength };

/** The plaintext, or undefined when anything was changed. `iv` and `tag` have the lengths above. Overwrite it after use. */
export function openGcm(
  key: KeyObject,
  sealed: {
    readonly iv: Uint8Array;
    readonly aad: Uint8Array | undefined;
    readonly ciphertext: Uint8Array;
    readonly tag: Uint8Array;
  },
): Buffer | undefined {
  const decipher = createDecipheriv(algorithm, key, sealed.iv, options);
  if (sealed.aad !== undefined) decipher.setAAD(sealed.aad);
  decipher.setAuthTag(sealed.tag);
  const plain = decipher.update(sealed.ciphertext);
  try {
    decipher.final();
    return plain;
  } catch {
    plain.fill(0);
    return undefined;
  }
}

export function sealGcm(
  key: KeyObject,
  open: { readonly iv: Uint8Array; readonly aad: Uint8Array; readonly plain: Uint8Array },
): { readonly ciphertext: Buffer; readonly tag: Buffer } {
  const cipher = createCipheriv(algorithm, key, open.iv, options);
  cipher.setAAD(open.aad);
  const ciphertext = cipher.update(open.plain);
  cipher.final();
  return { ciphertext, tag: cipher.getAuthTag() };
}

// Asking for many at once costs a tenth of asking for each.
const ivs = Buffer.allocUnsafeSlow(ivLength * 512);
let used = ivs.length;

/** Fresh random bytes, given out once. */
export function freshIv(): Buffer {
  if (used === ivs.length) {
    randomFillSync(ivs);
    used = 0;
  }
  used += ivLength;
  return Buffer.from(ivs.subarray(used - ivLength, used));
}
