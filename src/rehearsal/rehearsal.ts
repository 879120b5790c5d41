import type { FaultKind } from '../sandbox/faults.ts';
import type { Difference } from './compare.ts';
import type { LiveReport } from './live/report.ts';

/** How a step fails; 'none': it does not, and the run is rolled back from its end. */
export type Way = FaultKind | 'none';

export const ways: readonly FaultKind[] = ['error', 'timeout', 'crash-before', 'crash-after', 'lost-answer'];

/**
 * What came of the rollback. 'restored': the world is as it was, field by field. 'kept': what is different is declared irreversible.
 * 'not-restored': something else is different. 'incomplete': the rollback stopped (exit 6). 'human': somebody must look (exit 7).
 */
export type Verdict = 'restored' | 'kept' | 'not-restored' | 'incomplete' | 'human';

/** What a step leaves on purpose. */
export interface Kept {
  readonly step: string;
  /** As the runbook or the step type says it. */
  readonly why: string;
  readonly differences: readonly Difference[];
}

/** A field that nobody declared, with the step that changed it last. */
export interface Unrestored {
  readonly step: string;
  readonly differences: readonly Difference[];
}

/** One step, failed in one way, and rolled back. */
export interface RehearsalRow {
  /** Instance id. */
  readonly step: string;
  readonly way: Way;
  readonly verdict: Verdict;
  /** How the run ended before the rollback: 'failed', 'killed', 'done'. */
  readonly ended: string;
  /** Exit code of the rollback. */
  readonly exitCode: number;
  /** The rollback's last words. */
  readonly text: string;
  /** False: there was nothing for the fault to strike, for instance no call whose answer could be lost. */
  readonly struck: boolean;
  /** Milliseconds of the simulated clock from the end of the rollback until everything was as it had been; 0 when something is not. */
  readonly settledAfter: number;
  readonly kept: readonly Kept[];
  readonly unrestored: readonly Unrestored[];
}

export interface RehearsedStep {
  /** Instance id. */
  readonly id: string;
  readonly name: string;
  readonly uses: string;
  /** It belongs to a rollback: it fails while the run is rolled back. */
  readonly undo: boolean;
}

export interface Rehearsal {
  readonly runbook: string;
  readonly title: string;
  readonly seed: number;
  /** The world was shaped like a cluster: how far. */
  readonly live?: LiveReport;
  readonly steps: readonly RehearsedStep[];
  readonly rows: readonly RehearsalRow[];
  /** Changing steps that the undisturbed run did not come to, and so were not rehearsed. */
  readonly notReached: readonly string[];
  /** Somebody stopped it before its end. */
  readonly interrupted: boolean;
}

/** Everything that is not declared irreversible is brought back, whatever failed. */
export function isSound({ rows, interrupted }: Pick<Rehearsal, 'rows' | 'interrupted'>): boolean {
  return !interrupted && rows.every(({ verdict }) => verdict === 'restored' || verdict === 'kept');
}
