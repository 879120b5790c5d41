import { age, type MasterKeys } from './master-keys.ts';

const counters = new Map<string, number>();

/** Adds one to a counter. */
export function count(name: string, labels: Record<string, string> = {}): void {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const key = pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
  counters.set(key, (counters.get(key) ?? 0) + 1);
}

/** As ESS shows a kid in metrics: its ends only. */
export function masked(kid: string): string {
  return `${kid.slice(0, 3)}***${kid.slice(-3)}`;
}

/** All counters, and how long ago the current master key was made. */
export function metricsText(keys: MasterKeys | undefined): string {
  const lines = [...counters].map(([key, value]) => `${key} ${value}`);
  if (keys !== undefined) lines.push(`rotation_mek_delta{kid="${masked(keys.current.kid)}"} ${age(keys)}`);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
