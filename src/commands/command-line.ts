import { type ExitCode, exitCodeMeanings, exitCodes } from '../exit-code.ts';
import { safeBlock } from '../output/safe-text.ts';
import {
  type Command,
  type CommandEntry,
  CommandError,
  type Environment,
  type OptionSpec,
  type Options,
  UsageError,
} from './command.ts';
import { commands } from './index.ts';

function overview(version: string): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const list = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n');
  const codes = Object.entries(exitCodeMeanings)
    .map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`)
    .join('\n');
  return `runbook ${version}: declarative runbooks for a self-hosted NVCF control plane

Usage: runbook COMMAND [arguments] [options]

Commands:
${list}

Try it without a cluster:
  runbook exec restart-service.yaml --input service=nvcf-api --sandbox --yes

Exit codes:
${codes}

'runbook COMMAND --help' tells more about a command.
`;
}

function fail(environment: Environment, message: string, hint: string | undefined): void {
  environment.streams.info(
    `error: ${safeBlock(message)}\n${hint === undefined ? '' : `hint: ${safeBlock(hint)}\n`}`,
  );
}

async function unknownCommand(name: string, environment: Environment): Promise<ExitCode> {
  const { suggest } = await import('../engine/suggest.ts');
  const near = suggest(
    name,
    commands.map((command) => command.name),
  );
  fail(
    environment,
    `there is no command '${name}'`,
    near === undefined ? `'runbook --help' lists the commands` : `did you mean 'runbook ${near}'?`,
  );
  return exitCodes.usage;
}

/** Thrown out of commander, so that only cli.ts ends the process. */
class Stop extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode) {
    super('stop');
    this.exitCode = exitCode;
  }
}

async function parse(
  command: Command,
  argv: readonly string[],
  environment: Environment,
): Promise<{ args: string[]; options: Options }> {
  const { Command: Program, CommanderError, Option } = await import('commander');
  const program = new Program(`runbook ${command.name}`);
  program.description(command.summary).exitOverride().helpOption('-h, --help', 'show this help');
  program.configureOutput({
    writeOut: (text) => environment.streams.data(text),
    writeErr: (text) => environment.streams.info(text),
  });
  program.showHelpAfterError(`hint: 'runbook ${command.name} --help' shows what it takes`);
  for (const argument of command.arguments) {
    const optional = argument.name.startsWith('[');
    const name = argument.name.replace(/[[\]]/g, '');
    const many = name.endsWith('…');
    const bare = `${name.replace('…', '')}${many ? '...' : ''}`;
    program.argument(optional ? `[${bare}]` : `<${bare}>`, argument.description);
  }
  for (const spec of command.options)
    program.addOption(option(new Option(spec.flags, spec.description), spec));
  if (command.help !== undefined) program.addHelpText('after', `\n${command.help}`);
  try {
    program.parse([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError)
      throw new Stop(error.exitCode === 0 ? exitCodes.done : exitCodes.usage);
    throw error;
  }
  return { args: program.args, options: program.opts() };
}

function option<
  T extends {
    choices(values: readonly string[]): T;
    default(value: unknown): T;
    argParser(parse: (value: string, previous: string[] | undefined) => string[]): T;
  },
>(built: T, spec: OptionSpec): T {
  if (spec.choices !== undefined) built.choices(spec.choices);
  if (spec.default !== undefined) built.default(spec.default);
  if (spec.repeatable === true) built.argParser((value, previous) => [...(previous ?? []), value]);
  return built;
}

/** Finds the command, parses its arguments, runs it, and turns what it throws into words and an exit code. */
export async function runCommandLine(argv: readonly string[], environment: Environment): Promise<ExitCode> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const asked = rest.find((word) => !word.startsWith('-'));
    if (name === 'help' && asked !== undefined) return runCommandLine([asked, '--help'], environment);
    (name === undefined ? environment.streams.info : environment.streams.data)(overview(environment.version));
    return name === undefined ? exitCodes.usage : exitCodes.done;
  }
  const entry: CommandEntry | undefined = commands.find((command) => command.name === name);
  if (entry === undefined) return unknownCommand(name, environment);
  try {
    const command = await entry.load();
    const { args, options } = await parse(command, rest, environment);
    return await command.run(args, options, environment);
  } catch (error) {
    if (error instanceof Stop) return error.exitCode;
    if (error instanceof UsageError) {
      fail(environment, error.message, error.hint ?? `'runbook ${name} --help' shows what it takes`);
      return exitCodes.usage;
    }
    if (error instanceof CommandError) {
      fail(environment, error.message, error.hint);
      return error.exitCode;
    }
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    fail(
      environment,
      `internal error: ${detail}`,
      `this is a defect of runbook ${environment.version}; a run that was going on can be looked at with 'runbook runs' and continued with 'runbook resume'`,
    );
    return exitCodes.internal;
  }
}
