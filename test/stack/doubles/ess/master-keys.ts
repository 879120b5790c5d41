import { readKeySet, type SetKey } from '../lib/jwk-set.ts';

/** The master keys as ESS holds them after a load. */
export interface MasterKeys {
  current: SetKey;
  /** In the document's order. */
  ordered: SetKey[];
  /** By name; of two keys with one name the last one. */
  all: Map<string, Uint8Array>;
}

/** What ESS makes of the document's `keys`: the first is current, whatever `current_kid` says. Throws where ESS refuses. */
export function readMasterKeys(encoded: string | undefined): MasterKeys {
  const ordered = readKeySet(encoded);
  const all = new Map(ordered.map(({ kid, key }) => [kid, key]));
  const [current] = ordered;
  if (current === undefined) throw new Error('there is no master key');
  if (createdAt(current.kid) === undefined) throw new Error(`Current MEK ${current.kid} is not a UUIDv1`);
  if (Buffer.compare(all.get(current.kid) ?? Buffer.alloc(0), current.key) !== 0)
    throw new Error(`Current MEK ${current.kid} is not in the list of all MEKs or has mismatching value`);
  return { current, ordered, all };
}

/**
 * The key that new namespace keys are wrapped with. While the current one is younger than the grace period, that is
 * the key right before it in the list; the current one comes first in the documents we know, so nothing is before it.
 */
export function wrappingKey(keys: MasterKeys, gracePeriod: number): SetKey {
  if (age(keys) >= gracePeriod) return keys.current;
  const index = keys.ordered.findIndex(({ kid }) => kid === keys.current.kid);
  return keys.ordered[index - 1] ?? keys.current;
}

/** How long ago the current key was made, in milliseconds. */
export function age({ current }: MasterKeys): number {
  return Date.now() - (createdAt(current.kid) ?? 0);
}

/** The moment inside a UUIDv1, in milliseconds since the epoch; undefined for anything else (RFC 9562 §5.1). */
export function createdAt(kid: string): number | undefined {
  const match = /^([0-9a-f]{8})-([0-9a-f]{4})-1([0-9a-f]{3})-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.exec(kid);
  if (match === null) return undefined;
  const ticks = BigInt(`0x${match[3]}${match[2]}${match[1]}`);
  return Number((ticks - 122_192_928_000_000_000n) / 10_000n);
}
