/** A row of `system_schema.keyspaces`: class, and copies by datacenter or in all. */
export type Replication = Readonly<Record<string, string>>;

/** Copies of each row in a datacenter; 0 when none is kept there, or the setting is not understood. */
export function copiesIn(datacenter: string, replication: Replication): number {
  const simple = /(?:^|\.)SimpleStrategy$/u.test(replication.class ?? '');
  const copies = replication[simple ? 'replication_factor' : datacenter] ?? '';
  return /^\d{1,9}$/u.test(copies) ? Number(copies) : 0;
}

/**
 * Whether LOCAL_QUORUM can be had for every row, however the copies lie: so many nodes at most may be down as each
 * row can do without. Copies that no node is there for count as down.
 */
export function hasQuorum(ring: {
  readonly copies: number;
  /** Of the datacenter, those that are down included. */
  readonly nodes: number;
  readonly up: number;
}): boolean {
  const needed = Math.floor(ring.copies / 2) + 1;
  const down = Math.max(ring.nodes, ring.copies) - ring.up;
  return ring.copies > 0 && down <= ring.copies - needed;
}
