import type { Diagnostic } from '../engine/diagnostic.ts';
import { codeFrame } from './code-frame.ts';
import { type Paint, paint } from './colors.ts';
import { type JsonDiagnostic, type JsonLocation, jsonReport } from './diagnostics-json.ts';
import { safeBlock, safeLine } from './safe-text.ts';

/** All diagnostics for people: place, frame, hint, related places; a count at the end. Empty when there are none. */
export function formatHuman(diagnostics: readonly Diagnostic[], color: boolean): string {
  if (diagnostics.length === 0) return '';
  const report = jsonReport(diagnostics);
  const brush = paint(color);
  const blocks = report.diagnostics.map((diagnostic) => block(diagnostic, brush));
  return `${blocks.join('\n')}\n${summary(report.errors, report.warnings)}\n`;
}

/** One diagnostic, ended by a line break. */
export function formatDiagnostic(diagnostic: Diagnostic, color: boolean): string {
  const [first] = jsonReport([diagnostic]).diagnostics;
  return first === undefined ? '' : block(first, paint(color));
}

function block(diagnostic: JsonDiagnostic, brush: Paint): string {
  const tint = diagnostic.severity === 'error' ? brush.red : brush.yellow;
  const lines = [
    `${place(diagnostic.location)}: ${tint(`${diagnostic.severity}[${diagnostic.code}]`)}: ${brush.bold(safeLine(diagnostic.message))}`,
    frame(diagnostic.location, tint),
  ];
  for (const { message, location } of diagnostic.related)
    lines.push(`  ${place(location)}: ${safeLine(message)}`, frame(location, brush.cyan));
  if (diagnostic.hint !== undefined)
    lines.push(`${brush.cyan('hint')}: ${safeBlock(diagnostic.hint).replaceAll('\n', '\n      ')}`);
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}

function place({ file, start }: JsonLocation): string {
  return `${safeLine(file)}:${start.line}:${start.column}`;
}

function frame(location: JsonLocation, tint: (text: string) => string): string {
  // Nothing to show: an empty file, or one that could not be read.
  if (location.source.text === '') return '';
  return codeFrame(location)
    .split('\n')
    .map((line, index) => `  ${index === 0 ? line : line.replace(/\^+/, (carets) => tint(carets))}`)
    .join('\n');
}

function summary(errors: number, warnings: number): string {
  const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`;
  if (warnings === 0) return count(errors, 'error');
  return errors === 0
    ? count(warnings, 'warning')
    : `${count(errors, 'error')}, ${count(warnings, 'warning')}`;
}
