import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { serializePlan } from '../engine/plan/artefact.ts';
import { planExitCode } from '../engine/plan/make-plan.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { accessToRole } from '../output/plan-access.ts';
import { planJson } from '../output/plan-json.ts';
import { planText } from '../output/plan-text.ts';
import { type Command, CommandError, type Environment, type OptionSpec, type Options } from './command.ts';
import { servicesOption } from './inventory-file.ts';
import { prepare } from './prepare.ts';
import { clusterOptions, sandboxOptions, textOption } from './world.ts';

export const inputOptions: readonly OptionSpec[] = [
  {
    flags: '--input <name=value>',
    description: 'an input of the runbook; lists as a,b or JSON',
    repeatable: true,
  },
  { flags: '--inputs-file <file>', description: 'inputs as YAML; --input wins over it' },
];

/** Shared with `exec --dry-run`. */
export async function showPlan(file: string, options: Options, environment: Environment): Promise<ExitCode> {
  const prepared = await prepare(file, options, environment, { dir: undefined });
  try {
    const { planned } = prepared;
    const out = textOption(options, 'out');
    if (out !== undefined) savePlan(path.resolve(environment.cwd, out), serializePlan(planned.plan));
    if (options.access === true) environment.streams.data(accessToRole(planned.plan));
    else if (options.format === 'json') environment.streams.data(planJson(planned));
    else
      environment.streams.data(
        planText(planned, {
          columns: environment.stdoutIsTty ? environment.streams.columns : 120,
          color: environment.streams.color && environment.stdoutIsTty,
        }),
      );
    if (out !== undefined)
      environment.streams.info(`the plan is in ${out}; run it with 'runbook exec ${out}'\n`);
    return planExitCode(planned.problems);
  } finally {
    prepared.world.close();
  }
}

function savePlan(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (error) {
    throw new CommandError(
      exitCodes.usage,
      `cannot write the plan to ${file}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`,
    );
  }
}

export const plan: Command = {
  name: 'plan',
  summary: 'dry run: resolve inputs, run preconditions and reads, predict every change; nothing is changed',
  arguments: [{ name: 'FILE', description: 'a runbook, by file or by name' }],
  options: [
    ...inputOptions,
    { flags: '--out <file>', description: 'save the plan; runbook exec FILE runs exactly it' },
    {
      flags: '--access',
      description: 'print the smallest Role and OpenBao policy that the run and its rollback need',
    },
    { flags: '--format <format>', description: 'how to print', choices: ['text', 'json'], default: 'text' },
    servicesOption,
    ...clusterOptions,
    ...sandboxOptions,
  ],
  help: `Exit code 0: nothing speaks against a run. 3: the runbook or its inputs are not valid. 4: a precondition or a read failed,\nthe cluster cannot be reached, or a permission is missing.\n\nExample:\n  runbook plan restart-service --input service=nvcf-api --out plan.json\n`,
  run: ([file = ''], options, environment) => showPlan(file, options, environment),
};
