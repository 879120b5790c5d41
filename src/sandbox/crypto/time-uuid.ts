import { derived } from './derive.ts';

/** Intervals of 100 ns between the start of the Gregorian calendar and that of Unix time (RFC 9562 §5.1). */
const GREGORIAN = 0x01b21dd213814000n;
const VERSION_1 = /^([0-9a-f]{8})-([0-9a-f]{4})-1([0-9a-f]{3})-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A UUID of version 1 with a time in milliseconds; clock sequence and node follow from the seed and the label. */
export function timeUuid(seed: number, ms: number, ...label: readonly (string | number)[]): string {
  const time = (BigInt(Math.trunc(ms)) * 10_000n + GREGORIAN).toString(16).padStart(15, '0');
  const rest = derived(seed, 8, 'time-uuid', ms, ...label);
  rest.writeUInt8((rest.readUInt8(0) & 0x3f) | 0x80, 0);
  // The multicast bit marks a node that is no network card's.
  rest.writeUInt8(rest.readUInt8(2) | 0x01, 2);
  const hex = rest.toString('hex');
  return `${time.slice(7)}-${time.slice(3, 7)}-1${time.slice(0, 3)}-${hex.slice(0, 4)}-${hex.slice(4)}`;
}

/** Milliseconds since the epoch; undefined for anything but a UUID of version 1. */
export function timeOfUuid(uuid: string): number | undefined {
  const [, low, mid, high] = VERSION_1.exec(uuid) ?? [];
  if (low === undefined || mid === undefined || high === undefined) return undefined;
  return Number((BigInt(`0x${high}${mid}${low}`) - GREGORIAN) / 10_000n);
}
