import type { Inventory } from '../engine/read/inventory.ts';
import type { Runbook } from '../engine/read/runbook.ts';
import type { Environment } from './command.ts';
import { readRunbookFile } from './runbook-file.ts';

/** The runbook; or undefined after every mistake was printed. Warnings are printed too. */
export async function readOrExplain(
  file: string,
  environment: Environment,
  inventory: Inventory,
): Promise<Runbook | undefined> {
  const read = await readRunbookFile(file, environment, inventory);
  const diagnostics = read.ok ? read.warnings : read.diagnostics;
  if (diagnostics.length > 0) {
    const { formatHuman } = await import('../output/diagnostics-human.ts');
    environment.streams.info(formatHuman(diagnostics, environment.streams.color));
  }
  return read.ok ? read.value : undefined;
}
