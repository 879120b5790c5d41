import { createHash } from 'node:crypto';

/** One key of a set, in the set's order. */
export interface SetKey {
  kid: string;
  key: Uint8Array;
}

/** The keys of `keys` or `private_jwks`: base64 of `{"keys":[…]}`. Throws on everything that the services refuse. */
export function readKeySet(encoded: string | undefined): SetKey[] {
  const parsed = JSON.parse(Buffer.from(encoded ?? '', 'base64').toString()) as { keys?: unknown };
  if (!Array.isArray(parsed.keys) || parsed.keys.length === 0) throw new Error('the key set has no keys');
  return parsed.keys.map((jwk: { kty?: unknown; kid?: unknown; k?: unknown }) => {
    if (jwk?.kty !== 'oct' || typeof jwk.k !== 'string' || typeof jwk.kid !== 'string' || jwk.kid === '')
      throw new Error('an element of the key set is not an octet key with a kid');
    return { kid: jwk.kid, key: Buffer.from(jwk.k, 'base64url') };
  });
}

/** Tells which of two documents a service has loaded, without telling a key. */
export function fieldsDigest(...fields: (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex').slice(0, 16);
}
