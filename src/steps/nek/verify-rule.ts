import type { NekRow } from '../../services/nek-store.ts';
import type { MasterKeys } from './verify-world.ts';

const readable: ReadonlySet<string | null> = new Set(['VALIDATED', 'CREATION_VALIDATED']);
const waiting: ReadonlySet<string | null> = new Set(['PENDING_REENCRYPTION', 'PENDING_ROTATION']);

/** Header members that would change how a JWE is opened. */
const forbidden = /^(?:crit|zip|jku|jwk|x5.*|b64|epk|apu|apv|p2s|p2c|iv|tag)$/;

export type NekVerdict =
  /** The row that ESS reads opens, is bound to its columns and is wrapped by the active master key. */
  | { readonly state: 'proven' }
  /** A new key that ESS does not use before it is promoted. */
  | { readonly state: 'waiting' }
  | { readonly state: 'failed'; readonly reason: string };

export interface Verifier {
  /** The rows of one namespace key, in any order. */
  judge(rows: readonly NekRow[]): Promise<NekVerdict>;
}

/**
 * ESS reads the newest row whose status is readable and passes over those that fail its checks. Here such a row counts as a failure, not
 * as passed over, so nothing damaged hides behind an older row; and what ESS would accept without looking is refused.
 */
export async function createVerifier(using: {
  readonly masterKeys: MasterKeys;
  readonly active: string;
}): Promise<Verifier> {
  // Loaded on use: the other commands do not pay for it.
  const { calculateJwkThumbprint, compactDecrypt } = await import('jose');
  const open = async (jwe: string, kid: string): Promise<string | undefined> => {
    const key = using.masterKeys.get(kid);
    if (key === undefined) return undefined;
    try {
      const { plaintext } = await compactDecrypt(jwe, key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
        maxDecompressedLength: 0,
      });
      return Buffer.from(plaintext).toString('latin1');
    } catch {
      return undefined;
    }
  };
  const check = async (row: NekRow): Promise<string> => {
    const { encryptedKey, encryptedByKid } = row;
    if (encryptedKey === null || encryptedByKid === null || row.createdAt === null)
      return 'a column is empty, which makes ESS fail the whole key';
    const header = headerOf(encryptedKey);
    if (typeof header === 'string') return header;
    const unbound = bindingProblem(header, row);
    if (unbound !== undefined) return unbound;
    if (!using.masterKeys.has(encryptedByKid)) return `the master key ${encryptedByKid} is not in the set`;
    const k = await open(encryptedKey, encryptedByKid);
    if (k === undefined) return `it does not open with the master key ${encryptedByKid}`;
    if (k.length !== 43 || !isCanonical(k)) return 'what it holds is no key of 32 bytes';
    if ((await calculateJwkThumbprint({ kty: 'oct', k }, 'sha256')) !== row.kid)
      return 'it holds another key than its kid says';
    if (encryptedByKid !== using.active) return `it is still wrapped by the master key ${encryptedByKid}`;
    return '';
  };
  return {
    async judge(rows) {
      const row = decisive(rows).at(-1);
      if (row === undefined || waiting.has(row.status)) {
        const unused = rows.every(({ status }) => status === 'PENDING_ROTATION');
        return unused ? { state: 'waiting' } : { state: 'failed', reason: 'no row that ESS could read' };
      }
      if (!readable.has(row.status))
        return { state: 'failed', reason: 'a row has a status that ESS does not know' };
      const reason = await check(row);
      return reason === '' ? { state: 'proven' } : { state: 'failed', reason };
    },
  };
}

/** Of the rows of one namespace key, in any order, those that a verdict depends on, newest first: down to the first that does not wait. */
export function decisive(rows: readonly NekRow[]): readonly NekRow[] {
  const newest = rows.toSorted((a, b) => b.encryptedAt - a.encryptedAt);
  const first = newest.findIndex(({ status }) => !waiting.has(status));
  return first < 0 ? newest : newest.slice(0, first + 1);
}

type Header = Readonly<Record<string, unknown>>;

/** The protected header of a JWE in the strict form of RFC 7516 that ESS itself writes, or what is wrong with it. */
function headerOf(jwe: string): Header | string {
  if (jwe.length > 8192) return 'the JWE is too long';
  const parts = jwe.split('.');
  const [head = '', key, iv = '', , tag = ''] = parts;
  if (parts.length !== 5 || key !== '') return 'it is no compact JWE without a key part';
  if (!parts.every((part, index) => index === 1 || isCanonical(part)))
    return 'a part of the JWE is no canonical base64url';
  if (iv.length !== 16 || tag.length !== 22) return 'the JWE has an IV or a tag of the wrong length';
  const text = Buffer.from(head, 'base64url').toString();
  if (text.length > 2048) return 'the header of the JWE is too long';
  const header = flatObject(text);
  if (header === undefined) return 'the header of the JWE is no flat JSON object with names of its own';
  const { alg, enc, kid } = header;
  if (alg !== 'dir' || enc !== 'A256GCM') return 'the JWE is not made with dir and A256GCM';
  if (typeof kid !== 'string') return 'the header of the JWE names no master key';
  const odd = Object.keys(header).find((name) => forbidden.test(name));
  return odd === undefined ? header : `the header of the JWE has the member ${odd}`;
}

function bindingProblem(header: Header, row: NekRow): string | undefined {
  const { version, namespace, createdAt, encryptedAt, kid } = header;
  if (version !== 1) return 'the header has no version 1, so ESS would compare nothing';
  if (kid !== row.encryptedByKid) return 'the header names another master key than the row';
  if (namespace !== row.namespace) return 'the header names another namespace than the row';
  if (createdAt !== row.createdAt) return 'the header has another created_at than the row';
  if (encryptedAt !== row.encryptedAt) return 'the header has another encrypted_at than the row';
  return undefined;
}

function flatObject(text: string): Header | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  const entries = Object.entries(parsed);
  if (entries.some(([, value]) => typeof value === 'object')) return undefined;
  // A name that stands twice leaves one entry and two colons outside of strings.
  const colons = text.replace(/"(?:[^"\\]|\\.)*"/g, '').split(':').length - 1;
  return colons === entries.length ? (parsed as Header) : undefined;
}

function isCanonical(part: string): boolean {
  return part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part;
}
