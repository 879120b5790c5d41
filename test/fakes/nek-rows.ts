import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import type { NekRow } from '../../src/services/nek-store.ts';

/** Two master keys, the second made later. Both kids are UUIDv1. */
export const oldMek = '6f2c1a40-a1b2-11f0-9c3d-0342ac120002';
export const newMek = '1b4e28ba-2fa1-11f1-883f-0316d3fca427';
/** In no set. */
export const lostMek = '7d444840-9dc0-11ef-bef3-0342ac120099';

const instant = Date.parse('2027-01-01T00:00:00Z');

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** The 32 bytes of a master key; `set` tells the two sets of a document apart. */
export function mekBytes(kid: string, set: 'keys' | 'private' = 'keys'): Buffer {
  return sha256(`${set} ${kid}`);
}

/** The base64url text of a namespace key, and its RFC 7638 thumbprint. */
export function nekOf(seed: string): { readonly k: string; readonly kid: string } {
  const k = sha256(`nek ${seed}`).toString('base64url');
  return { k, kid: sha256(`{"k":"${k}","kty":"oct"}`).toString('base64url') };
}

/** A timeuuid for a number. */
export function timeuuid(index: number): string {
  return `${index.toString(16).padStart(8, '0')}-3c4d-11f1-8a7b-0342ac120005`;
}

let ivs = 0;

/** A JWE of `text` with any header: `dir` and `A256GCM` whatever the header says. */
export function seal(header: object | string, key: Buffer, text: string): string {
  const protectedHeader = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header)).toString(
    'base64url',
  );
  const iv = sha256(`iv ${++ivs}`).subarray(0, 12);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
  cipher.setAAD(Buffer.from(protectedHeader, 'ascii'));
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  const parts = [protectedHeader, '', iv, body, cipher.getAuthTag()];
  return parts.map((part) => (typeof part === 'string' ? part : part.toString('base64url'))).join('.');
}

export interface RowWish {
  readonly namespace?: string;
  /** Which namespace key; a namespace's only one unless told. */
  readonly seed?: string;
  readonly mek?: string;
  readonly encryptedAt?: number;
  readonly createdAt?: string;
  readonly status?: string | null;
  readonly currentKid?: string | null;
  /** Replaces members of the header; undefined takes one out. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Replaces columns once the JWE is made. */
  readonly columns?: Partial<NekRow>;
}

/** A row as ESS writes it, or one that is wrong in the way that a test wants. */
export function nekRow(wish: RowWish = {}): NekRow {
  const { namespace = 'nvcf', mek = oldMek, encryptedAt = instant, createdAt = timeuuid(1) } = wish;
  const { k, kid } = nekOf(wish.seed ?? namespace);
  const header = { enc: 'A256GCM', alg: 'dir', kid: mek, version: 1, namespace, createdAt, encryptedAt };
  return {
    namespace,
    kid,
    encryptedAt,
    createdAt,
    encryptedByKid: mek,
    encryptedKey: seal({ ...header, ...wish.header }, mekBytes(mek), k),
    status: wish.status === undefined ? 'CREATION_VALIDATED' : wish.status,
    currentKid: wish.currentKid === undefined ? kid : wish.currentKid,
    ...wish.columns,
  };
}

/** Opens a row with nothing but `node:crypto`: the text inside, undefined when it does not open. */
export function opened({ encryptedKey }: Pick<NekRow, 'encryptedKey'>, key: Buffer): string | undefined {
  // Its own reading of RFC 7516, so that it cannot share a mistake with what it judges.
  const [head = '', , iv = '', body = '', tag = ''] = (encryptedKey ?? '').split('.');
  try {
    return unseal(head, { iv, body, tag }, key);
  } catch {
    return undefined;
  }
}

function unseal(
  head: string,
  parts: { readonly iv: string; readonly body: string; readonly tag: string },
  key: Buffer,
): string {
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(parts.iv, 'base64url'), {
    authTagLength: 16,
  });
  decipher.setAAD(Buffer.from(head, 'ascii'));
  decipher.setAuthTag(Buffer.from(parts.tag, 'base64url'));
  const body = Buffer.from(parts.body, 'base64url');
  return Buffer.concat([decipher.update(body), decipher.final()]).toString();
}
