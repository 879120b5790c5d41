import { randomBytes } from 'node:crypto';
import { Secret } from '../../src/engine/secret.ts';
import type { KubernetesReader } from '../../src/services/kubernetes.ts';
import type { NekStoreTarget, NekStoreWriter } from '../../src/services/nek-store.ts';
import { connectClient } from '../../src/services/nek-store-client.ts';
import type { Client } from '../../src/services/nek-store-library.ts';
import { openTunnel } from '../../src/services/nek-store-tunnel.ts';
import type { NekStoreWorld } from '../contract/nek-store.ts';
import { waitFor } from './shell.ts';

/** CQL by Cassandra's own superuser. */
export interface Superuser extends AsyncDisposable {
  run(cql: string, params?: readonly unknown[]): Promise<void>;
  readonly client: Client;
}

export type Cassandra = Omit<NekStoreTarget, 'keyspace' | 'username' | 'password'>;

export async function openSuperuser(
  kubernetes: Pick<KubernetesReader, 'list' | 'portForward'>,
  cassandra: Cassandra,
): Promise<Superuser> {
  const tunnel = await openTunnel({ kubernetes, ...cassandra, port: 9042 });
  const target = {
    ...cassandra,
    keyspace: 'system',
    username: Secret.fromText('superuser', 'cassandra'),
    password: Secret.fromText('superuser-password', 'cassandra'),
  };
  const client = await connectClient(target, tunnel);
  return {
    client,
    run: async (cql, params = []) => {
      if (params.length > 0) await client.execute(cql, [...params]);
      else {
        // A change of the schema takes effect node by node.
        await client.execute(cql, [], { prepare: false, readTimeout: 60_000 });
        await waitFor(() => isSchemaAgreed(client), {
          what: 'the nodes to agree on a schema',
          seconds: 120,
        });
      }
    },
    [Symbol.asyncDispose]: async () => {
      await client.shutdown();
      tunnel.close();
    },
  };
}

async function isSchemaAgreed(client: Client): Promise<boolean> {
  const versions = await Promise.all(
    ['local', 'peers'].map((table) => client.execute(`SELECT schema_version FROM system.${table}`)),
  );
  return new Set(versions.flatMap(({ rows }) => rows.map((row) => String(row.schema_version)))).size === 1;
}

/** The table as ESS's migrations create it. */
export const createNekTable = (
  keyspace: string,
) => `CREATE TABLE "${keyspace}".encryption_keys_by_kid_and_encrypted_at (
  namespace text, kid text, encrypted_at timestamp, created_at timeuuid, current_kid text STATIC,
  encrypted_by_kid text, encrypted_key text, status text,
  PRIMARY KEY ((namespace), kid, encrypted_at)) WITH CLUSTERING ORDER BY (kid ASC, encrypted_at DESC)`;

export interface OwnKeyspace {
  readonly world: NekStoreWorld;
  readonly superuser: Superuser;
  readonly keyspace: string;
  /** Removes the keyspace and the role. */
  end(): Promise<void>;
}

/** A keyspace and a role of the test's own, so that nobody else's keys are touched. */
export async function createOwnKeyspace(
  store: NekStoreWriter,
  given: {
    readonly kubernetes: Pick<KubernetesReader, 'list' | 'portForward'>;
    readonly cassandra: Cassandra;
    readonly pods: readonly string[];
  },
): Promise<OwnKeyspace> {
  const superuser = await openSuperuser(given.kubernetes, given.cassandra);
  const keyspace = `contract_${randomBytes(6).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  const replicationFactor = given.pods.length;
  const nek = `"${keyspace}".encryption_keys_by_kid_and_encrypted_at`;
  const run = superuser.run;
  await run(
    `CREATE KEYSPACE "${keyspace}" WITH replication = {'class': 'NetworkTopologyStrategy', '${given.cassandra.datacenter}': ${replicationFactor}}`,
  );
  await run(createNekTable(keyspace));
  await run(`CREATE TABLE "${keyspace}".keys (api_key_hash text PRIMARY KEY, key_details text)`);
  await run(`CREATE ROLE ${keyspace} WITH PASSWORD = '${password}' AND LOGIN = true`);
  await run(`GRANT SELECT ON KEYSPACE "${keyspace}" TO ${keyspace}`);
  await run(`GRANT MODIFY ON KEYSPACE "${keyspace}" TO ${keyspace}`);
  const target = {
    ...given.cassandra,
    keyspace,
    username: Secret.fromText('username', keyspace),
    password: Secret.fromText('password', password),
  };
  const world: NekStoreWorld = {
    store,
    target,
    pods: given.pods,
    replicationFactor,
    setCurrentKid: (namespace, kid) =>
      run(`UPDATE ${nek} SET current_kid = ? WHERE namespace = ?`, [kid, namespace]),
    addGhost: ({ namespace, kid, encryptedAt }, status) =>
      run(`UPDATE ${nek} SET status = ? WHERE namespace = ? AND kid = ? AND encrypted_at = ?`, [
        status,
        namespace,
        kid,
        encryptedAt,
      ]),
    jwes: {
      target,
      table: 'keys',
      column: 'key_details',
      add: async (values) => {
        for (const value of values) {
          const hash = randomBytes(16).toString('hex');
          await run(`INSERT INTO "${keyspace}".keys (api_key_hash, key_details) VALUES (?, ?)`, [
            hash,
            value,
          ]);
        }
      },
    },
  };
  return {
    world,
    superuser,
    keyspace,
    end: async () => {
      await run(`DROP KEYSPACE "${keyspace}"`);
      await run(`DROP ROLE ${keyspace}`);
      await superuser[Symbol.asyncDispose]();
    },
  };
}
