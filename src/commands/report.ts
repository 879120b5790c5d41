import { exitCodes } from '../exit-code.ts';
import { buildReport } from '../output/report.ts';
import { safeJson } from '../output/safe-text.ts';
import type { Command } from './command.ts';
import { loadRun, stateOption } from './run-store.ts';

export const report: Command = {
  name: 'report',
  summary: 'write the report of a run: who, what, when, how it ended',
  arguments: [{ name: 'RUN', description: "a run's id, the beginning of it, or 'last'" }],
  options: [
    {
      flags: '--format <format>',
      description: 'html is one self-contained page',
      choices: ['markdown', 'html', 'json'],
      default: 'markdown',
    },
    stateOption,
  ],
  help: 'Example: runbook report last --format html > report.html\n',
  async run([asked = ''], options, environment) {
    const { plan, events } = loadRun(asked, options, environment);
    const built = buildReport(plan, events);
    if (options.format === 'json') environment.streams.data(`${safeJson(built)}\n`);
    else if (options.format === 'html')
      environment.streams.data((await import('../output/report-html.ts')).reportHtml(built));
    else environment.streams.data((await import('../output/report-markdown.ts')).reportMarkdown(built));
    return exitCodes.done;
  },
};
