import { type Command, UsageError } from './command.ts';
import { continueOptions, goOn } from './continue-run.ts';

export const resume: Command = {
  name: 'resume',
  summary: 'continue a run that stopped: after a crash, Ctrl-C, a failure, an approval or a wait',
  arguments: [{ name: 'RUN', description: "a run's id, the beginning of it, or 'last'" }],
  options: [
    { flags: '--mark-done <step>', description: 'the step was done by hand; needs --reason' },
    {
      flags: '--as-planned',
      description: 'the runbook file changed since; go on with the copy that was planned',
    },
    ...continueOptions,
  ],
  help: `Whatever was going on when the run stopped is looked at first and never blindly repeated. What cannot be told ends with exit code 7
and says what to look at; once it is done by hand: runbook resume RUN --mark-done STEP --reason '…'
`,
  run([asked = ''], options, environment) {
    const step = typeof options.markDone === 'string' ? options.markDone : undefined;
    if (step !== undefined && typeof options.reason !== 'string')
      throw new UsageError(
        '--mark-done needs --reason',
        'say how it was done: it stands in the journal and the report',
      );
    const flags = [
      ...(step === undefined ? [] : [`--mark-done ${step}`]),
      ...(options.asPlanned === true ? ['--as-planned'] : []),
      ...(options.adopt === true ? ['--adopt'] : []),
    ];
    return goOn(
      {
        asked,
        mode: 'resume',
        flags,
        ...(step === undefined ? {} : { markDone: { step, reason: String(options.reason) } }),
      },
      options,
      environment,
    );
  },
};
