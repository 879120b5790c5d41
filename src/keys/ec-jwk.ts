import { createECDH } from 'node:crypto';
import { decodeBase64url } from './base64.ts';

/** By the name that a JWK gives a curve: OpenSSL's name, and the length of a coordinate in bytes (RFC 7518 §6.2). */
const curves: Readonly<Record<string, { readonly name: string; readonly bytes: number }>> = {
  'P-256': { name: 'prime256v1', bytes: 32 },
  'P-384': { name: 'secp384r1', bytes: 48 },
  'P-521': { name: 'secp521r1', bytes: 66 },
};

/** What can be told of a private EC key without telling it. */
export interface EcKeyVerdict {
  readonly kid: string;
  /** 'P-256'; empty when it names none that is known. */
  readonly curve: string;
  /** Characters of `d`, `x` and `y` as they are written. */
  readonly characters: number;
  /** How many each must have. */
  readonly wanted: number;
  /** Empty: the key is whole. */
  readonly problem: string;
}

type Members = Readonly<Record<string, unknown>>;

/**
 * Whether a JWK is a whole private EC key: every number as long as its curve wants it (leading zeros are often cut off by
 * mistake, and libraries then refuse the key, or use another one), and the public half the one that belongs to it.
 */
export function judgeEcJwk(jwk: Members): EcKeyVerdict {
  const curve = text(jwk.crv);
  const known = Object.hasOwn(curves, curve) ? curves[curve] : undefined;
  const wanted = known === undefined ? 0 : Math.ceil((known.bytes * 8) / 6);
  const seen = {
    kid: text(jwk.kid),
    curve: known === undefined ? '' : curve,
    characters: text(jwk.d).length,
    wanted,
  };
  if (jwk.kty !== 'EC') return { ...seen, problem: 'it is no EC key (kty)' };
  if (known === undefined) return { ...seen, problem: 'its curve is not known (crv)' };
  if (seen.characters === 0) return { ...seen, problem: 'it has no private part (d)' };
  const parts: Uint8Array[] = [];
  for (const member of ['d', 'x', 'y']) {
    const written = text(jwk[member]);
    if (written.length !== wanted)
      return { ...seen, problem: `${member} has ${written.length} characters, ${curve} wants ${wanted}` };
    const bytes = decodeBase64url(written);
    if (bytes === undefined) return { ...seen, problem: `${member} is not base64url` };
    parts.push(bytes);
  }
  const [d, x, y] = parts;
  if (d === undefined || x === undefined || y === undefined || !belongs(known.name, d, Buffer.concat([x, y])))
    return { ...seen, problem: 'its public half (x, y) is not that of its private part (d)' };
  return { ...seen, problem: '' };
}

function belongs(curve: string, d: Uint8Array, point: Uint8Array): boolean {
  try {
    const pair = createECDH(curve);
    pair.setPrivateKey(d);
    // Without the byte that says that it is not compressed.
    return pair.getPublicKey().subarray(1).equals(point);
  } catch {
    return false;
  }
}

/** The keys of a text: a JWK or a set of them, as JSON or as base64 of it; undefined when it is neither. */
export function jwksIn(value: string): readonly Members[] | undefined {
  for (const candidate of [value, Buffer.from(value, 'base64').toString('utf8')]) {
    const parsed = parse(candidate);
    if (parsed === undefined) continue;
    if (Array.isArray(parsed.keys)) return parsed.keys.filter(isMembers);
    if (typeof parsed.kty === 'string') return [parsed];
  }
  return undefined;
}

function parse(value: string): Members | undefined {
  try {
    const parsed: unknown = JSON.parse(value);
    return isMembers(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
