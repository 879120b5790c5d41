import { createHash } from 'node:crypto';
import type { NekRows } from './scan.ts';

export interface NekSample {
  add(rows: NekRows): void;
  /** How many were added. */
  readonly total: number;
  /** The chosen ones; all of them when there are no more than the size. */
  chosen(): readonly NekRows[];
}

/**
 * The `size` keys whose hash with the seed is smallest: a random sample that the same seed gives again, in whatever order the rows
 * come. Holds twice the sample at most.
 */
export function createSample(size: number, seed: string): NekSample {
  let kept: { readonly rank: string; readonly rows: NekRows }[] = [];
  let total = 0;
  const cut = () => {
    if (kept.length > size)
      kept = kept.sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0)).slice(0, size);
  };
  return {
    get total() {
      return total;
    },
    add(rows) {
      const [first] = rows;
      if (first === undefined) return;
      total += 1;
      const rank = createHash('sha256')
        .update(`${seed}\0${first.namespace}\0${first.kid}`)
        .digest('base64url');
      kept.push({ rank, rows });
      if (kept.length >= size * 2) cut();
    },
    chosen() {
      cut();
      return kept.map(({ rows }) => rows);
    },
  };
}
