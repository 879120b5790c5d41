import type { MekDocument } from './mek-document.ts';
import type { MekKey } from './mek-key.ts';
import type { Nek } from './nek.ts';

/**
 * Why a wrapped key is refused. Stable words; see `nek-row.ts` for what ESS does with such a row.
 * Form: 'jwe-parts', 'jwe-size', 'base64url', 'iv-length', 'tag-length', 'ciphertext-length', 'key-part'.
 * Header: 'header', 'alg', 'alg-none', 'enc', 'enc-missing', 'kid-missing', 'header-member', 'version', 'binding'.
 * Key: 'mek-missing', 'decrypt', 'plaintext'.
 */
export type JweReason =
  | 'jwe-parts'
  | 'jwe-size'
  | 'base64url'
  | 'iv-length'
  | 'tag-length'
  | 'ciphertext-length'
  | 'key-part'
  | 'header'
  | 'alg'
  | 'alg-none'
  | 'enc'
  | 'enc-missing'
  | 'kid-missing'
  | 'header-member'
  | 'version'
  | 'binding'
  | 'mek-missing'
  | 'decrypt'
  | 'plaintext';

/** Protected header of a wrapped NEK. Without `version` (rows from before ESS bound them) the other three say nothing. */
export interface NekHeader {
  /** Kid of the MEK. */
  readonly kid: string;
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

export type Refused<Reason> = { readonly ok: false; readonly reason: Reason };

/** The header of a compact JWE in our strict profile: dir, A256GCM, kid, no zip, crit, jku, jwk, x5*. Decrypts nothing. */
export function parseJweHeader(
  _jwe: string,
): { readonly ok: true; readonly header: NekHeader } | Refused<JweReason> {
  throw new Error('not built');
}

/** Opens a wrapped NEK with the key of `keys` that the header names, and no other. `wipe()` the NEK after use. */
export function unwrapNek(
  _jwe: string,
  _document: MekDocument,
): { readonly ok: true; readonly nek: Nek; readonly header: NekHeader } | Refused<JweReason> {
  throw new Error('not built');
}

/** Wraps a NEK as ESS does, with a fresh random IV, header `version` 1. Refuses a kid that `keys` does not have. */
export function wrapNek(
  _nek: Nek,
  _how: NekBinding & {
    readonly document: MekDocument;
    /** Of the MEK to wrap with. */
    readonly kid: string;
  },
): { readonly ok: true; readonly jwe: string } | Refused<'mek-missing' | 'mek-exhausted'> {
  throw new Error('not built');
}

/**
 * Whether a `key_details` column of API Keys (A256GCMKW, A256GCM) opens with the key of this kid in `keys`: authenticity alone,
 * the content is dropped. `keys` is the `privateJwks` of a document.
 */
export function opensApiKeyDetails(
  _jwe: string,
  _keys: readonly MekKey[],
): { readonly ok: true; readonly kid: string } | Refused<JweReason> {
  throw new Error('not built');
}
