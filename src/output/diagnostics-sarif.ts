import type { Diagnostic } from '../engine/diagnostic.ts';
import { type JsonDiagnostic, type JsonLocation, jsonReport } from './diagnostics-json.ts';
import { safeBlock, safeJson } from './safe-text.ts';

/** A SARIF 2.1.0 log, as code scanning services take it. */
export function formatSarif(diagnostics: readonly Diagnostic[], toolVersion: string): string {
  const report = jsonReport(diagnostics);
  const rules = [...new Set(report.diagnostics.map(({ code }) => code))].sort();
  return `${safeJson({
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'runbook', version: toolVersion, rules: rules.map((id) => ({ id })) } },
        columnKind: 'utf16CodeUnits',
        results: report.diagnostics.map((diagnostic) => result(diagnostic, rules)),
      },
    ],
  })}\n`;
}

function result(diagnostic: JsonDiagnostic, rules: readonly string[]): object {
  const { code, severity, message, hint, related } = diagnostic;
  return {
    ruleId: code,
    ruleIndex: rules.indexOf(code),
    level: severity,
    message: { text: safeBlock(hint === undefined ? message : `${message}\n${hint}`) },
    locations: [{ physicalLocation: physical(diagnostic.location) }],
    ...(related.length === 0
      ? {}
      : {
          relatedLocations: related.map(({ message: text, location }, id) => ({
            id,
            message: { text: safeBlock(text) },
            physicalLocation: physical(location),
          })),
        }),
  };
}

function physical({ file, start, end }: JsonLocation): object {
  return {
    artifactLocation: { uri: uri(file) },
    region: {
      startLine: start.line,
      startColumn: start.column,
      endLine: end.line,
      endColumn: end.column,
    },
  };
}

/** A path as a URI reference: relative ones stay relative to the folder that was checked. */
function uri(file: string): string {
  const path = file
    .replace(/^\.\//, '')
    .split('/')
    .map((part) => encodeURIComponent(part))
    .join('/');
  return file.startsWith('/') ? `file://${path}` : path;
}
