import { createHash } from 'node:crypto';

/**
 * Milliseconds before now that a new row of a namespace key may be dated, at most. Two who re-encrypt one key at the same moment would
 * otherwise give their rows the same primary key, and the later row would take the place of the earlier one.
 */
const spread = 60_000;

/** How much before now the rows of one key are dated: the same for all attempts of an operation, another one for every other. */
export function datedBefore(
  operationKey: string,
  { namespace, kid }: { readonly namespace: string; readonly kid: string },
): number {
  const digest = createHash('sha256').update(`${operationKey}\n${namespace}\n${kid}`).digest();
  return digest.readUInt32BE(0) % spread;
}
