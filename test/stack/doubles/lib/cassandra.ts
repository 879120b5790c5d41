import { setTimeout as pause } from 'node:timers/promises';
import { auth, Client, policies, type types } from 'cassandra-driver';
import { messageOf } from './openbao.ts';
import { log } from './server.ts';

const localQuorum = 6 satisfies types.consistencies.localQuorum;

/** A client of the service's keyspace, connected as soon as Cassandra answers. */
export async function connectCassandra(
  keyspace: string,
  credentials: Record<string, string>,
): Promise<Client> {
  for (let tries = 0; ; tries += 1) {
    const client = new Client({
      contactPoints: ['cassandra.cassandra-system.svc.cluster.local'],
      localDataCenter: 'ncp',
      keyspace,
      authProvider: new auth.PlainTextAuthProvider(credentials.username ?? '', credentials.password ?? ''),
      // As in the services: another node is asked when the first one takes too long.
      policies: {
        speculativeExecution: new policies.speculativeExecution.ConstantSpeculativeExecutionPolicy(1_500, 1),
      },
      queryOptions: { consistency: localQuorum, prepare: true, isIdempotent: true },
      // A node that says nothing is left alone soon.
      pooling: { heartBeatInterval: 5_000 },
      socketOptions: { connectTimeout: 3_000, readTimeout: 4_000 },
    });
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (tries % 10 === 0) log('WARN', `waiting for Cassandra: ${messageOf(error)}`);
      await client.shutdown();
      await pause(1_000);
    }
  }
}

/** Answers, at the service's own consistency, within a moment? */
export async function answers(client: Client): Promise<boolean> {
  try {
    await client.execute('SELECT now() FROM system.local', [], { readTimeout: 2_000 });
    return true;
  } catch {
    return false;
  }
}
