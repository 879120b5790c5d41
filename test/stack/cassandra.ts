import { auth, Client, type QueryOptions, types } from 'cassandra-driver';
import type { Connection } from './api.ts';
import {
  apiKeysKeyspace,
  essKeyspace,
  type Keyspace,
  keyspaces,
  ledgerKeyspace,
  superuser,
} from './keyspaces.ts';
import { cassandraNamespace } from './manifests/cassandra.ts';
import { cassandraDatacenter, cassandraPods } from './manifests/cassandra-config.ts';
import { waitFor } from './shell.ts';

export { superuser } from './keyspaces.ts';

/** One row, column by column. */
export type Row = Record<string, unknown>;

/** The one namespace that an installation has. */
const firstNamespace = {
  namespace: 'nvcf',
  entity_types: Object.fromEntries(['functions', 'accounts', 'tasks'].map((name) => [name, { name }])),
  entity_hash_size: 10,
  created_at: '2026-01-01 00:00:00.000Z',
};

const replication = `{'class': 'NetworkTopologyStrategy', '${cassandraDatacenter}': ${cassandraPods.length}}`;

/** Connects over the addresses of the pods. Statements are at LOCAL_QUORUM; the caller shuts the client down. */
export async function connectCassandra(
  connection: Connection,
  { username, password } = superuser,
): Promise<Client> {
  const addresses = await Promise.all(cassandraPods.map((pod) => cassandraAddress(connection, pod)));
  const client = new Client({
    contactPoints: addresses.filter((address) => address !== undefined),
    localDataCenter: cassandraDatacenter,
    authProvider: new auth.PlainTextAuthProvider(username, password),
    queryOptions: { consistency: types.consistencies.localQuorum, prepare: true },
    socketOptions: { connectTimeout: 5_000, readTimeout: 30_000 },
  });
  // The driver tells its failures once more as an event.
  client.on('log', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    await client.shutdown();
    throw error;
  }
  return client;
}

/** Runs statements of one connection's life. */
export async function withCassandra<T>(
  connection: Connection,
  work: (client: Client) => Promise<T>,
  credentials = superuser,
): Promise<T> {
  const client = await connectCassandra(connection, credentials);
  try {
    return await work(client);
  } finally {
    await client.shutdown();
  }
}

/** All rows of one statement, as the superuser. */
export function cql(
  connection: Connection,
  statement: string,
  parameters: unknown[] = [],
  options: QueryOptions = {},
): Promise<Row[]> {
  return withCassandra(connection, async (client) => {
    const result = await client.execute(statement, parameters, options);
    if (result.rows === undefined) return [];
    const rows: Row[] = [];
    for await (const row of result)
      rows.push(Object.fromEntries(row.keys().map((column) => [column, row.get(column)])));
    return rows;
  });
}

/** Makes keyspaces, tables, roles and ledger, as the chart's two Jobs do, unless they are there. */
export async function ensureSchema(connection: Connection, passwords: Record<string, string>): Promise<void> {
  await withCassandra(connection, async (client) => {
    await replicateLogins(client);
    for (const keyspace of keyspaces) {
      await createKeyspace(client, keyspace);
      await createRole(client, keyspace, passwords[keyspace.name] ?? '');
    }
    await client.execute('INSERT INTO ess_api.namespaces JSON ?', [JSON.stringify(firstNamespace)]);
    await client.execute(createKeyspaceStatement(ledgerKeyspace));
    await restoreLedger(client);
  });
}

/** Makes the ledger of the migrations what it is after an installation: one clean version of each keyspace. */
export async function restoreLedger(client: Client): Promise<void> {
  for (const { name } of keyspaces) {
    const table = `${ledgerKeyspace}.${name}`;
    await client.execute(`CREATE TABLE IF NOT EXISTS ${table} (version bigint PRIMARY KEY, dirty boolean)`);
    const { rows } = await client.execute(`SELECT version, dirty FROM ${table}`, [], { prepare: false });
    if (rows.length === 1 && Number(rows[0]?.version) === 1 && rows[0]?.dirty === false) continue;
    await client.execute(`TRUNCATE ${table}`, [], { prepare: false });
    await client.execute(`INSERT INTO ${table} (version, dirty) VALUES (1, false)`, [], { prepare: false });
  }
}

/** Empties every table but those that the migrations fill. */
export async function emptyTables(client: Client): Promise<void> {
  const tables = [essKeyspace, apiKeysKeyspace]
    .flatMap(({ name, tables: all }) => Object.keys(all).map((table) => `${name}.${table}`))
    .filter((table) => table !== 'ess_api.namespaces');
  await Promise.all(tables.map((table) => client.execute(`TRUNCATE ${table}`, [], { prepare: false })));
}

/** The address of one pod; undefined while it has none. */
export async function cassandraAddress({ core }: Connection, pod: string): Promise<string | undefined> {
  const { status } = await core.readNamespacedPod({ name: pod, namespace: cassandraNamespace });
  return status?.podIP;
}

// A new cluster has one copy of the logins; the read at ALL writes them to the other nodes.
async function replicateLogins(client: Client): Promise<void> {
  await client.execute(`ALTER KEYSPACE system_auth WITH replication = ${replication}`);
  await waitFor(
    () => client.execute('SELECT * FROM system_auth.roles', [], { consistency: types.consistencies.all }),
    { what: 'the logins to reach all nodes of Cassandra', seconds: 60 },
  );
}

async function createKeyspace(client: Client, { name, types: userTypes, tables }: Keyspace): Promise<void> {
  await client.execute(createKeyspaceStatement(name));
  for (const [type, fields] of Object.entries(userTypes)) {
    await client.execute(`CREATE TYPE IF NOT EXISTS ${name}.${type} ${fields}`);
  }
  for (const [table, definition] of Object.entries(tables)) {
    await client.execute(`CREATE TABLE IF NOT EXISTS ${name}.${table} ${definition}`);
  }
}

async function createRole(client: Client, { name, role }: Keyspace, password: string): Promise<void> {
  await client.execute(`CREATE ROLE IF NOT EXISTS ${role} WITH PASSWORD = '${password}' AND LOGIN = true`);
  await client.execute(`ALTER ROLE ${role} WITH PASSWORD = '${password}'`);
  for (const right of ['SELECT', 'MODIFY'])
    await client.execute(`GRANT ${right} ON KEYSPACE ${name} TO ${role}`);
}

function createKeyspaceStatement(name: string): string {
  return `CREATE KEYSPACE IF NOT EXISTS ${name} WITH replication = ${replication}`;
}
