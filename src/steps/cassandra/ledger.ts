import { Secret } from '../../engine/secret.ts';
import type { Access, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { LedgerTable, LedgerTarget } from '../../services/ledger.ts';
import { NekStoreError } from '../../services/nek-store.ts';
import { portForwardAccess } from '../pod-access.ts';
import type { CassandraTarget } from './nodes.ts';

/** The fields of a `with` that lead to `schema_migrations`. No role of a service may use it. */
export interface LedgerInput extends CassandraTarget {
  readonly datacenter?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | Secret | undefined;
}

export const ledgerAccess = ({ namespace }: LedgerInput): readonly Access[] => [
  ...portForwardAccess(namespace),
  { system: 'kubernetes', verb: 'get', group: '', resource: 'pods', namespace },
];

export function ledgerTarget(ctx: ReadContext, input: LedgerInput): LedgerTarget {
  const { namespace, selector, datacenter = 'ncp', username = 'cassandra' } = input;
  const given: unknown = input.password;
  const password =
    given instanceof Secret ? given : Secret.fromText('cassandra password', String(given ?? ''));
  // The redactor takes nothing shorter; such a password would be found in innocent text.
  if (password.byteLength >= 8) ctx.protect(password);
  return {
    namespace,
    selector,
    datacenter,
    username: Secret.fromText('cassandra username', username),
    password,
  };
}

export async function readLedger(ctx: ReadContext, input: LedgerInput): Promise<readonly LedgerTable[]> {
  return await onLedger('read the ledger of the migrations', () =>
    ctx.services.ledger.read(ledgerTarget(ctx, input), ctx.signal),
  );
}

const codes: Readonly<Record<string, readonly [code: string, hint: string]>> = {
  unauthenticated: [
    'cassandra-credentials',
    'Give the password of the superuser (cassandra.dbUser in the values of the chart), or of another role that may use schema_migrations.',
  ],
  forbidden: [
    'cassandra-credentials',
    'The role needs SELECT, and to clear a mark MODIFY, on schema_migrations; the roles of the services have neither.',
  ],
  schema: ['ledger-missing', 'See which tables schema_migrations has (cassandra.migrations).'],
  'no-quorum': ['cassandra-no-quorum', 'Bring the missing Cassandra nodes up first (cassandra.status).'],
  unreachable: [
    'cassandra-unreachable',
    'Check the Cassandra pods, and that port-forward to them is allowed.',
  ],
  timeout: ['cassandra-timeout', 'Look for nodes that are down or overloaded, then continue.'],
};

/** Makes a call; what fails becomes a `StepError` with the next step. */
export async function onLedger<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof NekStoreError)) throw error;
    const [code, hint] = codes[error.reason] ?? ['cassandra-error', undefined];
    throw new StepError(code, `Could not ${what}: ${error.message}`, {
      outcome: error.outcome,
      retryable: error.retryable,
      cause: error,
      ...(hint !== undefined && { hint }),
    });
  }
}
