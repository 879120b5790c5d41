import { hash } from 'node:crypto';

/** Lower-case hex SHA-256 of a key's 32 raw bytes: names a key without giving it away. */
export function keyHash(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

/** The first 12 hex digits of a hash: what people see. */
export function shortHash(hex: string): string {
  return hex.slice(0, 12);
}

/** Lower-case hex SHA-256 of a stored JWE: proves that a row read back is the row that was written. */
export function jweHash(jwe: string): string {
  return hash('sha256', jwe, 'hex');
}
