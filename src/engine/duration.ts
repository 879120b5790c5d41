const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

/** Longest duration a runbook may name: 90 days. */
export const maxDuration = 90 * 86_400_000;

/** How a duration is written, for messages. */
export const durationForm = "whole numbers with units d, h, m, s or ms, such as '90s', '5m' or '1h30m'";

/**
 * Milliseconds of '90s', '5m', '1h30m', '250ms', '2d': units from the largest to the smallest, each at most once.
 * Undefined for anything else: no bare numbers, no signs, no fractions, nothing above 90 days.
 */
export function parseDuration(text: string): number | undefined {
  if (text === '' || text.length > 32) return undefined;
  const match = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(text);
  if (match === null) return undefined;
  let total = 0;
  for (const [index, [, size]] of units.entries()) total += Number(match[index + 1] ?? 0) * size;
  return total <= maxDuration ? total : undefined;
}

/** For people: '0.8s', '45s', '2m05s', '1h30m', '3d04h'. Two units at most, rounded down, never negative. */
export function formatDuration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 10_000) return `${trimZero((Math.floor(ms / 100) / 10).toFixed(1))}s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return pair([minutes, 'm'], [seconds % 60, 's']);
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return pair([hours, 'h'], [minutes % 60, 'm']);
  return pair([Math.floor(hours / 24), 'd'], [hours % 24, 'h']);
}

function pair(large: readonly [number, string], small: readonly [number, string]): string {
  const rest = small[0] === 0 ? '' : `${String(small[0]).padStart(2, '0')}${small[1]}`;
  return `${large[0]}${large[1]}${rest}`;
}

function trimZero(text: string): string {
  return text.endsWith('.0') ? text.slice(0, -2) : text;
}
