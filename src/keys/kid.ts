import { randomBytes, randomInt } from 'node:crypto';

const canonical = /^([0-9a-f]{8})-([0-9a-f]{4})-1([0-9a-f]{3})-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** 100 ns intervals from 1582-10-15 to 1970-01-01. */
const gregorian = 122_192_928_000_000_000n;
const ticksPerMillisecond = 10_000n;
const aheadLimit = 60_000;

/** Milliseconds since the epoch in a lower-case UUIDv1 (RFC 9562 §5.1); undefined for any other text. */
export function uuidV1Time(kid: string): number | undefined {
  const [, low, mid, high] = canonical.exec(kid) ?? [];
  if (low === undefined) return undefined;
  const ticks = BigInt(`0x${high}${mid}${low}`) - gregorian;
  return Number(ticks / ticksPerMillisecond) - (ticks % ticksPerMillisecond < 0n ? 1 : 0);
}

/**
 * A UUIDv1 for a new key: the server's time, a random clock sequence, a random node with the multicast bit (no MAC address).
 * Strictly newer, in milliseconds, than every UUIDv1 in `others`, because ESS judges by that time which of two keys is newer;
 * refuses when this would put it more than 60 s ahead of `now`.
 */
export function newKid(given: {
  /** Milliseconds since the epoch, by the OpenBao server's clock. */
  readonly now: number;
  /** Every kid of both sets, and every kid that a row names. */
  readonly others: readonly string[];
}): { readonly ok: true; readonly kid: string } | { readonly ok: false; readonly problem: string } {
  const now = Math.floor(given.now);
  if (!Number.isSafeInteger(now) || now < 0)
    return { ok: false, problem: `The server's time (${given.now}) is no time since 1970.` };
  let time = now;
  for (const other of given.others) {
    const born = uuidV1Time(other);
    if (born === undefined || born < time) continue;
    if (born + 1 > now + aheadLimit)
      return {
        ok: false,
        problem: `The kid ${other} is from ${Math.round((born - now) / 1000)} s in the future by the server's clock: a newer kid would be more than ${aheadLimit / 1000} s ahead.`,
      };
    time = born + 1;
  }
  const ticks =
    BigInt(time) * ticksPerMillisecond + gregorian + BigInt(randomInt(Number(ticksPerMillisecond)));
  if (ticks >= 1n << 60n)
    return { ok: false, problem: `The server's time (${given.now}) does not fit a UUIDv1.` };
  return { ok: true, kid: uuidV1(ticks) };
}

function uuidV1(ticks: bigint): string {
  const time = ticks.toString(16).padStart(15, '0');
  const random = randomBytes(8);
  random[0] = ((random[0] ?? 0) & 0x3f) | 0x80;
  // RFC 9562 §6.10: the multicast bit says that this is no hardware address.
  random[2] = (random[2] ?? 0) | 0x01;
  const rest = random.toString('hex');
  return `${time.slice(7)}-${time.slice(3, 7)}-1${time.slice(0, 3)}-${rest.slice(0, 4)}-${rest.slice(4)}`;
}
