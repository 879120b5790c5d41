import type { RunEvent } from '../../../../src/engine/run/event.ts';
import type { Connection } from '../../api.ts';
import type { KeyOperator } from '../key-operator.ts';
import type { Finished, Running } from '../rig.ts';
import type { Shape } from './shape.ts';

/** Where one run of a runbook takes place. */
export interface Scene {
  readonly operator: KeyOperator;
  readonly admin: Connection;
}

/** Inputs as they are typed: 'service=notary'. */
export type Inputs = readonly string[];

/** Makes what the run needs, and tells what to type. */
export type Prepare = (scene: Scene) => Inputs | Promise<Inputs>;

/** Something real that goes wrong, and from which a rollback leads back. */
export interface Failure {
  /** For the table: 'the pods of the new version crash'. */
  readonly what: string;
  /** Other inputs, or another world, than those of the success. */
  readonly prepare?: Prepare;
  /** At the first event that matches, this happens to the cluster. */
  readonly strike?: {
    readonly at: (event: RunEvent) => boolean;
    readonly does: (scene: Scene, running: Running) => Promise<void>;
  };
  /** What the run that met it may end with; 1 unless it says otherwise. Where nothing can be read any more, that is 7; where it stops before its first change, 4. */
  readonly exit?: readonly (1 | 4 | 7 | 130)[];
  /** What the run must have told of it. */
  readonly says?: RegExp;
  /** Takes the trouble away before the rollback. */
  readonly heal?: (scene: Scene) => Promise<void>;
  /** What of the world the rollback does not bring back, and the runbook says so. */
  readonly changed?: (scene: Scene, before: Shape, after: Shape) => Promise<void> | void;
}

/** One shipped runbook on the real cluster. */
export interface RunbookCase {
  readonly runbook: string;
  readonly prepare: Prepare;
  /** Exit code of a run that went well; 1 for a check whose verdict is meant to be bad, 10 for one that waits longer than any test. */
  readonly exit?: 0 | 1 | 10;
  /** Proof, by the cluster itself, that it did what it says. */
  readonly done: (scene: Scene, finished: Finished) => Promise<void>;
  /** Undefined for a runbook that changes nothing in the cluster. */
  readonly failure?: Failure;
  /** It is killed at a drawn journal append and resumed; false for one that changes nothing. */
  readonly killed: boolean;
  /** It takes minutes: a usual test run draws it, and runs it no other time. */
  readonly slow?: true;
  /** The test file that runs its success path with deeper proofs, in every test run. */
  readonly alsoIn?: string;
}
