import { formatDuration } from '../engine/duration.ts';
import type { Json } from '../engine/json.ts';
import { localIdOf } from '../engine/plan/instance.ts';
import type { Planned, PlanProblem } from '../engine/plan/make-plan.ts';
import type { BlockName, Forecast, Plan } from '../engine/plan/plan.ts';
import type { DiffLine } from '../engine/step-type.ts';
import { type Paint, paint } from './colors.ts';
import { planHeader } from './plan-header.ts';
import { safeLine } from './safe-text.ts';
import { wrapped } from './wrap.ts';

type Tone = keyof Paint;

interface Mark {
  readonly sign: string;
  readonly tone: Tone;
  readonly meaning: string;
}

const marks = {
  change: { sign: '~', tone: 'yellow', meaning: 'changes' },
  add: { sign: '+', tone: 'green', meaning: 'adds' },
  remove: { sign: '-', tone: 'red', meaning: 'removes' },
  unknown: { sign: '?', tone: 'cyan', meaning: 'not known yet' },
  same: { sign: '=', tone: 'dim', meaning: 'already as wanted' },
  read: { sign: '✓', tone: 'green', meaning: 'read now' },
  later: { sign: '…', tone: 'dim', meaning: 'read during the run' },
  skipped: { sign: '○', tone: 'dim', meaning: 'skipped' },
  failed: { sign: '✗', tone: 'red', meaning: 'failed' },
} as const satisfies Record<string, Mark>;

const headings: Readonly<Record<BlockName, string>> = {
  preconditions: 'Preconditions',
  steps: 'Steps',
  verifications: 'Verifications',
  rollback: 'Rollback (only if changes have to be taken back)',
};

const MOST_DIFF_LINES = 40;
const LONGEST_VALUE = 160;

/** The plan for people: what will change, what nobody can know yet, what stands in the way. The same text with and without colour. */
export function planText(
  { plan, problems }: Planned,
  { columns, color }: { readonly columns: number; readonly color: boolean },
): string {
  const page: Page = { lines: [], width: Math.max(40, columns), paint: paint(color) };
  planHeader(plan, (text, indent = 0, hang = indent + 2) => put(page, { text, indent, hang }));
  for (const block of ['preconditions', 'steps', 'verifications', 'rollback'] as const) {
    const forecasts = plan.forecast.filter((forecast) => forecast.block === block);
    if (forecasts.length === 0) continue;
    put(page, { text: '' });
    put(page, { text: headings[block], tone: 'bold' });
    for (const forecast of forecasts) putForecast(page, forecast);
  }
  if (problems.length > 0) putProblems(page, problems);
  putEnd(page, plan, problems);
  return `${page.lines.join('\n')}\n`;
}

/** 'Plan: 3 changes, 1 unknown, 2 reads now, 1 later; nothing was changed' */
export function planSummary(plan: Plan, problems: readonly PlanProblem[]): string {
  return `Plan: ${planCounts(plan, problems)}; nothing was changed`;
}

/** '3 changes, 1 unknown, 2 reads now, 1 later' */
export function planCounts(plan: Plan, problems: readonly PlanProblem[]): string {
  const of = (status: Forecast['status']) =>
    plan.forecast.filter((forecast) => forecast.status === status && forecast.block !== 'rollback').length;
  const parts = [
    count(of('change'), 'change', 'changes'),
    ...some(of('unknown'), 'unknown', 'unknown'),
    ...some(of('no-change'), 'already as wanted', 'already as wanted'),
    ...some(of('read'), 'read now', 'reads now'),
    ...some(of('read-later'), 'later', 'later'),
    ...some(of('skipped'), 'skipped', 'skipped'),
    ...some(of('failed'), 'failed', 'failed'),
    ...some(problems.length, 'problem', 'problems'),
  ];
  return parts.join(', ');
}

interface Page {
  readonly lines: string[];
  readonly width: number;
  readonly paint: Paint;
}

interface Line {
  readonly text: string;
  readonly indent?: number;
  /** Of the lines that follow when it is too long. */
  readonly hang?: number;
  readonly tone?: Tone;
  /** Coloured alone, in front. */
  readonly mark?: Mark;
}

function put(page: Page, { text, indent = 0, hang = indent + 2, tone, mark }: Line): void {
  const start = mark === undefined ? indent : indent + 2;
  const rows = wrapped(safeLine(text), page.width - start, page.width - hang);
  for (const [index, row] of rows.entries()) {
    const said = tone === undefined || row === '' ? row : page.paint[tone](row);
    const sign = mark === undefined ? '' : `${page.paint[mark.tone](mark.sign)} `;
    const lead = index === 0 ? `${' '.repeat(indent)}${sign}` : ' '.repeat(hang);
    page.lines.push(`${lead}${said}`.trimEnd());
  }
}

function markOf({ status, diff }: Forecast): Mark | undefined {
  if (status === 'change') {
    // Only a whole object comes or goes; a field that is set for the first time changes its object.
    const whole = diff?.find((line) => line.path === '');
    if (whole === undefined) return marks.change;
    if (whole.before === undefined) return marks.add;
    return whole.after === undefined ? marks.remove : marks.change;
  }
  if (status === 'group') return undefined;
  if (status === 'no-change') return marks.same;
  return status === 'read-later' ? marks.later : marks[status];
}

function putForecast(page: Page, forecast: Forecast): void {
  const indent = 2 + forecast.depth * 2;
  const mark = markOf(forecast);
  const { id, name, summary, reason, status } = forecast;
  const own = localIdOf(id);
  const title = name === id || name === own ? own : `${own}  ${name}`;
  const time =
    forecast.duration === undefined || status === 'no-change' ? '' : `  [${range(forecast.duration)}]`;
  const about = status === 'group' && reason !== undefined ? `  (${reason})` : '';
  put(page, {
    text: `${title}${about}${time}`,
    indent,
    hang: indent + 4,
    ...(mark === undefined ? {} : { mark }),
  });
  const detail = (text: string, tone?: Tone) =>
    put(page, { text, indent: indent + 4, hang: indent + 6, ...(tone === undefined ? {} : { tone }) });
  if (summary !== undefined && summary !== name) detail(summary);
  if (reason !== undefined && status !== 'group') detail(`(${reason})`, status === 'failed' ? 'red' : 'dim');
  putDiff(forecast, detail);
  for (const note of forecast.notes ?? []) detail(`note: ${note}`, 'yellow');
  if (forecast.confirm !== undefined && forecast.status !== 'skipped')
    detail(`asks first: ${forecast.confirm}`);
  if (forecast.undo !== undefined && status !== 'no-change') detail(`undo: ${forecast.undo}`, 'dim');
}

function putDiff(forecast: Forecast, detail: (text: string) => void): void {
  const diff = forecast.diff ?? [];
  for (const line of diff.slice(0, MOST_DIFF_LINES)) detail(sayDiff(line));
  if (diff.length > MOST_DIFF_LINES) detail(`and ${diff.length - MOST_DIFF_LINES} more fields`);
}

/** 'spec.replicas: 3 → 0', 'spec.paused: (not set) → true' */
function sayDiff({ path, before, after }: DiffLine): string {
  const say = (value: Json | undefined) => (value === undefined ? '(not set)' : sayValue(value));
  const where = path === '' ? '' : `${path}: `;
  return `${where}${say(before)} → ${say(after)}`;
}

function sayValue(value: Json): string {
  const text = typeof value === 'string' && /^(?:\S+|‹.*›)$/.test(value) ? value : JSON.stringify(value);
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}… (${text.length} characters)`;
}

function putProblems(page: Page, problems: readonly PlanProblem[]): void {
  put(page, { text: '' });
  put(page, { text: 'What stands in the way', tone: 'bold' });
  for (const { message, at, hint, details, waits } of problems) {
    put(page, { text: message, indent: 2, hang: 6, mark: marks.failed });
    for (const line of details ?? []) put(page, { text: line, indent: 6, hang: 8 });
    if (at !== undefined) put(page, { text: `at ${at}`, indent: 6, hang: 8, tone: 'dim' });
    if (waits === true) put(page, { text: 'a run waits for it', indent: 6, hang: 8 });
    if (hint !== undefined) put(page, { text: `next: ${hint}`, indent: 6, hang: 8 });
  }
}

function putEnd(page: Page, plan: Plan, problems: readonly PlanProblem[]): void {
  const used = new Set(plan.forecast.map(markOf));
  const legend = Object.values(marks)
    .filter((mark) => used.has(mark))
    .map(({ sign, meaning }) => `${sign} ${meaning}`);
  put(page, { text: '' });
  if (legend.length > 0) put(page, { text: legend.join('   '), tone: 'dim' });
  put(page, { text: planSummary(plan, problems), tone: 'bold' });
}

function range({ min, max }: { readonly min: number; readonly max: number }): string {
  const [from, to] = [formatDuration(min), formatDuration(max)];
  return from === to ? from : `${from} to ${to}`;
}

function count(amount: number, one: string, many: string): string {
  return `${amount} ${amount === 1 ? one : many}`;
}

function some(amount: number, one: string, many: string): readonly string[] {
  return amount === 0 ? [] : [count(amount, one, many)];
}
