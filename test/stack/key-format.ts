import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { types } from 'cassandra-driver';
import { CompactEncrypt } from 'jose';

/** A key and its name: the bytes are those of a JWK's `k`. */
export interface NamedKey {
  kid: string;
  bytes: Buffer;
}

/** The KV data of the master key document. */
export type MasterKeyFields = Record<'keys' | 'private_jwks' | 'current_kid' | 'jwe_mapping', string>;

/** A row of `encryption_keys_by_kid_and_encrypted_at`. */
export interface NamespaceKeyRow {
  namespace: string;
  kid: string;
  /** Milliseconds since the epoch. */
  encryptedAt: number;
  createdAt: string;
  encryptedByKid: string;
  encryptedKey: string;
  status: string;
}

/** A time-based UUID of a moment, in milliseconds since the epoch. */
export function timeUuid(at: number): string {
  return types.TimeUuid.fromDate(new Date(at)).toString();
}

/** 32 fresh bytes under a name. */
export function masterKey(kid: string): NamedKey {
  return { kid, bytes: randomBytes(32) };
}

/** The document as the migrations write it, the first of `keys` being the active one. */
export function masterKeyFields(keys: NamedKey[], privateKeys: NamedKey[]): MasterKeyFields {
  const current = keys[0]?.kid ?? '';
  return {
    keys: keySet(keys),
    private_jwks: keySet(privateKeys),
    current_kid: current,
    jwe_mapping: JSON.stringify({ payload_jwe_kid: current }),
  };
}

/** Standard base64 of `{"keys":[…]}`. */
export function keySet(keys: NamedKey[]): string {
  const jwks = keys.map(({ kid, bytes }) => ({
    kty: 'oct',
    use: 'enc',
    kid,
    k: bytes.toString('base64url'),
    alg: 'A256GCM',
  }));
  return Buffer.from(JSON.stringify({ keys: jwks })).toString('base64');
}

/** Reads one set back. */
export function readKeySet(encoded: string): NamedKey[] {
  const { keys } = JSON.parse(Buffer.from(encoded, 'base64').toString()) as {
    keys: { kid: string; k: string }[];
  };
  return keys.map(({ kid, k }) => ({ kid, bytes: Buffer.from(k, 'base64url') }));
}

/** A fresh namespace key; its name is its RFC 7638 thumbprint. */
export function namespaceKey(): NamedKey {
  const bytes = randomBytes(32);
  const jwk = `{"k":"${bytes.toString('base64url')}","kty":"oct"}`;
  return { kid: createHash('sha256').update(jwk).digest('base64url'), bytes };
}

/** The row of a namespace key under a master key, with the header that binds it to its columns. */
export function namespaceKeyRow(
  key: NamedKey,
  master: NamedKey,
  row: { namespace: string; createdAt: string; encryptedAt: number; status: string },
): NamespaceKeyRow {
  const { namespace, createdAt, encryptedAt, status } = row;
  const header = { kid: master.kid, version: 1, namespace, createdAt, encryptedAt };
  return {
    namespace,
    kid: key.kid,
    encryptedAt,
    createdAt,
    encryptedByKid: master.kid,
    // What is wrapped is the key's text, not its bytes.
    encryptedKey: directJwe(master.bytes, header, key.bytes.toString('base64url')),
    status,
  };
}

/** A secret's value under a namespace key. */
export function secretJwe(key: NamedKey, data: object): string {
  return directJwe(key.bytes, { kid: key.kid }, JSON.stringify(data));
}

/** `key_details` of an issued API key under a key of `private_jwks`. */
export function keyDetailsJwe(key: NamedKey, details: object): Promise<string> {
  return new CompactEncrypt(Buffer.from(JSON.stringify(details)))
    .setProtectedHeader({ alg: 'A256GCMKW', enc: 'A256GCM', kid: key.kid })
    .encrypt(key.bytes);
}

// By hand instead of with `jose`: a large seed wraps a hundred thousand keys.
function directJwe(key: Buffer, header: object, text: string): string {
  const encoded = Buffer.from(JSON.stringify({ alg: 'dir', enc: 'A256GCM', ...header })).toString(
    'base64url',
  );
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
  cipher.setAAD(Buffer.from(encoded, 'ascii'));
  const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return [
    encoded,
    '',
    ...[iv, encrypted, cipher.getAuthTag()].map((part) => part.toString('base64url')),
  ].join('.');
}
