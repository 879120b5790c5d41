/** Milliseconds since the epoch in a lower-case UUIDv1 (RFC 9562 §5.1); undefined for any other text. */
export function uuidV1Time(_kid: string): number | undefined {
  throw new Error('not built');
}

/**
 * A UUIDv1 for a new key: the server's time, a random clock sequence, a random node with the multicast bit (no MAC address).
 * Strictly newer, in milliseconds, than every UUIDv1 in `others`, because ESS judges by that time which of two keys is newer;
 * refuses when this would put it more than 60 s ahead of `now`.
 */
export function newKid(_given: {
  /** Milliseconds since the epoch, by the OpenBao server's clock. */
  readonly now: number;
  /** Every kid of both sets, and every kid that a row names. */
  readonly others: readonly string[];
}): { readonly ok: true; readonly kid: string } | { readonly ok: false; readonly problem: string } {
  throw new Error('not built');
}
