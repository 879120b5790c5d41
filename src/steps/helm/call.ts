import { StepError, type StepErrorOptions } from '../../engine/step-type.ts';
import { HelmError, type HelmReason } from '../../services/helm.ts';

const codes: Readonly<Record<HelmReason, string>> = {
  missing: 'helm-missing',
  'wrong-version': 'helm-version',
  'release-missing': 'release-missing',
  pending: 'release-pending',
  'chart-missing': 'chart-missing',
  'digest-moved': 'digest-moved',
  values: 'values-invalid',
  unreachable: 'unreachable',
  forbidden: 'forbidden',
  failed: 'helm-failed',
};

/** Asks Helm; what it refuses becomes a `StepError` with the next step. */
export async function callHelm<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw error instanceof HelmError ? stepError(error) : error;
  }
}

export function stepError(
  error: HelmError,
  { message = error.message, ...more }: StepErrorOptions & { readonly message?: string } = {},
): StepError {
  return new StepError(codes[error.reason], message, {
    outcome: error.outcome,
    retryable: error.retryable,
    cause: error,
    ...(error.hint !== undefined && { hint: error.hint }),
    ...more,
  });
}
