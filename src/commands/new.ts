import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { exitCodes } from '../exit-code.ts';
import { type Command, CommandError, type Environment, type Options, UsageError } from './command.ts';
import { type FoundRunbook, listRunbooks, locateRunbook } from './locate.ts';
import { closest, scaffold } from './scaffold.ts';
import { textOption } from './world.ts';

/** What the new runbook begins as: the one that was asked for, or the closest of those that come with the program. */
async function sourceOf(
  name: string,
  options: Options,
  environment: Environment,
): Promise<Pick<FoundRunbook, 'name' | 'path'>> {
  const asked = textOption(options, 'from');
  if (asked !== undefined) {
    const file = await locateRunbook(asked, environment);
    return { name: path.basename(file).replace(/\.ya?ml$/, ''), path: file };
  }
  const found = closest(
    name,
    listRunbooks(environment).filter(({ shipped }) => shipped),
  );
  if (found !== undefined) return found;
  throw new CommandError(
    exitCodes.usage,
    'no runbook comes with this installation, so there is none to begin with',
    'name one of your own with --from FILE',
  );
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new CommandError(
        exitCodes.usage,
        `${file} exists already`,
        'choose another name, or edit that file',
      );
    throw new CommandError(exitCodes.usage, `cannot write ${file}: ${(error as Error).message}`);
  }
}

export const newRunbook: Command = {
  name: 'new',
  summary: 'start a new runbook as a copy of one that is near to it',
  arguments: [{ name: 'NAME', description: 'lower-case letters, digits and dashes' }],
  options: [
    {
      flags: '--from <runbook>',
      description:
        'begin as this one, by file or by name; otherwise as the shipped one whose name or title is closest',
    },
  ],
  help: `Writes NAME.yaml into ./runbooks if that folder exists, otherwise into the current folder. Never overwrites.

Examples:
  runbook new upgrade-notary
  runbook new drain-queue --from scale-service
`,
  async run([name], options, environment) {
    if (name === undefined || !/^[a-z0-9][a-z0-9-]*$/.test(name))
      throw new UsageError(
        `'${name ?? ''}' is no name for a runbook`,
        'lower-case letters, digits and dashes: rotate-tokens',
      );
    const { cwd, packageRoot, streams } = environment;
    const own = path.join(cwd, 'runbooks');
    const folder = existsSync(own) ? own : cwd;
    const file = path.join(folder, `${name}.yaml`);
    const source = await sourceOf(name, options, environment);
    const text = scaffold(
      { path: source.path, bytes: readFileSync(source.path) },
      {
        name,
        schema: path.join(packageRoot, 'dist', 'runbook.schema.json'),
        beside: path.dirname(source.path) === folder,
      },
    );
    if (text === undefined)
      throw new CommandError(
        exitCodes.invalid,
        `${source.path} is no YAML that a runbook may be written in`,
        `'runbook validate ${source.path}' says why`,
      );
    write(file, text);
    streams.data(`${file}\n`);
    streams.info(
      `begun as a copy of ${source.name}${options.from === undefined ? "; 'runbook list' shows the others, --from NAME takes one of them" : ''}\n` +
        `next: edit it, then 'runbook validate ${path.relative(cwd, file)}', 'runbook plan ${name}' and 'runbook rehearse ${name}'\n`,
    );
    return exitCodes.done;
  },
};
