import type { Diagnostic, Result } from '../engine/diagnostic.ts';
import { exitCodes } from '../exit-code.ts';
import { safeLine } from '../output/safe-text.ts';
import type { Command, Environment, Options } from './command.ts';
import { servicesOption, withInventory } from './inventory-file.ts';
import { locateRunbook } from './locate.ts';
import { fileLoader, readRunbookFile, shownPath } from './runbook-file.ts';

export const validate: Command = {
  name: 'validate',
  summary: 'check runbooks offline: YAML, schema, references, expressions',
  arguments: [
    { name: 'FILE…', description: 'runbooks by path or by name; a services.yaml is checked as an inventory' },
  ],
  options: [
    {
      flags: '--format <format>',
      description: 'how to print what was found',
      choices: ['human', 'json', 'github', 'sarif'],
      default: 'human',
    },
    servicesOption,
  ],
  help: `Reaches no cluster and runs nothing. Prints every mistake with its place, what is wrong and what to write instead.
Exit codes: 0 valid, perhaps with warnings · 3 at least one error

  runbook validate my-runbook.yaml
  runbook validate --format sarif runbooks/*.yaml > runbook.sarif
`,
  async run(args, options, environment) {
    const found = new Map<string, Diagnostic>();
    const valid: string[] = [];
    for (const name of args) {
      const file = await locateRunbook(name, environment);
      const { diagnostics, ok } = await check(file, options, environment);
      // What several runbooks include is reported once.
      for (const diagnostic of diagnostics) found.set(identity(diagnostic), diagnostic);
      if (ok) valid.push(shownPath(file, environment));
    }
    const format = String(options.format ?? 'human');
    environment.streams.data(await print([...found.values()], { format, valid, environment }));
    return valid.length === args.length ? exitCodes.done : exitCodes.invalid;
  },
};

async function check(
  file: string,
  options: Options,
  environment: Environment,
): Promise<{ readonly ok: boolean; readonly diagnostics: readonly Diagnostic[] }> {
  const result =
    (await inventoryResult(file, environment)) ??
    (await withInventory(options, environment, (inventory) => readRunbookFile(file, environment, inventory)));
  return { ok: result.ok, diagnostics: result.ok ? result.warnings : result.diagnostics };
}

/** Undefined: the file is no inventory. */
async function inventoryResult(file: string, environment: Environment): Promise<Result<unknown> | undefined> {
  const loader = fileLoader(environment);
  const head = await loader.load(file, 4096).catch(() => new Uint8Array());
  if (!/^apiVersion: *services\//m.test(new TextDecoder().decode(head))) return undefined;
  const [{ readInventory }, { maxBytes }] = await Promise.all([
    import('../engine/read/inventory.ts'),
    import('../engine/read/decode.ts'),
  ]);
  return readInventory(shownPath(file, environment), await loader.load(file, maxBytes + 1));
}

function identity({ code, location, message }: Diagnostic): string {
  return JSON.stringify([location.file.path, location.range.start, location.range.end, code, message]);
}

async function print(
  diagnostics: readonly Diagnostic[],
  {
    format,
    valid,
    environment,
  }: { readonly format: string; readonly valid: readonly string[]; readonly environment: Environment },
): Promise<string> {
  switch (format) {
    case 'json':
      return (await import('../output/diagnostics-json.ts')).formatJson(diagnostics);
    case 'github':
      return (await import('../output/diagnostics-github.ts')).formatGithub(diagnostics);
    case 'sarif':
      return (await import('../output/diagnostics-sarif.ts')).formatSarif(diagnostics, environment.version);
    default: {
      const color = environment.streams.color && environment.stdoutIsTty;
      const lines = valid.map((file) => `${safeLine(file)} is valid\n`).join('');
      if (diagnostics.length === 0) return lines;
      const { formatHuman } = await import('../output/diagnostics-human.ts');
      return `${formatHuman(diagnostics, color)}${lines}`;
    }
  }
}
