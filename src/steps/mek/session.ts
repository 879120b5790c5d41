import { Secret } from '../../engine/secret.ts';
import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import { NekStoreError } from '../../services/nek-store.ts';
import type { Bao } from './openbao.ts';
import { connect, nameOfSecret, readKv } from './openbao.ts';
import type { CassandraGroup, OpenBaoGroup, Rows } from './target.ts';
import { credentialsPath, keyspaceOf } from './target.ts';

/** The kind of session that a context may open: one that reads, or one that writes, too. */
type SessionOf<Context extends ReadContext> = Awaited<ReturnType<Context['services']['nekStore']['open']>>;

interface Place {
  readonly openbao: OpenBaoGroup;
  readonly group: CassandraGroup;
  readonly rows: Rows;
}

/** A session on the rows of ESS, with credentials from OpenBao. The caller closes it. */
export async function cassandraSession<Context extends ReadContext>(
  ctx: Context,
  openbao: OpenBaoGroup,
  group: CassandraGroup,
): Promise<SessionOf<Context>> {
  return await open(ctx, { openbao, group, rows: 'ess' });
}

/** A session on the rows of API Keys. The caller closes it. */
export async function apiKeysSession<Context extends ReadContext>(
  ctx: Context,
  openbao: OpenBaoGroup,
  group: CassandraGroup,
): Promise<SessionOf<Context>> {
  return await open(ctx, { openbao, group, rows: 'api-keys' });
}

/** Makes a call on a session; what fails becomes a `StepError` that names the keyspace and the next step. */
export async function onStore<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw storeError(what, error);
  }
}

const codes: Readonly<Record<string, readonly [code: string, hint: string]>> = {
  unauthenticated: [
    'cassandra-credentials',
    'Check username and password there; were they changed in Cassandra alone?',
  ],
  forbidden: ['cassandra-credentials', 'The role needs SELECT and MODIFY on the keyspace.'],
  schema: ['cassandra-schema', 'Check that the migrations of this keyspace ran to their end.'],
  'no-quorum': ['cassandra-no-quorum', 'Bring the missing Cassandra nodes up first (nodetool status).'],
  unreachable: [
    'cassandra-unreachable',
    'Check the Cassandra pods, and that port-forward to them is allowed.',
  ],
  timeout: ['cassandra-timeout', 'Look for overloaded nodes (nodetool tpstats), then continue.'],
};

/** The failure of a call to the store in the words of its errors; anything else as it is. */
export function storeError(what: string, error: unknown): unknown {
  if (!(error instanceof NekStoreError)) return error;
  const [code, hint] = codes[error.reason] ?? ['cassandra-error', undefined];
  const { outcome, retryable } = error;
  return new StepError(code, `Could not ${what}: ${error.message}`, {
    outcome,
    retryable,
    cause: error,
    ...(hint !== undefined && { hint }),
  });
}

async function open<Context extends ReadContext>(
  ctx: Context,
  { openbao, group, rows }: Place,
): Promise<SessionOf<Context>> {
  const keyspace = keyspaceOf(group, rows);
  const { username, password } = await credentials(ctx, await connect(ctx, openbao), { group, rows });
  const { namespace, selector, datacenter = 'ncp' } = group;
  const target = { namespace, selector, keyspace, datacenter, username, password };
  const from = nameOfSecret(credentialsPath(group, rows));
  const session = await onStore(
    `open a session on keyspace ${keyspace} in ${namespace} with the credentials of ${from}`,
    () => ctx.services.nekStore.open(target, ctx.signal),
  );
  return session as SessionOf<Context>;
}

async function credentials(
  ctx: ReadContext,
  bao: Bao,
  { group, rows }: { readonly group: CassandraGroup; readonly rows: Rows },
): Promise<{ readonly username: Secret; readonly password: Secret }> {
  const at = credentialsPath(group, rows);
  const { data } = await readKv(ctx, bao, at);
  const fields = data.revealText(parseFields);
  const [username, password] = [fields?.username, fields?.password];
  if (typeof username !== 'string' || typeof password !== 'string' || username === '' || password === '')
    throw new StepError(
      'cassandra-credentials',
      `The secret ${nameOfSecret(at)} holds no username and password.`,
      {
        outcome: 'not-applied',
        hint: 'Check credentials: mount and path of the secret with the fields username and password.',
      },
    );
  const hidden = Secret.fromText('cassandra password', password);
  // The redactor takes nothing shorter; such a password would be found in innocent text.
  if (hidden.byteLength >= 8) ctx.protect(hidden);
  return { username: Secret.fromText('cassandra username', username), password: hidden };
}

function parseFields(text: string): { readonly username?: unknown; readonly password?: unknown } | undefined {
  try {
    const fields: unknown = JSON.parse(text);
    return typeof fields === 'object' && fields !== null ? fields : undefined;
  } catch {
    return undefined;
  }
}
