import { exitCodes } from '../exit-code.ts';
import { paint } from '../output/colors.ts';
import { EventNarrator } from '../output/event-text.ts';
import { outputsText } from '../output/outputs-text.ts';
import { formatLine } from '../output/plain.ts';
import { safeJson, safeLine } from '../output/safe-text.ts';
import type { Command } from './command.ts';
import { loadRun, stateOption } from './run-store.ts';

export const show: Command = {
  name: 'show',
  summary: 'show what a run did, from its journal: every event in order, its outputs and how it can go on',
  arguments: [{ name: 'RUN', description: "a run's id, the beginning of it, or 'last'" }],
  options: [
    { flags: '--format <format>', description: 'how to print', choices: ['text', 'json'], default: 'text' },
    stateOption,
  ],
  async run([asked = ''], options, environment) {
    const { id, plan, events, state, journal, folder } = loadRun(asked, options, environment);
    if (options.format === 'json') {
      environment.streams.data(
        `${safeJson({ version: 1, run: id, runbook: plan.runbook, events, outcome: state.finished })}\n`,
      );
      return exitCodes.done;
    }
    const { streams } = environment;
    const narrator = new EventNarrator();
    const colors = paint(streams.color && environment.stdoutIsTty);
    for (const event of events) {
      const text = narrator.narrate(event);
      if (text !== undefined) streams.data(formatLine(event.time, text, colors));
    }
    const { finished } = state;
    if (finished !== undefined && Object.keys(finished.outputs).length > 0)
      streams.data(`\n${outputsText(finished.outputs)}`);
    if (journal.damage !== undefined)
      streams.info(
        `error: the journal is damaged after record ${journal.damage.afterSeq}: ${safeLine(journal.damage.why)}\nhint: runbook verify ${id}\n`,
      );
    else if (finished === undefined)
      streams.info(`the run has not ended; go on with 'runbook resume ${id}' or 'runbook rollback ${id}'\n`);
    streams.info(`kept in ${folder}\n`);
    return exitCodes.done;
  },
};
