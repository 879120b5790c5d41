import type { KeyObject } from 'node:crypto';
import { createSecretKey, randomFillSync } from 'node:crypto';
import { keyHash } from './hash.ts';
import type { JsonMembers } from './strict-json.ts';

const keyLength = 32;
/** NIST SP 800-38D §8.3 allows 2^32 random IVs for one key; half of that is far beyond any table of namespace keys. */
const wrapLimit = 2 ** 31;

/** A JWK of one of the sets. Printing or serialising it shows kid and hash alone. */
export class MekKey {
  readonly kid: string;
  /** `keyHash` of the 32 bytes. */
  readonly hash: string;
  /** The JWK with an empty `k`. */
  readonly #members: JsonMembers;
  readonly #object: KeyObject;
  #wraps = 0;

  /** Takes over `bytes`, 32 of them, and overwrites them: the only copy that stays is outside JavaScript's memory. */
  constructor(kid: string, bytes: Buffer, jwk: JsonMembers) {
    this.kid = kid;
    this.hash = keyHash(bytes);
    this.#members = { ...jwk, k: '' };
    this.#object = createSecretKey(bytes);
    bytes.fill(0);
  }

  /** 32 fresh random bytes, as the installation makes them. */
  static generate(kid: string): MekKey {
    const bytes = randomFillSync(Buffer.allocUnsafeSlow(keyLength));
    return new MekKey(kid, bytes, { kty: 'oct', use: 'enc', kid, k: '', alg: 'A256GCM' });
  }

  /** For node:crypto. */
  get keyObject(): KeyObject {
    return this.#object;
  }

  /** Counts one more random IV under this key; false when there were too many. */
  countWrap(): boolean {
    this.#wraps++;
    return this.#wraps <= wrapLimit;
  }

  /** The base64url text of the key, as ASCII. Secret. */
  text(): Uint8Array {
    return Buffer.from(this.#k(), 'latin1');
  }

  /** The whole JWK. Secret; for the document's own serialising. */
  jwk(): JsonMembers {
    return { ...this.#members, k: this.#k() };
  }

  #k(): string {
    const bytes = this.#object.export();
    const text = bytes.toString('base64url');
    bytes.fill(0);
    return text;
  }

  /** Kid and bytes are the same, whatever else the JWKs say. */
  sameAs(other: MekKey): boolean {
    return this.kid === other.kid && this.hash === other.hash;
  }
}
