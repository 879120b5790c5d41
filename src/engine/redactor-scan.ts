import { type Automaton, buildAutomaton } from './redactor-automaton.ts';

export interface Pattern {
  readonly bytes: Uint8Array;
  readonly label: string;
}

/** Patterns by the lens through which the text is looked at. */
export interface Patterns {
  readonly exact: readonly Pattern[];
  readonly percent: readonly Pattern[];
  readonly spread: readonly Pattern[];
}

export type Scanner = Readonly<Record<keyof Patterns, Automaton>>;

/** Where a secret stands; `end` is exclusive. */
export interface Found {
  readonly start: number;
  readonly end: number;
  readonly label: string;
}

export interface Scan {
  /** In order, without overlap. */
  readonly found: readonly Found[];
  /** Where an unfinished secret may begin; the length when none can. */
  readonly open: number;
}

/** Blanks in a row after which the parts of a spread pattern no longer belong together. */
const maxBlanks = 256;

export function buildScanner(patterns: Patterns): Scanner {
  return {
    exact: buildAutomaton(patterns.exact),
    percent: buildAutomaton(patterns.percent),
    spread: buildAutomaton(patterns.spread),
  };
}

/** A byte that may stand anywhere inside a spread pattern: blank, line break, tab, backslash. */
export function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09 || byte === 0x5c;
}

export function scan(bytes: Uint8Array, scanner: Scanner): Scan {
  const scans = [scanExact(bytes, scanner.exact), scanSpread(bytes, scanner.spread)];
  if (bytes.includes(0x25) || bytes.includes(0x2b)) scans.push(scanPercent(bytes, scanner.percent));
  const found = scans.flatMap((each) => each.found).sort((a, b) => a.start - b.start || b.end - a.end);
  return { found: united(found), open: Math.min(...scans.map(({ open }) => open)) };
}

function scanExact(bytes: Uint8Array, automaton: Automaton): Scan {
  const found: Found[] = [];
  let state: number = automaton.root;
  for (let index = 0; index < bytes.length; index++) {
    state = automaton.step(state, bytes[index] ?? 0);
    const length = automaton.matched(state);
    if (length > 0) found.push({ start: index + 1 - length, end: index + 1, label: automaton.label(state) });
  }
  return { found, open: bytes.length - automaton.depth(state) };
}

/** As if there were no blanks. */
function scanSpread(bytes: Uint8Array, automaton: Automaton): Scan {
  const found: Found[] = [];
  const starts = new Int32Array(bytes.length);
  let count = 0;
  let blanks = 0;
  let state: number = automaton.root;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0;
    if (isBlank(byte)) {
      blanks += 1;
      if (blanks > maxBlanks) state = automaton.root;
      continue;
    }
    blanks = 0;
    starts[count] = index;
    count += 1;
    state = automaton.step(state, byte);
    const length = automaton.matched(state);
    if (length > 0)
      found.push({ start: starts[count - length] ?? 0, end: index + 1, label: automaton.label(state) });
  }
  const depth = automaton.depth(state);
  return { found, open: depth === 0 ? bytes.length : (starts[count - depth] ?? 0) };
}

/** As a URL decoder would read it. */
function scanPercent(bytes: Uint8Array, automaton: Automaton): Scan {
  const found: Found[] = [];
  const starts = new Int32Array(bytes.length);
  let count = 0;
  let state: number = automaton.root;
  let index = 0;
  while (index < bytes.length) {
    const byte = bytes[index] ?? 0;
    const escaped = byte === 0x25 ? hexByte(bytes, index + 1) : undefined;
    if (byte === 0x25 && escaped === undefined && index + 2 >= bytes.length) break;
    starts[count] = index;
    count += 1;
    index += escaped === undefined ? 1 : 3;
    const read = escaped ?? byte;
    state = automaton.step(state, read === 0x2b ? 0x20 : read);
    const length = automaton.matched(state);
    if (length > 0)
      found.push({ start: starts[count - length] ?? 0, end: index, label: automaton.label(state) });
  }
  const depth = automaton.depth(state);
  return { found, open: depth === 0 ? Math.min(index, bytes.length) : (starts[count - depth] ?? 0) };
}

function hexByte(bytes: Uint8Array, at: number): number | undefined {
  const high = hexDigit(bytes[at]);
  const low = hexDigit(bytes[at + 1]);
  return high === undefined || low === undefined ? undefined : high * 16 + low;
}

function hexDigit(byte: number | undefined): number | undefined {
  if (byte === undefined) return undefined;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : undefined;
}

/** Matches that share bytes become one, under the name of the first. */
function united(found: readonly Found[]): readonly Found[] {
  const result: Found[] = [];
  for (const next of found) {
    const last = result.at(-1);
    if (last === undefined || next.start >= last.end) result.push(next);
    else if (next.end > last.end) result[result.length - 1] = { ...last, end: next.end };
  }
  return result;
}
