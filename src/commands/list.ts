import { exitCodes } from '../exit-code.ts';
import { safeJson } from '../output/safe-text.ts';
import { table } from '../output/table.ts';
import type { Command } from './command.ts';
import { listRunbooks } from './locate.ts';

export const list: Command = {
  name: 'list',
  summary: 'list the runbooks that can be run by name',
  arguments: [],
  options: [
    { flags: '--format <format>', description: 'how to print', choices: ['table', 'json'], default: 'table' },
  ],
  help: `Runbooks are looked up in '.', './runbooks', the folders of $RUNBOOK_PATH and the shipped ones, in this order.\n`,
  async run(_args, options, environment) {
    const found = listRunbooks(environment);
    if (options.format === 'json') environment.streams.data(`${safeJson(found)}\n`);
    else
      environment.streams.data(
        table([
          ['NAME', 'RISK', 'FROM', 'TITLE'],
          ...found.map(({ name, risk, shipped, path, title }) => [
            name,
            risk,
            shipped ? 'shipped' : path,
            title,
          ]),
        ]),
      );
    return exitCodes.done;
  },
};
