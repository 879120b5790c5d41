import type { ExitCode } from '../../exit-code.ts';
import { KubernetesError } from '../../services/kubernetes.ts';
import { OpenBaoError } from '../../services/openbao.ts';
import { StepError } from '../step-type.ts';

export type ProblemKind =
  /** A template, condition, list or rendered `with` that no run could use. */
  | 'invalid'
  /** A root precondition that does not hold, or could not be read. */
  | 'precondition'
  /** A read before the first change that failed. */
  | 'read'
  /** No answer from the API server or from OpenBao. */
  | 'unreachable'
  /** 401 or 403 from a call that the plan made. */
  | 'forbidden'
  /** An access review says that the run, or its rollback, would be refused. */
  | 'access';

/** Why a run of this plan would not get through. */
export interface PlanProblem {
  readonly kind: ProblemKind;
  readonly message: string;
  /** Instance id. */
  readonly instance?: string;
  /** 'restart-service.yaml:17:5' */
  readonly at?: string;
  readonly hint?: string;
  readonly details?: readonly string[];
  /** Not yet: the run itself waits for it (`until`), so `exec` may go on. */
  readonly waits?: true;
}

/** 3 when anything is invalid, else 4 for any problem, else 0. What hangs on a failed read only looks invalid: that is 4. */
export function planExitCode(problems: readonly PlanProblem[]): ExitCode {
  const unread = problems.some(
    ({ kind }) => kind === 'unreachable' || kind === 'forbidden' || kind === 'read',
  );
  if (!unread && problems.some((problem) => problem.kind === 'invalid')) return 3;
  return problems.length > 0 ? 4 : 0;
}

/** A failure that says something about the way to the system, not about the step. */
export function accessFailure(error: unknown): 'unreachable' | 'forbidden' | undefined {
  for (let depth = 0, current = error; depth < 6 && current instanceof Error; depth += 1) {
    if (current instanceof KubernetesError || current instanceof OpenBaoError) {
      if (current.status === 401 || current.status === 403) return 'forbidden';
      const silent = !(current instanceof KubernetesError) || current.reason === 'Unreachable';
      return current.status === undefined && silent ? 'unreachable' : undefined;
    }
    current = current.cause;
  }
  return undefined;
}

/** Every further call to the cluster would fail in the same way. */
export function isHopeless(error: unknown): boolean {
  for (let depth = 0, current = error; depth < 6 && current instanceof Error; depth += 1) {
    if (current instanceof KubernetesError)
      return current.status === 401 || (current.status === undefined && current.reason === 'Unreachable');
    current = current.cause;
  }
  return false;
}

/** What an error says to people. */
export function sayError(error: unknown): Pick<PlanProblem, 'message' | 'hint' | 'details'> {
  if (!(error instanceof Error)) return { message: String(error) };
  if (!(error instanceof StepError)) return { message: error.message };
  return {
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.details.length === 0 ? {} : { details: error.details }),
  };
}
