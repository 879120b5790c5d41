import { createHash } from 'node:crypto';

/** Up to 32 bytes that follow from the world's seed and a label: the keys and nonces of a simulation, worth nothing elsewhere. */
export function derived(seed: number, length: number, ...label: readonly (string | number)[]): Buffer {
  const text = JSON.stringify(['sandbox', seed, ...label]);
  return createHash('sha256').update(text).digest().subarray(0, length);
}

/** An integer of 0 to `below` - 1. */
export function derivedInteger(seed: number, below: number, ...label: readonly (string | number)[]): number {
  return derived(seed, 6, ...label).readUIntBE(0, 6) % below;
}

/** Lower-case hexadecimal. */
export function derivedHex(seed: number, digits: number, ...label: readonly (string | number)[]): string {
  return derived(seed, Math.ceil(digits / 2), ...label)
    .toString('hex')
    .slice(0, digits);
}
