const FIRST_EPOCH = Date.UTC(2026, 0, 5, 9, 0, 0);

/** When a run in the sandbox begins: 2026-01-05T09:00:00Z plus one minute for each unit of the seed, within a year. */
export function epochOf(seed: number): number {
  return FIRST_EPOCH + (Math.abs(Math.trunc(seed)) % 525_600) * 60_000;
}
