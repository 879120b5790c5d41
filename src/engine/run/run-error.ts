import { StepError } from '../step-type.ts';
import type { RunError } from './event.ts';

export interface Failure {
  readonly error: RunError;
  readonly outcome: 'not-applied' | 'unknown';
}

/** A record cannot be made durable: no further effect may start. Exit code 74. */
export class JournalError extends Error {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'JournalError';
  }
}

/** A failure of the engine's own making. */
export class EvaluationError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly details: readonly string[];

  constructor(code: string, message: string, more: { hint?: string; details?: readonly string[] } = {}) {
    super(message);
    this.name = 'EvaluationError';
    this.code = code;
    this.hint = more.hint;
    this.details = more.details ?? [];
  }
}

/** Whatever was thrown, as it is journaled: place and cause in the message, never a stack. What no record can hold is thrown on. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof JournalError) throw thrown;
  const failure = translate(thrown);
  if (!isUnauthorized(thrown)) return failure;
  const hint = 'log in again, then resume the run';
  return { ...failure, error: { ...failure.error, code: 'unauthorized', hint, retryable: false } };
}

function isUnauthorized(thrown: unknown): boolean {
  for (let depth = 0, at = thrown; depth < 6 && at instanceof Error; depth += 1, at = at.cause)
    if ('status' in at && at.status === 401) return true;
  return false;
}

function translate(thrown: unknown): Failure {
  if (thrown instanceof StepError) {
    const { code, message, hint, details, retryable, outcome } = thrown;
    return { error: runError({ code, message, hint, details, retryable }), outcome };
  }
  if (thrown instanceof EvaluationError) {
    const { code, message, hint, details } = thrown;
    return { error: runError({ code, message, hint, details, retryable: false }), outcome: 'not-applied' };
  }
  if (isServiceError(thrown)) {
    const { message, retryable, outcome, reason, name } = thrown;
    const code = kebab(typeof reason === 'string' && reason !== '' ? reason : name.replace(/Error$/, ''));
    return { error: runError({ code, message, retryable }), outcome };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return {
    error: runError({
      code: 'internal',
      message: `unexpected: ${message}`,
      hint: 'this is a defect of the step type',
    }),
    outcome: 'unknown',
  };
}

interface ServiceError extends Error {
  readonly outcome: 'not-applied' | 'unknown';
  readonly retryable: boolean;
  readonly reason?: unknown;
}

// The errors of services/ by their shape: the engine knows their types only.
function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && 'outcome' in thrown && 'retryable' in thrown;
}

function runError(parts: {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly details?: readonly string[];
  readonly retryable?: boolean;
}): RunError {
  return {
    code: parts.code,
    message: parts.message,
    ...(parts.hint === undefined ? {} : { hint: parts.hint }),
    ...(parts.details === undefined || parts.details.length === 0 ? {} : { details: parts.details }),
    ...(parts.retryable === true ? { retryable: true } : {}),
  };
}

function kebab(text: string): string {
  return text
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/[^a-zA-Z0-9]+/g, '-')
    .toLowerCase();
}
