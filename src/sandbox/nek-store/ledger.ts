import type { KubernetesReader } from '../../services/kubernetes.ts';
import { type LedgerTarget, type LedgerWriter, ledgerKeyspace } from '../../services/ledger.ts';
import { NekStoreError } from '../../services/nek-store.ts';
import type { Caller } from '../connection.ts';
import type { Machine } from '../machine.ts';
import { cassandraCredentials, KEYSPACES, superuser } from '../mek/seed.ts';
import { takeMishap } from '../mishaps.ts';
import { hasQuorum, nodesOf } from './nodes.ts';
import { CONNECT, reach } from './service.ts';

/** Virtual milliseconds of one answer. */
const ANSWER = 5;

function failure(
  message: string,
  options: { readonly reason: string; readonly outcome?: 'unknown'; readonly retryable?: boolean },
): NekStoreError {
  const { reason, outcome = 'not-applied', retryable = false } = options;
  return new NekStoreError(message, { reason, outcome, retryable });
}

function logIn({ world }: Machine, target: LedgerTarget): void {
  const where = `Cassandra in ${target.namespace}`;
  if (target.datacenter !== 'ncp')
    throw failure(`${where} has no node in datacenter ${target.datacenter}, only in ncp.`, {
      reason: 'refused',
    });
  const given = {
    username: target.username.revealText((text) => text),
    password: target.password.revealText((text) => text),
  };
  const is = (role: { readonly username: string; readonly password: string }) =>
    role.username === given.username && role.password === given.password;
  if (is(superuser(world.seed))) return;
  throw KEYSPACES.some((keyspace) => is(cassandraCredentials(world.seed, keyspace)))
    ? failure(`The role may not use keyspace ${ledgerKeyspace}.`, { reason: 'forbidden' })
    : failure(`${where} refused the user name or the password.`, { reason: 'unauthenticated' });
}

/** `schema_migrations` of the simulated Cassandra cluster. */
export function sandboxLedger(
  machine: Machine,
  kubernetes: Pick<KubernetesReader, 'list'>,
  caller: Caller,
): LedgerWriter {
  const { world, clock } = machine;
  const arrive = async (target: LedgerTarget, signal: AbortSignal): Promise<void> => {
    clock.touch();
    if (!signal.aborted) await clock.sleep(CONNECT + ANSWER, signal);
    if (signal.aborted)
      throw failure('Cancelled before Cassandra answered.', { reason: 'aborted', retryable: true });
    await reach(machine, { kubernetes, caller }, target);
    const nodes = nodesOf(world, target);
    // Passwords, too, are read at a quorum.
    if (!hasQuorum(world, nodes))
      throw failure(
        `Cassandra cannot achieve LOCAL_QUORUM: ${nodes.filter(({ up }) => up).length} of ${world.cassandra.schema.replicationFactor} replicas are alive.`,
        { reason: 'no-quorum', retryable: true },
      );
    logIn(machine, target);
    machine.called();
  };
  return {
    read: async (target, signal) => {
      await arrive(target, signal);
      return [...world.cassandra.ledger]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([keyspace, rows]) => ({ keyspace, rows: [...rows].sort((a, b) => a.version - b.version) }));
    },
    mark: async (target, { keyspace, version, dirty }, signal) => {
      await arrive(target, signal);
      const rows = world.cassandra.ledger.get(keyspace);
      if (rows === undefined)
        throw failure(`Keyspace ${ledgerKeyspace} has no table ${keyspace}.`, { reason: 'schema' });
      const fits = rows.some((row) => row.version === version && row.dirty === !dirty);
      const marked = rows.map((row) => (row.version === version ? { version, dirty } : row));
      const mishap = takeMishap(machine, 'ledger-mark');
      if (fits && mishap?.how !== 'not-done') machine.perform({ do: 'ledger', keyspace, rows: marked });
      if (machine.faults.take(caller.instance, 'answer') !== undefined || mishap !== undefined)
        throw failure('Cassandra did not answer a write in time; it may have taken effect.', {
          reason: 'timeout',
          outcome: 'unknown',
          retryable: true,
        });
      return fits;
    },
  };
}
