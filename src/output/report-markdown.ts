import { type Report, reportFacts, seconds } from './report.ts';
import { safeLine } from './safe-text.ts';

/** Text that stays text inside a Markdown table cell. */
function cell(text: string): string {
  return safeLine(text).replace(/[\\`*_{}[\]<>()#+!|~$&]/g, (character) =>
    character === '<' ? '&lt;' : character === '>' ? '&gt;' : character === '&' ? '&amp;' : `\\${character}`,
  );
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |\n`;
}

function markdownTable(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  return `${row(heading)}${row(heading.map(() => '---'))}${rows.map((cells) => row(cells.map(cell))).join('')}`;
}

export function reportMarkdown(report: Report): string {
  const outputs =
    Object.keys(report.outputs).length === 0
      ? ''
      : `\n## Outputs\n\n${JSON.stringify(report.outputs, null, 2)
          .split('\n')
          .map((line) => `    ${safeLine(line)}`)
          .join('\n')}\n`;
  return `# ${cell(report.runbook.title)}

${cell(report.runbook.description)}

${markdownTable(['', ''], reportFacts(report))}
## Steps

${markdownTable(
  ['Step', 'Name', 'Verdict', 'Took', 'Notes'],
  report.steps.map((step) => [
    step.id,
    step.name,
    step.verdict,
    seconds(step.seconds),
    step.notes.join('; '),
  ]),
)}
## Timeline

${markdownTable(
  ['Time', 'What', 'Step', 'Text'],
  report.timeline.map((line) => [line.time, line.verdict, line.id, [line.text, ...line.details].join('; ')]),
)}${outputs}`;
}
