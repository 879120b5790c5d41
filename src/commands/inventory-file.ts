import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Inventory, readInventory } from '../engine/read/inventory.ts';
import { exitCodes } from '../exit-code.ts';
import { CommandError, type Environment, type Options } from './command.ts';
import { shippedFolder } from './locate.ts';

export const servicesOption = {
  flags: '--services <file>',
  description: 'service inventory to use instead of the shipped one ($RUNBOOK_SERVICES)',
} as const;

/** `--services`, then `$RUNBOOK_SERVICES`, then the shipped one. */
export async function loadInventory(options: Options, environment: Environment): Promise<Inventory> {
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
  if (read.ok) return read.value;
  const { formatHuman } = await import('../output/diagnostics-human.ts');
  environment.streams.info(formatHuman(read.diagnostics, environment.streams.color));
  throw new CommandError(exitCodes.invalid, `the service inventory ${file} is not valid`);
}
