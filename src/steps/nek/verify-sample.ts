import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import type { NekRows } from './scan.ts';
import { decisive } from './verify-rule.ts';

export interface NekSample {
  add(rows: NekRows): void;
  /** How many were added. */
  readonly total: number;
  /** How many are chosen: all of them when there are no more than the size. */
  readonly size: number;
  /** The rows that decide, of the chosen ones, so many keys at once. */
  chosen(atOnce: number): Iterable<readonly NekRows[]>;
}

/** Beyond the sample, for as long as it takes to choose again. */
const surplus = 1 / 8;

/**
 * The `size` keys whose hash with the seed is smallest: a random sample that the same seed gives again, in whatever order the rows
 * come. Holds little more than the sample.
 */
export function createSample(size: number, seed: string): NekSample {
  // As bytes: ten thousand keys as objects would make the heap grow far beyond them before it is swept.
  let kept: { readonly rank: string; readonly rows: Buffer }[] = [];
  let total = 0;
  /** No key beyond it can be among the smallest any more. */
  let limit: string | undefined;
  const cut = () => {
    if (kept.length <= size) return;
    kept = kept.sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0)).slice(0, size);
    limit = kept.at(-1)?.rank;
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
      if (limit !== undefined && rank > limit) return;
      kept.push({ rank, rows: serialize(decisive(rows)) });
      if (kept.length >= size * (1 + surplus)) cut();
    },
    get size() {
      return Math.min(total, size);
    },
    *chosen(atOnce) {
      cut();
      for (let start = 0; start < kept.length; start += atOnce)
        yield kept.slice(start, start + atOnce).map(({ rows }) => deserialize(rows) as NekRows);
    },
  };
}
