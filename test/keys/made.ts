import { createHash } from 'node:crypto';
import { CompactEncrypt } from 'jose';
import type { MekDocument } from '../../src/keys/mek-document.ts';
import { parseMekDocument } from '../../src/keys/mek-document.ts';
import type { StoredNek } from '../../src/keys/nek-row.ts';

/*
 * Documents and rows as the installation and ESS make them, made with jose and plain JSON: nothing here uses the code under test
 * but `documentOf`, which reads what was made. Times of kids were computed with Python's uuid module.
 */

/** 2023-11-14T22:13:20.000Z, 2025-06-15T15:06:40.000Z and 2026-11-18T11:06:40.000Z. */
export const kids = {
  first: '04afc000-833b-11ee-9234-0300000000ab',
  second: '57130001-49fa-11f0-9234-0300000000ab',
  third: '21392005-e340-11f1-9234-0300000000ab',
} as const;
export const kidTimes = { first: 1700000000000, second: 1750000000000, third: 1795000000000 } as const;

/** Base64url of the bytes 0 to 31, and its RFC 7638 thumbprint, from Python's hashlib. */
export const nekText = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';
export const nekKid = 'WqjPPRvAP8oYbAqCwMErhzTg-Quaz-vLx_cef07yhOs';
export const otherNekText = 'JSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4_QEFCQ0Q';
export const otherNekKid = 'MAY59reSng5p3L8VzF0-id-eOnxvGNwvzfV2V6SLsQM';

export const createdAt = 'c232ab00-9414-11ec-9234-0300000000ab';
export const encryptedAt = 1751000000123;

/** 32 bytes that depend on the label alone. */
export function bytesOf(label: string): Buffer {
  return createHash('sha256').update(label).digest();
}

export function jwk(kid: string, key: Uint8Array): Record<string, unknown> {
  return { kty: 'oct', use: 'enc', kid, k: Buffer.from(key).toString('base64url'), alg: 'A256GCM' };
}

type Fields = Record<string, unknown>;

export function encodeSet(keys: readonly unknown[]): string {
  return Buffer.from(JSON.stringify({ keys })).toString('base64');
}

/** The KV fields of a document whose keys come from `bytesOf('keys <kid>')` and `bytesOf('private <kid>')`, newest key first. */
export function fieldsOf(order: readonly string[]): Fields {
  return {
    keys: encodeSet(order.map((kid) => jwk(kid, bytesOf(`keys ${kid}`)))),
    current_kid: order[0],
    jwe_mapping: JSON.stringify({ payload_jwe_kid: order[0] }),
    private_jwks: encodeSet(order.map((kid) => jwk(kid, bytesOf(`private ${kid}`)))),
  };
}

export function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

export function documentOf(fields: Fields): MekDocument {
  const read = parseMekDocument(json(fields));
  if (!read.ok) throw new Error(read.problems.join('\n'));
  return read.document;
}

/** A stock document with these kids, the active one first. */
export function documentWith(...order: readonly string[]): MekDocument {
  return documentOf(fieldsOf(order));
}

/** The sets of a document written by our code, decoded with plain JSON. */
export function decodeFields(bytes: Uint8Array): {
  readonly fields: Fields;
  readonly keys: readonly Record<string, unknown>[];
  readonly privateJwks: readonly Record<string, unknown>[];
} {
  const fields = JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, string>;
  const set = (text = '') =>
    (JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as { keys: Record<string, unknown>[] }).keys;
  return { fields, keys: set(fields.keys), privateJwks: set(fields.private_jwks) };
}

export async function seal(plain: string, key: Uint8Array, header: Record<string, unknown>): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(plain))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ...header })
    .encrypt(key);
}

export interface RowParts {
  readonly namespace?: string;
  readonly kid?: string;
  readonly plain?: string;
  readonly mek?: string;
  readonly createdAt?: string;
  readonly encryptedAt?: number;
  readonly status?: string | null;
  readonly currentKid?: string | null;
  /** Members over those that ESS writes; undefined takes one away. */
  readonly header?: Record<string, unknown>;
  readonly key?: Uint8Array;
}

/** A row as ESS writes it, wrapped by jose under `bytesOf('keys <mek>')`. */
export async function rowOf(parts: RowParts = {}): Promise<StoredNek> {
  const row = {
    namespace: parts.namespace ?? 'nvcf',
    kid: parts.kid ?? nekKid,
    encryptedAt: parts.encryptedAt ?? encryptedAt,
    createdAt: parts.createdAt ?? createdAt,
    encryptedByKid: parts.mek ?? kids.first,
    status: parts.status === undefined ? 'VALIDATED' : parts.status,
    currentKid: parts.currentKid === undefined ? (parts.kid ?? nekKid) : parts.currentKid,
  };
  const header = {
    kid: row.encryptedByKid,
    version: 1,
    namespace: row.namespace,
    createdAt: row.createdAt,
    encryptedAt: row.encryptedAt,
    ...parts.header,
  };
  return {
    ...row,
    encryptedKey: await seal(
      parts.plain ?? nekText,
      parts.key ?? bytesOf(`keys ${row.encryptedByKid}`),
      Object.fromEntries(Object.entries(header).filter(([, value]) => value !== undefined)),
    ),
  };
}

/** The JWE with parts replaced, by position: 0 header, 1 key, 2 IV, 3 ciphertext, 4 tag. */
export function withParts(jwe: string, parts: Readonly<Record<number, string>>): string {
  return jwe
    .split('.')
    .map((part, index) => parts[index] ?? part)
    .join('.');
}

export function encodeHeader(header: unknown): string {
  return Buffer.from(typeof header === 'string' ? header : JSON.stringify(header)).toString('base64url');
}
