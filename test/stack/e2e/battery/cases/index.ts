import type { RunbookCase } from '../case.ts';
import { helmCases } from './helm.ts';
import { serviceCases } from './services.ts';

/** One entry for each shipped runbook. */
export const cases: readonly RunbookCase[] = [...helmCases, ...serviceCases];
