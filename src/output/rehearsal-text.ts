import type { Json } from '../engine/json.ts';
import type { Difference } from '../rehearsal/compare.ts';
import { isSound, type Rehearsal, type RehearsalRow, ways } from '../rehearsal/rehearsal.ts';
import { paint } from './colors.ts';
import { liveText } from './rehearsal-live-text.ts';
import { safeLine } from './safe-text.ts';
import { table } from './table.ts';
import { wrapped } from './wrap.ts';

const verdicts: Readonly<Record<RehearsalRow['verdict'], string>> = {
  restored: 'ok',
  kept: 'kept',
  'not-restored': 'NOT RESTORED',
  incomplete: 'INCOMPLETE',
  human: 'UNKNOWN',
};

const headings: Readonly<Record<RehearsalRow['way'], string>> = {
  error: 'error',
  timeout: 'timeout',
  'crash-before': 'killed before',
  'crash-after': 'killed after',
  'lost-answer': 'answer lost',
  none: 'none',
};

const LONGEST = 70;
/** Differences of one step that are shown; the JSON has all of them. */
const MOST = 8;

function sayValue(value: Json | undefined): string {
  if (value === undefined) return '(none)';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return safeLine(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
}

function sayDifference({ subject, field, before, after }: Difference): string {
  return `${safeLine(subject)}  ${safeLine(field)}: ${sayValue(before)} → ${sayValue(after)}`;
}

/** One rehearsal in a line, while it goes on. */
export function rowText({ step, way, verdict, unrestored, text }: RehearsalRow): string {
  const what = way === 'none' ? 'undisturbed' : headings[way];
  const blamed = unrestored.map((each) => each.step).join(', ');
  const more =
    verdict === 'not-restored'
      ? ` (${blamed})`
      : verdict === 'human' || verdict === 'incomplete'
        ? `: ${text}`
        : '';
  return safeLine(`${step}, ${what}: ${verdicts[verdict]}${more}`);
}

function cell(row: RehearsalRow | undefined): string {
  if (row === undefined) return '';
  const fine = row.verdict === 'restored' || row.verdict === 'kept';
  return !row.struck && fine ? '-' : verdicts[row.verdict];
}

function matrix({ steps, rows }: Rehearsal): string {
  const used = ways.filter((way) => rows.some((row) => row.way === way));
  const whole = rows.filter((row) => row.way === 'none');
  return table([
    ['step', ...used.map((way) => headings[way])],
    ...steps.map(({ id, undo }) => [
      undo ? `${id} (on the way back)` : id,
      ...used.map((way) => cell(rows.find((row) => row.step === id && row.way === way))),
    ]),
    ...whole.map((row) => [row.step, `${verdicts[row.verdict]}, rolled back from its end`]),
  ]);
}

interface Group {
  readonly heading: string;
  readonly lines: readonly string[];
}

/** The same difference of several rehearsals is told once. */
function distinct(found: readonly Difference[]): readonly string[] {
  const byField = new Map(found.map((each) => [`${each.subject} ${each.field}`, sayDifference(each)]));
  const lines = [...byField.values()];
  return lines.length <= MOST ? lines : [...lines.slice(0, MOST), `and ${lines.length - MOST} fields more`];
}

function keptGroups(rows: readonly RehearsalRow[]): readonly Group[] {
  const byStep = new Map<string, { why: string; found: Difference[] }>();
  for (const { step, why, differences } of rows.flatMap(({ kept }) => kept)) {
    const known = byStep.get(step) ?? { why, found: [] };
    known.found.push(...differences);
    byStep.set(step, known);
  }
  return [...byStep].map(([step, { why, found }]) => ({
    heading: `${step}: ${why}`,
    lines: distinct(found),
  }));
}

function sayWhere(rows: readonly RehearsalRow[]): string {
  const said = rows.map(({ step, way }) => (way === 'none' ? step : `${step} (${headings[way]})`));
  return said.length <= 4 ? said.join(', ') : `${said.slice(0, 3).join(', ')} and ${said.length - 3} more`;
}

function unrestoredGroups(rows: readonly RehearsalRow[]): readonly Group[] {
  const byStep = new Map<string, { rows: RehearsalRow[]; found: Difference[] }>();
  for (const row of rows)
    for (const { step, differences } of row.unrestored) {
      const known = byStep.get(step) ?? { rows: [], found: [] };
      known.rows.push(row);
      known.found.push(...differences);
      byStep.set(step, known);
    }
  return [...byStep].map(([step, { rows: where, found }]) => ({
    heading: `${step}, after a failure at ${sayWhere(where)}`,
    lines: distinct(found),
  }));
}

function stoppedGroups(rows: readonly RehearsalRow[]): readonly Group[] {
  return rows
    .filter(({ verdict }) => verdict === 'incomplete' || verdict === 'human')
    .map((row) => ({ heading: `${sayWhere([row])}, exit ${row.exitCode}`, lines: [safeLine(row.text)] }));
}

function section(title: string, groups: readonly Group[], columns: number): string {
  if (groups.length === 0) return '';
  const text = groups.map(({ heading, lines }) =>
    [
      ...wrapped(safeLine(heading), columns - 2, columns - 2).map((line) => `  ${line}`),
      ...lines.flatMap((line) => wrapped(line, columns - 6, columns - 6)).map((line) => `      ${line}`),
    ].join('\n'),
  );
  return `\n${title}\n${text.join('\n')}\n`;
}

function ending(rehearsal: Rehearsal): string {
  const { rows, interrupted } = rehearsal;
  if (interrupted) return 'Interrupted: what is above is all that was rehearsed.';
  const bad = rows.filter(({ verdict }) => verdict !== 'restored' && verdict !== 'kept').length;
  if (bad === 0)
    return 'Whatever fails, a rollback brings back everything that is not declared irreversible.';
  return [
    `${bad} of ${rows.length} rollbacks do not bring everything back.`,
    'Next: give the step that is named a `rollback` which undoes it, or, when nothing can, say so to whoever runs it:',
    "  rollback: {irreversible: why}, or {undo: true, irreversible: why} when the step type's undo does the rest.",
  ].join('\n');
}

/** The whole rehearsal for people: a table, what stays and why, what is not brought back, and what to do next. */
export function rehearsalText(
  rehearsal: Rehearsal,
  view: { readonly columns: number; readonly color: boolean },
): string {
  const { title, runbook, seed, live, rows, steps, notReached } = rehearsal;
  const { bold, green, red } = paint(view.color);
  const end = ending(rehearsal);
  const missed = notReached.map((id) => ({ heading: id, lines: [] }));
  return [
    `${bold(safeLine(title))}\n`,
    `  ${safeLine(runbook)} on the sandbox (seed ${seed}): ${steps.length} changing steps, ${rows.length} rehearsals\n\n`,
    live === undefined ? '' : `${liveText(live, view.columns)}\n`,
    matrix(rehearsal),
    '\nok: everything is as it was. kept: what stays is declared irreversible. -: there was nothing for it to strike.\n',
    section('Stays, as declared', keptGroups(rows), view.columns),
    section('Not brought back, and declared by nobody', unrestoredGroups(rows), view.columns),
    section('Stopped on the way back', stoppedGroups(rows), view.columns),
    section('Not rehearsed, because this run did not come there', missed, view.columns),
    `\n${isSound(rehearsal) ? green(end) : red(end)}\n`,
  ].join('');
}

export function rehearsalJson(rehearsal: Rehearsal): string {
  return `${JSON.stringify({ sound: isSound(rehearsal), ...rehearsal }, null, 2)}\n`;
}
