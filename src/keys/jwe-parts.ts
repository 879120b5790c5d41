import { isUtf8 } from 'node:buffer';
import { decodeBase64url } from './base64.ts';
import { ivLength, tagLength } from './gcm.ts';
import type { JsonMembers } from './strict-json.ts';
import { isMembers, parseStrictJson } from './strict-json.ts';

/**
 * Why a JWE is refused. Stable words.
 * Form: 'jwe-parts', 'jwe-size', 'base64url', 'iv-length', 'tag-length', 'key-part'.
 * Header: 'header' (no JSON object, a name twice), 'header-member' (zip, crit, …), 'alg', 'alg-none', 'enc', 'enc-missing',
 * 'kid-missing', 'version' (neither absent nor 1), 'binding' (version 1 without what it promises).
 * Key: 'mek-missing', 'decrypt' (anything was changed, or another key), 'plaintext' (opens, but holds no key).
 */
export type JweReason =
  | 'jwe-parts'
  | 'jwe-size'
  | 'base64url'
  | 'iv-length'
  | 'tag-length'
  | 'key-part'
  | 'header'
  | 'header-member'
  | 'alg'
  | 'alg-none'
  | 'enc'
  | 'enc-missing'
  | 'kid-missing'
  | 'version'
  | 'binding'
  | 'mek-missing'
  | 'decrypt'
  | 'plaintext';

export interface Refused<Reason> {
  readonly ok: false;
  readonly reason: Reason;
}

export interface JweParts {
  readonly ok: true;
  readonly members: JsonMembers;
  /** As it stands in the JWE, ASCII: what is authenticated (RFC 7516 §5.1 step 14). */
  readonly protectedHeader: string;
  readonly encryptedKey: string;
  readonly iv: string;
  readonly ciphertext: string;
  readonly tag: string;
}

const largestHeader = 2048;

/** The five parts of a compact JWE (RFC 7516 §7.1), its header read and nothing else decoded. */
export function splitJwe(jwe: string, largest: number): JweParts | Refused<JweReason> {
  if (jwe.length > largest) return refuse('jwe-size');
  const parts = jwe.split('.', 6);
  const [protectedHeader, encryptedKey, iv, ciphertext, tag] = parts;
  if (
    parts.length !== 5 ||
    protectedHeader === undefined ||
    encryptedKey === undefined ||
    iv === undefined ||
    ciphertext === undefined ||
    tag === undefined
  )
    return refuse('jwe-parts');
  const bytes = decodeBase64url(protectedHeader);
  if (bytes === undefined) return refuse('base64url');
  if (bytes.length > largestHeader) return refuse('jwe-size');
  const members = readHeader(bytes);
  if (members === undefined) return refuse('header');
  return { ok: true, members, protectedHeader, encryptedKey, iv, ciphertext, tag };
}

/** Initialisation vector, ciphertext and tag as bytes, the lengths of A256GCM checked. */
export function decodeSealed(
  parts: Pick<JweParts, 'iv' | 'ciphertext' | 'tag'>,
):
  | { readonly ok: true; readonly iv: Buffer; readonly ciphertext: Buffer; readonly tag: Buffer }
  | Refused<JweReason> {
  const iv = decodeBase64url(parts.iv);
  const ciphertext = decodeBase64url(parts.ciphertext);
  const tag = decodeBase64url(parts.tag);
  if (iv === undefined || ciphertext === undefined || tag === undefined) return refuse('base64url');
  if (iv.length !== ivLength) return refuse('iv-length');
  if (tag.length !== tagLength) return refuse('tag-length');
  return { ok: true, iv, ciphertext, tag };
}

export function refuse<Reason>(reason: Reason): Refused<Reason> {
  return { ok: false, reason };
}

function readHeader(bytes: Buffer): JsonMembers | undefined {
  if (!isUtf8(bytes)) return undefined;
  const text = bytes.toString('utf8');
  try {
    const value = JSON.parse(text) as JsonMembers;
    // Text that comes out again as it went in has no name twice; any other needs the slow reader, which looks for that.
    if (JSON.stringify(value) === text) return isMembers(value) ? value : undefined;
  } catch {
    return undefined;
  }
  const read = parseStrictJson(bytes);
  return read.ok && isMembers(read.value) ? read.value : undefined;
}
