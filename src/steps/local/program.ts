import { Secret } from '../../engine/secret.ts';
import { StepError } from '../../engine/step-type.ts';
import type { Command, CommandResult } from '../../services/process.ts';

export interface Program {
  readonly command: readonly string[];
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string | Secret>> | undefined;
  readonly stdin?: string | Secret | undefined;
}

const maxArgument = 128 * 1024;

/** Hands a command to `use`; secrets are in it only while `use` runs. */
export async function withCommand<T>(program: Program, use: (command: Command) => Promise<T>): Promise<T> {
  const [file, ...args] = program.command;
  if (file === undefined || file.trim() === '')
    throw new StepError('invalid-input', 'command: the name of the program is empty.', {
      outcome: 'not-applied',
    });
  const long = args.findIndex((argument) => argument.length > maxArgument);
  if (long !== -1)
    throw new StepError('argument-too-long', `command[${long + 1}] is longer than 128 KiB.`, {
      outcome: 'not-applied',
      hint: 'Hand it over on stdin.',
    });
  const base = { file, args, ...(program.cwd !== undefined && { cwd: program.cwd }) };
  return await withText(Object.entries(program.env ?? {}), {}, async (env) => {
    const command = { ...base, ...(Object.keys(env).length > 0 && { env }) };
    const { stdin } = program;
    if (stdin === undefined) return await use(command);
    if (stdin instanceof Secret) return await stdin.reveal((bytes) => use({ ...command, stdin: bytes }));
    return await use({ ...command, stdin: new TextEncoder().encode(stdin) });
  });
}

async function withText<T>(
  entries: readonly (readonly [string, string | Secret])[],
  env: Readonly<Record<string, string>>,
  use: (env: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  const [entry, ...rest] = entries;
  if (entry === undefined) return await use(env);
  const [name, value] = entry;
  if (value instanceof Secret)
    return await value.revealText((text) => withText(rest, { ...env, [name]: text }, use));
  return await withText(rest, { ...env, [name]: value }, use);
}

/** The result, or the failure that its exit code means. */
export function requireExit(
  what: string,
  result: CommandResult,
  expected: readonly number[],
): CommandResult & { readonly exitCode: number } {
  const { exitCode, signal } = result;
  const details = lastLines(result);
  if (exitCode === undefined)
    throw new StepError('killed', `${what} was ended by ${signal ?? 'a signal'}.`, {
      details,
      hint: 'Nobody knows how far it came: look at what it was to change.',
    });
  if (!expected.includes(exitCode))
    throw new StepError(
      'exit-code',
      `${what} ended with exit code ${exitCode}, expected ${expected.join(' or ')}.`,
      {
        details,
      },
    );
  return { ...result, exitCode };
}

function lastLines(result: CommandResult): readonly string[] {
  const text = result.stderr.trim() === '' ? result.stdout : result.stderr;
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .slice(-10);
}

/** A command as one line for people: quoted only where it would be misread. */
export function commandLine(command: readonly string[]): string {
  return command.map((word) => (/^[\w@%+=:,./{}‹›-]+$/u.test(word) ? word : JSON.stringify(word))).join(' ');
}
