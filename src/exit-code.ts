/** The public table of exit codes. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  invalid: 3,
  preconditionFailed: 4,
  rolledBack: 5,
  rollbackIncomplete: 6,
  unknown: 7,
  locked: 8,
  stale: 9,
  waiting: 10,
  internal: 70,
  journal: 74,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** One line each, for `--help` and the README. */
export const exitCodeMeanings: Readonly<Record<ExitCode, string>> = {
  0: 'done',
  1: 'failed after a change, not rolled back; or a check whose verdict is bad news',
  2: 'wrong usage of the command line',
  3: 'invalid runbook or inputs',
  4: 'a precondition or a read failed before the first change',
  5: 'failed and rolled back',
  6: 'rollback incomplete',
  7: 'outcome unknown: a human must look',
  8: 'locked by another run',
  9: 'stale plan or changed runbook',
  10: 'waiting for an approval or for a time; resume later',
  70: 'internal error',
  74: 'the journal cannot be written',
  130: 'interrupted',
};
