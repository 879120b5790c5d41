import { freshIv, openGcm, sealGcm } from './gcm.ts';
import type { JweParts, JweReason, Refused } from './jwe-parts.ts';
import { decodeSealed, refuse, splitJwe } from './jwe-parts.ts';
import type { MekDocument } from './mek-document.ts';
import { Nek } from './nek.ts';

export type { JweReason, Refused };

/** Protected header of a wrapped NEK. */
export interface NekHeader {
  /** Kid of the MEK. */
  readonly kid: string;
  /** Undefined for a row from before ESS bound them: no `version`, so that ESS compares nothing. */
  readonly binding: NekBinding | undefined;
}

/** What ties a JWE to its row; every member equals the row's column. */
export interface NekBinding {
  readonly namespace: string;
  /** A timeuuid in lower case. */
  readonly createdAt: string;
  /** Milliseconds since the epoch. */
  readonly encryptedAt: number;
}

/** ESS's JWEs have about 420 characters. */
const largest = 8192;
const forbidden = ['zip', 'crit', 'jku', 'jwk', 'x5u', 'x5c', 'x5t', 'x5t#S256'];

/** The header of a compact JWE in our strict profile: dir, A256GCM, kid, no zip, crit, jku, jwk, x5*. Decrypts nothing. */
export function parseJweHeader(
  jwe: string,
): { readonly ok: true; readonly header: NekHeader } | Refused<JweReason> {
  const parts = splitJwe(jwe, largest);
  return parts.ok ? readNekHeader(parts) : parts;
}

/** Opens a wrapped NEK with the key of `keys` that the header names, and no other. `wipe()` the NEK after use. */
export function unwrapNek(
  jwe: string,
  document: MekDocument,
): { readonly ok: true; readonly nek: Nek; readonly header: NekHeader } | Refused<JweReason> {
  const parts = splitJwe(jwe, largest);
  if (!parts.ok) return parts;
  const read = readNekHeader(parts);
  if (!read.ok) return read;
  if (parts.encryptedKey !== '') return refuse('key-part');
  const sealed = decodeSealed(parts);
  if (!sealed.ok) return sealed;
  const mek = document.key(read.header.kid);
  if (mek === undefined) return refuse('mek-missing');
  const { iv, ciphertext, tag } = sealed;
  const aad = Buffer.from(parts.protectedHeader, 'latin1');
  const text = openGcm(mek.keyObject, { iv, aad, ciphertext, tag });
  if (text === undefined) return refuse('decrypt');
  const nek = Nek.fromText(text);
  return nek === undefined ? refuse('plaintext') : { ok: true, nek, header: read.header };
}

/** Wraps a NEK as ESS does, with a fresh random IV, header `version` 1. Refuses a kid that `keys` does not have. */
export function wrapNek(
  nek: Nek,
  how: NekBinding & {
    readonly document: MekDocument;
    /** Of the MEK to wrap with. */
    readonly kid: string;
  },
): { readonly ok: true; readonly jwe: string } | Refused<'mek-missing' | 'mek-exhausted'> {
  const { kid, namespace, createdAt, encryptedAt } = how;
  const mek = how.document.key(kid);
  if (mek === undefined) return refuse('mek-missing');
  if (!mek.countWrap()) return refuse('mek-exhausted');
  const header = JSON.stringify({
    alg: 'dir',
    enc: 'A256GCM',
    kid,
    version: 1,
    namespace,
    createdAt,
    encryptedAt,
  });
  const protectedHeader = Buffer.from(header).toString('base64url');
  const iv = freshIv();
  const aad = Buffer.from(protectedHeader, 'latin1');
  const { ciphertext, tag } = nek.expose((plain) => sealGcm(mek.keyObject, { iv, aad, plain }));
  return {
    ok: true,
    jwe: `${protectedHeader}..${iv.toString('base64url')}.${ciphertext.toString('base64url')}.${tag.toString('base64url')}`,
  };
}

function readNekHeader({
  members,
}: JweParts): { readonly ok: true; readonly header: NekHeader } | Refused<JweReason> {
  const { alg, enc, kid, version, namespace, createdAt, encryptedAt } = members;
  if (alg === 'none') return refuse('alg-none');
  if (enc === undefined || enc === null) return refuse('enc-missing');
  if (alg !== 'dir') return refuse('alg');
  if (enc !== 'A256GCM') return refuse('enc');
  for (const name of forbidden) if (Object.hasOwn(members, name)) return refuse('header-member');
  if (typeof kid !== 'string' || kid === '') return refuse('kid-missing');
  if (version === undefined) return { ok: true, header: { kid, binding: undefined } };
  if (version !== 1) return refuse('version');
  if (
    typeof namespace !== 'string' ||
    typeof createdAt !== 'string' ||
    typeof encryptedAt !== 'number' ||
    !Number.isSafeInteger(encryptedAt)
  )
    return refuse('binding');
  return { ok: true, header: { kid, binding: { namespace, createdAt, encryptedAt } } };
}
