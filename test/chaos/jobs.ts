/** What a worker is asked to do. */
export type Job =
  | {
      readonly do: 'program';
      readonly args: readonly string[];
      /** Home and working directory. */
      readonly folder: string;
      readonly env: Readonly<Record<string, string>>;
    }
  | JudgeJob
  /** Virtual time passes in the world of a run that nobody works on. */
  | { readonly do: 'wait'; readonly runFolder: string; readonly seed: number; readonly ms: number };

export interface JudgeJob {
  readonly do: 'judge';
  readonly runFolder: string;
  readonly seed: number;
  /** Exit code of the last process; undefined: it was killed. */
  readonly code: number | undefined;
  /** Another runbook brought back what somebody else had destroyed. */
  readonly mended?: boolean;
}

export interface ProgramAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Verdict {
  /** Every promise that was broken. */
  readonly problems: readonly string[];
  readonly struck: readonly string[];
  /** The document lost a key to somebody else, which only a restore mends. */
  readonly destroyed: boolean;
  readonly secrets: number;
  readonly apiKeys: number;
  readonly rows: number;
}

export type JobAnswer = ProgramAnswer | Verdict | undefined;
