const UNITS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
};

/** '500m', '2Gi', 3 as a number; 0 for what is no quantity. */
export function quantity(value: unknown): number {
  const match = /^([0-9.]+)([a-zA-Z]*)$/.exec(String(value ?? ''));
  const unit = UNITS[match?.[2] ?? ''];
  return match === null || unit === undefined ? 0 : Number(match[1]) * unit;
}

/** An absolute number or a percentage of `total`: '25%', 1. */
export function portion(value: number | string | undefined, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  const percent = /^([0-9]+)%$/.exec(value ?? '');
  if (percent === null) return Number(value ?? 0) || 0;
  const exact = (Number(percent[1]) * total) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}
