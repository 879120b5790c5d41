export interface Replacement {
  readonly pod: string;
  /** Partition of the StatefulSet at which it replaces this pod. */
  readonly release: number;
  /** Partition at which it leaves this pod alone. */
  readonly hold: number;
}

/** Highest first, as a StatefulSet replaces its pods. */
export function replacementOrder(names: readonly string[]): Replacement[] {
  return names
    .map((pod) => ({ pod, release: ordinalOf(pod), hold: ordinalOf(pod) + 1 }))
    .sort((a, b) => b.release - a.release);
}

/** The number at the end of a StatefulSet's pod; -1 for other pods. */
export function ordinalOf(name: string): number {
  const [, digits] = /-(\d{1,6})$/.exec(name) ?? [];
  return digits === undefined ? -1 : Number(digits);
}
