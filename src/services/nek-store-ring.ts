/** A part of the token ring, first token excluded, last included. */
export interface TokenRange {
  readonly after: bigint;
  readonly upTo: bigint;
}

/** Tokens of Murmur3Partitioner. No key has the lowest one: the partitioner maps it to the highest. */
const lowest = -(2n ** 63n);
const highest = 2n ** 63n - 1n;

/** The whole ring in `parts` ranges of equal size, from the lowest token to the highest, without gap or overlap. */
export function splitRing(parts: number): readonly TokenRange[] {
  const size = highest - lowest;
  const border = (index: number) => lowest + (size * BigInt(index)) / BigInt(parts);
  return Array.from({ length: parts }, (_, index) => ({ after: border(index), upTo: border(index + 1) }));
}
