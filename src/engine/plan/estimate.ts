/** Milliseconds that something is expected to take. */
export interface Span {
  readonly min: number;
  readonly max: number;
}

export const noTime: Span = { min: 0, max: 0 };

/** One past run of a node: the instance id without keys, and how long it took in milliseconds. */
export interface PastRun {
  readonly node: string;
  readonly ms: number;
}

/** The fastest and the slowest past run of each node. */
export function spansOf(history: readonly PastRun[]): ReadonlyMap<string, Span> {
  const spans = new Map<string, Span>();
  for (const { node, ms } of history) {
    const known = spans.get(node);
    spans.set(node, { min: Math.min(known?.min ?? ms, ms), max: Math.max(known?.max ?? ms, ms) });
  }
  return spans;
}

/** Spans one after the other (1), all at once (0) or so many at a time. */
export function together(spans: readonly Span[], parallel: number): Span {
  return {
    min: lanes(
      spans.map((span) => span.min),
      parallel,
    ),
    max: lanes(
      spans.map((span) => span.max),
      parallel,
    ),
  };
}

/** Each starts, in order, on the lane that is free first. */
function lanes(times: readonly number[], parallel: number): number {
  const count = parallel === 0 ? times.length : Math.min(parallel, times.length);
  if (count <= 1) return times.reduce((sum, ms) => sum + ms, 0);
  if (count === times.length) return times.reduce((longest, ms) => Math.max(longest, ms), 0);
  const busyUntil = new Array<number>(count).fill(0);
  for (const ms of times) {
    const free = busyUntil.indexOf(Math.min(...busyUntil));
    busyUntil[free] = (busyUntil[free] ?? 0) + ms;
  }
  return Math.max(...busyUntil);
}
