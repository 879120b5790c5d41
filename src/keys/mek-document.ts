import type { MekKey } from './mek-key.ts';

/**
 * The secret at `encryption/keys/stored_data`: two independent sets of master keys and the mark of the active one.
 * The same kid with different bytes in the two sets is how a stock install looks. Immutable; printing it shows no key.
 */
export interface MekDocument {
  /** Wraps namespace keys (ESS) and worker tokens (NVCF API); the first one is the one ESS wraps with. */
  readonly keys: readonly MekKey[];
  /** Wraps columns of API Keys. The order has no meaning. */
  readonly privateJwks: readonly MekKey[];
  readonly currentKid: string;
  /** `payload_jwe_kid` of `jwe_mapping`. */
  readonly jweMappingKid: string;
}

export type MekDocumentRead =
  | { readonly ok: true; readonly document: MekDocument; readonly warnings: readonly string[] }
  /** Every problem, one sentence each, without key material. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads the fields of the KV secret, UTF-8 JSON as OpenBao gives them. Never throws. */
export function parseMekDocument(_json: Uint8Array): MekDocumentRead {
  throw new Error('not built');
}

/** The KV fields as UTF-8 JSON, unknown fields and unknown JWK members as they were read. Secret: wrap it at once. */
export function serializeMekDocument(_document: MekDocument): Uint8Array {
  throw new Error('not built');
}

export interface MekKeySummary {
  readonly kid: string;
  /** `shortHash`. */
  readonly hash12: string;
}

export interface MekSummary {
  readonly currentKid: string;
  readonly keys: readonly MekKeySummary[];
  readonly privateJwks: readonly MekKeySummary[];
  /** Kids in both sets whose bytes differ. */
  readonly differing: readonly string[];
}

/** What may be printed and journaled. */
export function mekSummary(_document: MekDocument): MekSummary {
  throw new Error('not built');
}

/** The base64url text of every key of both sets, for `ctx.protect`. */
export function secretsOf(_document: MekDocument): readonly Uint8Array[] {
  throw new Error('not built');
}
