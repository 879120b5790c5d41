import type { Diagnostic } from '../engine/diagnostic.ts';
import { jsonDiagnostic } from './diagnostics-json.ts';
import { safeBlock, safeLine } from './safe-text.ts';

/** Workflow commands that GitHub shows as annotations of the lines of a pull request. */
export function formatGithub(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map((diagnostic) => `${command(diagnostic)}\n`).join('');
}

function command(diagnostic: Diagnostic): string {
  const { code, severity, message, hint, location, related } = jsonDiagnostic(diagnostic);
  const properties = {
    file: location.file,
    line: location.start.line,
    endLine: location.end.line,
    // GitHub knows columns only within one line.
    ...(location.end.line === location.start.line
      ? { col: location.start.column, endColumn: Math.max(location.start.column, location.end.column - 1) }
      : {}),
    title: code,
  };
  const listed = Object.entries(properties)
    .map(([name, value]) => `${name}=${property(String(value))}`)
    .join(',');
  const also = related.map(
    (other) => `\n${other.location.file}:${other.location.start.line}: ${other.message}`,
  );
  const text = `${message}${also.join('')}${hint === undefined ? '' : `\nhint: ${hint}`}`;
  return `::${severity} ${listed}::${data(safeBlock(text))}`;
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(safeLine(text)).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
