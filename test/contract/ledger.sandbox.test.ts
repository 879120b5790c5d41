import { Secret } from '../../src/engine/secret.ts';
import { cassandraCredentials, superuser } from '../../src/sandbox/mek/seed.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { ledgerContract } from './ledger.ts';

const never = new AbortController().signal;
const seed = 19;

ledgerContract('the sandbox', async () => {
  const { services, control } = openSandbox({ seed });
  await services.clock.sleep(600_000, never);
  const as = ({ username, password }: ReturnType<typeof superuser>) => ({
    namespace: 'cassandra-system',
    selector: 'app.kubernetes.io/name=cassandra',
    datacenter: 'ncp',
    username: Secret.fromText('username', username),
    password: Secret.fromText('password', password),
  });
  return {
    ledger: services.ledger,
    target: as(superuser(seed)),
    service: as(cassandraCredentials(seed, 'ess_api')),
    note: async (keyspace, rows) => control.ledger(keyspace, rows),
    loseQuorum: async () => {
      for (const pod of ['cassandra-1', 'cassandra-2']) control.stopNode(pod);
    },
    regainQuorum: async () => {
      for (const pod of ['cassandra-1', 'cassandra-2']) control.startNode(pod);
      await services.clock.sleep(120_000, never);
    },
  };
});
