import { StepError } from '../../engine/step-type.ts';
import { NekStoreError } from '../../services/nek-store.ts';

const codes: Readonly<Record<string, string>> = {
  unauthenticated: 'cassandra-credentials',
  forbidden: 'cassandra-credentials',
  schema: 'cassandra-schema',
  'no-quorum': 'cassandra-no-quorum',
};

const hints: Readonly<Record<string, string>> = {
  'cassandra-credentials':
    'Compare the credentials in OpenBao with the role in Cassandra; it needs SELECT and MODIFY on the keyspace of ESS.',
  'cassandra-schema': 'Compare the table with the migrations of the ESS version that runs.',
  'cassandra-no-quorum':
    'Bring the Cassandra nodes back (kubectl get pods, nodetool status), then run again.',
  unreachable: 'Check that the Cassandra pods are ready and that port-forward to them is allowed.',
};

/** A failure of the namespace keys' store in the words of a step; anything else comes back as it is. */
export function storeFailure(error: unknown, doing: string, outcome?: 'not-applied'): unknown {
  if (!(error instanceof NekStoreError)) return error;
  const code = codes[error.reason] ?? (error.reason === 'timeout' ? 'cassandra-timeout' : error.reason);
  const hint = hints[code];
  return new StepError(code, `Could not ${doing}: ${error.message}`, {
    outcome: outcome ?? error.outcome,
    retryable: error.retryable,
    cause: error,
    ...(hint !== undefined && { hint }),
  });
}

/** Runs calls of the store that only read: whatever fails, nothing was changed. */
export async function reading<T>(doing: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw storeFailure(error, doing, 'not-applied');
  }
}
