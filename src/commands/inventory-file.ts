import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Diagnostic } from '../engine/diagnostic.ts';
import { once } from '../engine/once.ts';
import { type Inventory, readInventory } from '../engine/read/inventory.ts';
import { exitCodes } from '../exit-code.ts';
import { CommandError, type Environment, type Options } from './command.ts';
import { shippedFolder } from './locate.ts';

export const servicesOption = {
  flags: '--services <file>',
  description: 'service inventory to use instead of the shipped one ($RUNBOOK_SERVICES)',
} as const;

class InvalidInventory extends CommandError {
  readonly diagnostics: readonly Diagnostic[];

  constructor(file: string, diagnostics: readonly Diagnostic[]) {
    super(exitCodes.invalid, `the service inventory ${file} is not valid`);
    this.diagnostics = diagnostics;
  }
}

/** `--services`, then `$RUNBOOK_SERVICES`, then the shipped one. */
function readInventoryFile(options: Options, environment: Environment): Inventory {
  const asked = typeof options.services === 'string' ? options.services : environment.env.RUNBOOK_SERVICES;
  const file =
    asked === undefined || asked === ''
      ? path.join(shippedFolder(environment), 'services.yaml')
      : path.resolve(environment.cwd, asked);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new CommandError(
      exitCodes.usage,
      `cannot read the service inventory ${file}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`,
      'name a readable file with --services',
    );
  }
  const read = readInventory(file, bytes);
  if (!read.ok) throw new InvalidInventory(file, read.diagnostics);
  return read.value;
}

/** The inventory is read when `work` first asks for it; every mistake in it is printed. */
export async function withInventory<T>(
  options: Options,
  environment: Environment,
  work: (inventory: () => Inventory) => T | Promise<T>,
): Promise<T> {
  try {
    return await work(once(() => readInventoryFile(options, environment)));
  } catch (error) {
    if (error instanceof InvalidInventory) {
      const { formatHuman } = await import('../output/diagnostics-human.ts');
      environment.streams.info(formatHuman(error.diagnostics, environment.streams.color));
    }
    throw error;
  }
}

export function loadInventory(options: Options, environment: Environment): Promise<Inventory> {
  return withInventory(options, environment, (inventory) => inventory());
}
