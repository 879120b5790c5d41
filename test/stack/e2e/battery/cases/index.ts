import type { RunbookCase } from '../case.ts';
import { backupCases } from './backups.ts';
import { checkCases } from './checks.ts';
import { helmCases } from './helm.ts';
import { keyCases } from './keys.ts';
import { serviceCases } from './services.ts';
import { storeCases } from './stores.ts';

/** One entry for each shipped runbook. */
export const cases: readonly RunbookCase[] = [
  ...backupCases,
  ...checkCases,
  ...helmCases,
  ...keyCases,
  ...serviceCases,
  ...storeCases,
];
