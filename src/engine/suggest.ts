/** The candidate that was most probably meant, or undefined when none is close. */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  const plain = simplify(word);
  for (const candidate of candidates) {
    if (candidate === word) continue;
    const distance = simplify(candidate) === plain ? 0.5 : editDistance(word, candidate);
    if (distance > tolerance(word, candidate) || distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/**
 * A hint for a name that does not exist: 'did you mean "x"?', else the names there are (at most eight), else undefined.
 * `noun` is plural: 'inputs', 'fields'.
 */
export function nameHint(word: string, candidates: Iterable<string>, noun: string): string | undefined {
  const names = [...candidates];
  const meant = suggest(word, names);
  if (meant !== undefined) return `did you mean "${meant}"?`;
  if (names.length === 0) return undefined;
  const shown = names.slice(0, 8).join(', ');
  return `${noun}: ${shown}${names.length > 8 ? `, and ${names.length - 8} more` : ''}`;
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other. */
export function editDistance(from: string, to: string): number {
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let cost = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
      );
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, at(beforeLast, column - 2) + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}

/** One mistake in three letters, three at most; words of very different or absurd length are never close. */
function tolerance(word: string, candidate: string): number {
  const longest = Math.max(word.length, candidate.length);
  if (longest > 80 || Math.abs(word.length - candidate.length) > 3) return -1;
  return Math.min(3, Math.floor(Math.max(longest, 3) / 3));
}

function simplify(word: string): string {
  return word.length > 80 ? word : word.toLowerCase().replace(/[-_. ]/g, '');
}
