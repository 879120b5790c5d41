/** What a service that reloads has logged about the keys it holds, by the newest lines. */
export interface Loaded {
  /** Of the newest `Current kid` line. */
  readonly current: string | undefined;
  /** Of the newest `Kids` line. */
  readonly kids: readonly string[] | undefined;
  /** A reload that failed after these lines; the keys they name may not be in use. */
  readonly failure: string | undefined;
}

export const nothingLoaded: Loaded = { current: undefined, kids: undefined, failure: undefined };

/** Takes one more line of the log of ESS into account; every other line changes nothing. */
export function withLine(loaded: Loaded, line: string): Loaded {
  const current = /Loaded masterKey\. Current kid: ([^\s"\\,]+)/.exec(line)?.[1];
  if (current !== undefined) return { ...loaded, current, failure: undefined };
  const [, count, list] = /Loaded (\d+) allMasterKeys\. Kids: \[([^\]]*)\]/.exec(line) ?? [];
  if (list !== undefined) {
    const kids = list
      .split(',')
      .map((kid) => kid.trim())
      .filter((kid) => kid !== '');
    // A line that was cut short names fewer keys than it counts.
    return kids.length === Number(count) ? { ...loaded, kids, failure: undefined } : loaded;
  }
  const failed = /error during properties refresh - (.{1,200})/.exec(line)?.[1];
  return failed === undefined ? loaded : { ...loaded, failure: failed.trim() };
}
