/** What a simulated program does, one thing after the other. */
export type Act =
  | { readonly do: 'print'; readonly text: string; readonly stream: 'stdout' | 'stderr' }
  | { readonly do: 'sleep'; readonly ms: number }
  | { readonly do: 'exit'; readonly code: number }
  | { readonly do: 'touch'; readonly file: string };

/** `acts` once, then `loop` again and again; without a loop the program ends with `exitCode`. */
export interface Program {
  readonly acts: readonly Act[];
  readonly loop: readonly Act[];
  readonly exitCode: number;
}

export interface Line {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly text: string;
  readonly stream: 'stdout' | 'stderr';
}

/** A log keeps this many lines of a loop. */
const KEPT = 5000;

function lasts(acts: readonly Act[]): number {
  return acts.reduce((sum, act) => sum + (act.do === 'sleep' ? act.ms : 0), 0);
}

/** Milliseconds until the program ends by itself, and its exit code; undefined when it never does. */
export function ending(program: Program): { readonly after: number; readonly code: number } | undefined {
  let after = 0;
  for (const act of [...program.acts, ...program.loop]) {
    if (act.do === 'sleep') after += act.ms;
    if (after === Number.POSITIVE_INFINITY) return undefined;
    if (act.do === 'exit') return { after, code: act.code };
  }
  return program.loop.length > 0 ? undefined : { after, code: program.exitCode };
}

function linesOf(acts: readonly Act[], from: number): readonly Line[] {
  const lines: Line[] = [];
  let at = from;
  for (const act of acts) {
    if (act.do === 'sleep') at += act.ms;
    else if (act.do === 'print') lines.push({ at, text: act.text, stream: act.stream });
    else if (act.do === 'exit') break;
  }
  return lines;
}

/** What a program started at `started` has printed by `until`, oldest first; of a long loop only the newest lines. */
export function printed(program: Program, started: number, until: number): readonly Line[] {
  const lines = [...linesOf(program.acts, started)];
  const period = lasts(program.loop);
  const prints = program.loop.filter((act) => act.do === 'print').length;
  const looping = started + lasts(program.acts);
  if (period > 0 && prints > 0 && looping <= until) {
    const rounds = Math.floor((until - looping) / period);
    for (let round = Math.max(0, rounds - Math.ceil(KEPT / prints)); round <= rounds; round += 1)
      lines.push(...linesOf(program.loop, looping + round * period));
  }
  return lines.filter((line) => line.at <= until).slice(-KEPT);
}

/** When a program prints its next line after `after`; undefined when it never does. */
export function nextLine(program: Program, started: number, after: number): number | undefined {
  const next = linesOf(program.acts, started).find((line) => line.at > after);
  if (next !== undefined) return next.at;
  const period = lasts(program.loop);
  if (period === 0 || !Number.isFinite(period) || !program.loop.some((act) => act.do === 'print'))
    return undefined;
  const looping = started + lasts(program.acts);
  const round = Math.max(0, Math.floor((after - looping) / period));
  return [round, round + 1]
    .flatMap((at) => linesOf(program.loop, looping + at * period))
    .find((line) => line.at > after)?.at;
}

/** Files that the program has made by `until`. */
export function touched(program: Program, started: number, until: number): readonly string[] {
  const files: string[] = [];
  let at = started;
  for (const act of [...program.acts, ...program.loop]) {
    if (act.do === 'sleep') at += act.ms;
    if (at > until) break;
    if (act.do === 'touch') files.push(act.file);
  }
  return files;
}
