import { HelmError, type HelmReason } from '../../services/helm.ts';
import { type HelmPlace, helmFailure, hiddenTexts } from '../../services/helm-errors.ts';
import { KubernetesError } from '../../services/kubernetes.ts';
import { ClientKilled, HelmFailed } from './client.ts';

export function refusal(place: HelmPlace, reason: HelmReason, why: string, hint?: string): HelmError {
  return new HelmError(`Cannot ${place.what}: ${why}.`, {
    reason,
    outcome: 'not-applied',
    retryable: false,
    hint,
  });
}

/** The failure of a simulated client as the real one reports it. */
export function translate(place: HelmPlace, failure: unknown, values?: unknown): unknown {
  const outcome = place.write ? 'unknown' : 'not-applied';
  if (failure instanceof ClientKilled)
    return new HelmError(`Cannot ${place.what}: helm was ended by SIGKILL.`, {
      reason: 'failed',
      outcome,
      retryable: false,
    });
  if (failure instanceof HelmFailed && failure.message === 'context canceled')
    return new HelmError(`Cannot ${place.what}: it was stopped.`, {
      reason: 'failed',
      outcome,
      retryable: false,
    });
  if (failure instanceof HelmFailed)
    return helmFailure({ ...place, hidden: hiddenTexts(values) }, `Error: ${failure.message}`, '');
  if (!(failure instanceof KubernetesError)) return failure;
  return helmFailure(place, `Error: ${inHelmsWords(failure)}`, '');
}

function inHelmsWords(failure: KubernetesError): string {
  if (failure.status === undefined) return `Kubernetes cluster unreachable: ${failure.message}`;
  if (failure.status === 403) return failure.message.replace('is forbidden:', 'is forbidden:');
  if (failure.status === 401) return 'the server has asked for the client to provide credentials';
  return failure.message;
}
