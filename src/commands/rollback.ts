import type { Command } from './command.ts';
import { continueOptions, goOn } from './continue-run.ts';

export const rollback: Command = {
  name: 'rollback',
  summary: 'undo what a run changed, in reverse order, one change at a time',
  arguments: [{ name: 'RUN', description: "a run's id, the beginning of it, or 'last'" }],
  options: continueOptions,
  help: `Undoes the steps that took effect, the last one first, then runs the runbook's rollback block, and then looks at the preconditions
again: is the system back where it was? Exit code 5: rolled back. 6: incomplete, with what is where. A run that ended well can be rolled back too.
`,
  run: ([asked = ''], options, environment) =>
    goOn(
      { asked, mode: 'rollback', flags: options.adopt === true ? ['--adopt'] : [] },
      { ...options, asPlanned: true },
      environment,
    ),
};
