import { type Report, reportFacts, seconds } from './report.ts';
import { safeBlock } from './safe-text.ts';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return safeBlock(text).replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{margin-bottom:0}table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #d8dee4}
td.id,td.time{font-family:ui-monospace,monospace;font-size:13px;white-space:nowrap}td.text{overflow-wrap:anywhere}pre{white-space:pre-wrap;background:#f6f8fa;padding:.8rem}
.ok,.done,.undone{color:#116329}.failed,.unknown,.not-undone,.rollback-incomplete{color:#a40e26;font-weight:600}.skipped,.unfinished,.waiting{color:#7d4e00}
@media (prefers-color-scheme:dark){body{color:#d6dde4;background:#0f1318}th,td{border-color:#30363d}pre{background:#161b22}.ok,.done,.undone{color:#56d364}.failed,.unknown,.not-undone,.rollback-incomplete{color:#ff7b72}.skipped,.unfinished,.waiting{color:#e3b341}}
@media print{body{margin:0;max-width:none}}`;

function verdictCell(verdict: string): string {
  return `<td class="${escapeHtml(verdict.replace(/[^a-z-]+/g, '-'))}">${escapeHtml(verdict)}</td>`;
}

/** One page without scripts, fonts or pictures from elsewhere; a Content-Security-Policy forbids them besides. */
export function reportHtml(report: Report): string {
  const facts = reportFacts(report)
    .map(
      ([label, value]) =>
        `<tr><th scope="row">${escapeHtml(label)}</th><td class="text">${escapeHtml(value)}</td></tr>`,
    )
    .join('\n');
  const steps = report.steps
    .map(
      (step) =>
        `<tr><td class="id">${escapeHtml(step.id)}</td><td>${escapeHtml(step.name)}</td>${verdictCell(step.verdict)}<td>${escapeHtml(seconds(step.seconds))}</td><td class="text">${step.notes.map(escapeHtml).join('<br>')}</td></tr>`,
    )
    .join('\n');
  const timeline = report.timeline
    .map(
      (line) =>
        `<tr><td class="time">${escapeHtml(line.time)}</td><td>${escapeHtml(line.verdict)}</td><td class="id">${escapeHtml(line.id)}</td><td class="text">${[line.text, ...line.details].map(escapeHtml).join('<br>')}</td></tr>`,
    )
    .join('\n');
  const outputs =
    Object.keys(report.outputs).length === 0
      ? ''
      : `<h2>Outputs</h2>\n<pre>${escapeHtml(JSON.stringify(report.outputs, null, 2))}</pre>\n`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(report.runbook.name)}: ${escapeHtml(report.outcome)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escapeHtml(report.runbook.title)}</h1>
<p>${escapeHtml(report.runbook.description)}</p>
<table>
${facts}
</table>
<h2>Steps</h2>
<table>
<tr><th>Step</th><th>Name</th><th>Verdict</th><th>Took</th><th>Notes</th></tr>
${steps}
</table>
<h2>Timeline</h2>
<table>
<tr><th>Time</th><th>What</th><th>Step</th><th>Text</th></tr>
${timeline}
</table>
${outputs}</body>
</html>
`;
}
