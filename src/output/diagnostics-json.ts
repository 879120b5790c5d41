import type { Diagnostic, Location, Severity } from '../engine/diagnostic.ts';
import { safeJson } from './safe-text.ts';

export interface JsonPosition {
  /** One-based. */
  readonly line: number;
  /** One-based, in UTF-16 code units, as editors count. */
  readonly column: number;
  readonly offset: number;
}

export interface JsonLocation {
  readonly file: string;
  readonly start: JsonPosition;
  readonly end: JsonPosition;
  /** The line of `start`, cut around the place when it is long; `column` is where `text` begins in the line. */
  readonly source: { readonly text: string; readonly column: number };
}

export interface JsonDiagnostic {
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly location: JsonLocation;
  readonly related: readonly { readonly message: string; readonly location: JsonLocation }[];
  readonly hint?: string;
}

export interface JsonReport {
  readonly version: 1;
  readonly valid: boolean;
  readonly errors: number;
  readonly warnings: number;
  readonly diagnostics: readonly JsonDiagnostic[];
}

/** Characters of a source line that are kept around the place. */
const window = 240;

export function jsonDiagnostic(diagnostic: Diagnostic): JsonDiagnostic {
  return {
    code: diagnostic.code,
    severity: diagnostic.severity,
    message: diagnostic.message,
    location: jsonLocation(diagnostic.location),
    related: (diagnostic.related ?? []).map(({ message, location }) => ({
      message,
      location: jsonLocation(location),
    })),
    ...(diagnostic.hint === undefined ? {} : { hint: diagnostic.hint }),
  };
}

export function jsonReport(diagnostics: readonly Diagnostic[]): JsonReport {
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length;
  return {
    version: 1,
    valid: errors === 0,
    errors,
    warnings: diagnostics.length - errors,
    diagnostics: diagnostics.map(jsonDiagnostic),
  };
}

/** One line of JSON for programs; no character in it can act on a terminal. */
export function formatJson(diagnostics: readonly Diagnostic[]): string {
  return `${safeJson(jsonReport(diagnostics))}\n`;
}

function jsonLocation({ file, range }: Location): JsonLocation {
  const start = file.positionAt(range.start);
  const end = file.positionAt(Math.max(range.start, range.end));
  const line = file.line(start.line);
  const from =
    line.length <= window ? 0 : Math.max(0, Math.min(start.column - 1 - window / 4, line.length - window));
  const begin = safeCut(line, Math.floor(from));
  return {
    file: file.path,
    start: { ...start, offset: range.start },
    end: { ...end, offset: Math.max(range.start, range.end) },
    source: { text: line.slice(begin, safeCut(line, begin + window)), column: begin + 1 },
  };
}

/** Never between the halves of a surrogate pair. */
function safeCut(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff ? at + 1 : at;
}
