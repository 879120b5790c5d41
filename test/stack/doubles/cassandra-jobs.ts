// The two Jobs of the Cassandra chart, as far as anybody can tell them apart from outside. Settings:
//   JOB         "initialize-cluster": the logins get copies on all nodes; "migrations": every keyspace to its version
//   USERNAME, PASSWORD   of the superuser
//   FAILS       "true": the next migration of the first keyspace breaks off half-way, which leaves it dirty
import { auth, Client, types } from 'cassandra-driver';
import { keyspaces, ledgerKeyspace } from '../keyspaces.ts';
import { log } from './lib/server.ts';

const { JOB, USERNAME = '', PASSWORD = '', FAILS, COPIES = '1', DATACENTER = '' } = process.env;

const client = new Client({
  contactPoints: ['cassandra.cassandra-system.svc.cluster.local'],
  localDataCenter: DATACENTER,
  authProvider: new auth.PlainTextAuthProvider(USERNAME, PASSWORD),
  queryOptions: { consistency: types.consistencies.localQuorum, prepare: true },
});
// The driver tells its failures once more as an event.
client.on('log', () => undefined);

async function initialize(): Promise<void> {
  const replication = `{'class': 'NetworkTopologyStrategy', '${DATACENTER}': ${Number(COPIES)}}`;
  await client.execute(`ALTER KEYSPACE system_auth WITH replication = ${replication}`);
  log('INFO', 'Cluster initialized');
}

/** As golang-migrate keeps its ledger: one row; the version is noted as dirty first, and as clean when all of it is done. */
async function migrate(name: string, fails: boolean): Promise<void> {
  const table = `${ledgerKeyspace}.${name}`;
  const [row] = (await client.execute(`SELECT version, dirty FROM ${table}`)).rows;
  const version = Number(row?.version ?? 0);
  if (row?.dirty === true) throw new Error(`Dirty database version ${version}. Fix and force version.`);
  if (!fails) return log('INFO', `${name}: no change, version ${version}`);
  await client.execute(`TRUNCATE ${table}`, [], { prepare: false });
  await client.execute(`INSERT INTO ${table} (version, dirty) VALUES (${version + 1}, true)`);
  throw new Error(`migration failed in line 3: unknown column, details: version ${version + 1} of ${name}`);
}

try {
  if (JOB === 'initialize-cluster') await initialize();
  else {
    for (const [index, { name }] of keyspaces.entries()) await migrate(name, FAILS === 'true' && index === 0);
    log('INFO', 'All Cassandra migrations completed successfully');
  }
  process.exit(0);
} catch (error) {
  log('ERROR', `error: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
