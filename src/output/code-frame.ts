import type { JsonLocation } from './diagnostics-json.ts';
import { safeLine } from './safe-text.ts';

const tabWidth = 2;
/** Columns of source that a frame shows at most. */
const frameWidth = 100;
/** Columns of context before the place when a line has to be cut. */
const lead = 30;

interface Cell {
  readonly text: string;
  readonly width: number;
  readonly marked: boolean;
}

/**
 * The line and carets below its place:
 *
 *     17 |     uses: kubectl.pod
 *        |           ^^^^^^^^^^^
 *
 * Control characters are shown as escapes, tabs as spaces, wide characters count two columns, long lines are cut.
 */
export function codeFrame(location: JsonLocation): string {
  const gutter = String(location.start.line);
  const cells = cut(cellsOf(location));
  const source = cells
    .map(({ text }) => text)
    .join('')
    .trimEnd();
  let carets = '';
  for (const { width, marked } of cells) carets += (marked ? '^' : ' ').repeat(width);
  const blank = ' '.repeat(gutter.length);
  return `${gutter} | ${source}\n${blank} | ${carets.trimEnd() === '' ? '^' : carets.trimEnd()}`
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

function cellsOf({ start, end, source }: JsonLocation): readonly Cell[] {
  const from = start.column - source.column;
  const until = end.line > start.line ? source.text.trimEnd().length : end.column - source.column;
  const cells: Cell[] = [];
  let index = 0;
  // Made here: a segmenter takes 9 ms, and most runs draw no frame.
  const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
  for (const { segment } of graphemes.segment(source.text)) {
    const marked = index < Math.max(until, from + 1) && index + segment.length > from;
    const text = segment === '\t' ? ' '.repeat(tabWidth) : safeLine(segment);
    const width = text === segment ? graphemeWidth(segment) : text.length;
    cells.push({ text, width, marked });
    index += segment.length;
  }
  if (from >= index) cells.push({ text: ' ', width: 1, marked: true });
  return cells;
}

// East Asian Wide and Fullwidth (UAX #11), by block, and emoji that are drawn as pictures.
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\p{Emoji}\ufe0f/u;

/** Columns that a terminal gives a user-perceived character. */
function graphemeWidth(segment: string): number {
  if (/^\p{M}*$/u.test(segment)) return 0;
  return wide.test(segment) ? 2 : 1;
}

/** The part of a long line around its marked cells, with an ellipsis where something is missing. */
function cut(cells: readonly Cell[]): readonly Cell[] {
  const total = cells.reduce((sum, { width }) => sum + width, 0);
  if (total <= frameWidth) return cells;
  const first = Math.max(
    0,
    cells.findIndex(({ marked }) => marked),
  );
  let begin = first;
  for (let room = lead; begin > 0; begin--) {
    room -= cells[begin - 1]?.width ?? 0;
    if (room < 0) break;
  }
  let end = begin;
  for (let room = frameWidth; end < cells.length; end++) {
    room -= cells[end]?.width ?? 0;
    if (room < 0) break;
  }
  const shown = cells.slice(begin, end);
  const dots: Cell = { text: '…', width: 1, marked: false };
  return [...(begin > 0 ? [dots] : []), ...shown, ...(end < cells.length ? [dots] : [])];
}
