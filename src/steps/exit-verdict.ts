import type { Observation } from '../engine/step-type.ts';

/** Exit codes of an author's observing command and what they say. */
export interface ExitCodes {
  readonly applied?: readonly number[] | undefined;
  readonly notApplied?: readonly number[] | undefined;
  readonly inProgress?: readonly number[] | undefined;
  readonly conflict?: readonly number[] | undefined;
}

/** What an observing command says by its exit code. A code that nobody declared, and a signal, mean unknown. */
export function verdictOfExit(
  what: string,
  exitCode: number | undefined,
  codes: ExitCodes,
): Pick<Observation, 'state' | 'evidence'> {
  if (exitCode === undefined) return { state: 'unknown', evidence: `${what} was ended by a signal` };
  const evidence = `${what} ended with exit code ${exitCode}`;
  if ((codes.applied ?? [0]).includes(exitCode)) return { state: 'applied', evidence };
  if ((codes.notApplied ?? [1]).includes(exitCode)) return { state: 'not-applied', evidence };
  if (codes.inProgress?.includes(exitCode)) return { state: 'in-progress', evidence };
  if (codes.conflict?.includes(exitCode)) return { state: 'conflict', evidence };
  return { state: 'unknown', evidence: `${evidence}, which observe does not name` };
}
