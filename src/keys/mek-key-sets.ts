import type { MekKey } from './mek-key.ts';
import type { JsonMembers } from './strict-json.ts';

/** The members around what we know, kept as they were read; what we know stands in them as null. */
export interface MekDocumentRest {
  /** The KV fields. */
  readonly fields: JsonMembers;
  /** The object inside the field `keys`. */
  readonly keys: JsonMembers;
  /** The object inside the field `private_jwks`. */
  readonly privateJwks: JsonMembers;
  /** The object inside the field `jwe_mapping`. */
  readonly jweMapping: JsonMembers;
}

interface Parts {
  readonly keys: readonly MekKey[];
  readonly privateJwks: readonly MekKey[];
  readonly currentKid: string;
  readonly jweMappingKid: string;
}

/**
 * The secret at `encryption/keys/stored_data`: two independent sets of master keys and the mark of the active one.
 * The same kid with different bytes in the two sets is how a stock install looks. Immutable; printing it shows no key.
 */
export class MekDocument {
  /** Wraps namespace keys (ESS) and worker tokens (NVCF API); the first one is the one ESS wraps with. */
  readonly keys: readonly MekKey[];
  /** Wraps columns of API Keys. The order has no meaning. */
  readonly privateJwks: readonly MekKey[];
  readonly currentKid: string;
  /** `payload_jwe_kid` of `jwe_mapping`. */
  readonly jweMappingKid: string;
  readonly #rest: MekDocumentRest;
  readonly #byKid: ReadonlyMap<string, MekKey>;

  constructor(parts: Parts, rest: MekDocumentRest) {
    this.keys = parts.keys;
    this.privateJwks = parts.privateJwks;
    this.currentKid = parts.currentKid;
    this.jweMappingKid = parts.jweMappingKid;
    this.#rest = rest;
    this.#byKid = new Map(parts.keys.map((key) => [key.kid, key]));
  }

  /** The same document with other keys or marks. */
  with(parts: Partial<Parts>): MekDocument {
    return new MekDocument({ ...this, ...parts }, this.#rest);
  }

  /** The key of `keys` with this kid. */
  key(kid: string): MekKey | undefined {
    return this.#byKid.get(kid);
  }

  /** The key of `private_jwks` with this kid. */
  privateKey(kid: string): MekKey | undefined {
    return this.privateJwks.find((key) => key.kid === kid);
  }

  /** The KV fields. Secret. */
  fields(): JsonMembers {
    return {
      ...this.#rest.fields,
      keys: encodeSet(this.#rest.keys, this.keys),
      current_kid: this.currentKid,
      jwe_mapping: JSON.stringify({ ...this.#rest.jweMapping, payload_jwe_kid: this.jweMappingKid }),
      private_jwks: encodeSet(this.#rest.privateJwks, this.privateJwks),
    };
  }
}

function encodeSet(around: JsonMembers, keys: readonly MekKey[]): string {
  return Buffer.from(JSON.stringify({ ...around, keys: keys.map((key) => key.jwk()) })).toString('base64');
}
