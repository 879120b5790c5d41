import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Connection, connect, isReady } from './api.ts';
import { withCassandra } from './cassandra.ts';
import {
  askEss,
  cassandraPods,
  cql,
  ensureUp,
  everySecretReadable,
  holdCassandra,
  pauseCassandra,
  releaseCassandra,
  reset,
  resumeCassandra,
} from './control.ts';
import { execute } from './execute.ts';
import { loadSeedData } from './seed-data.ts';
import { waitFor } from './shell.ts';

let admin: Connection;

beforeAll(async () => {
  admin = connect((await ensureUp()).kubeconfig);
  await reset();
});

afterAll(reset);

/** What `nodetool status` says, node by node. */
async function states(from: string): Promise<string[]> {
  const text = await execute(admin, 'cassandra-system', from, 'cassandra', ['nodetool', 'status']);
  return [...text.matchAll(/^([UD][NLJM]) {2}10\./gm)].map((match) => match[1] ?? '').sort();
}

test('is a ring of three nodes, each with all data', async () => {
  expect(await states('cassandra-1')).toEqual(['UN', 'UN', 'UN']);
  const keyspaces = await cql('SELECT keyspace_name, replication FROM system_schema.keyspaces');
  const replication = Object.fromEntries(keyspaces.map((row) => [row.keyspace_name, row.replication]));
  for (const name of ['ess_api', 'api_keys_api', 'schema_migrations', 'system_auth'])
    expect(replication[name], name).toEqual({
      class: 'org.apache.cassandra.locator.NetworkTopologyStrategy',
      ncp: '3',
    });
  expect(await cql('SELECT * FROM schema_migrations.ess_api')).toMatchObject([{ dirty: false }]);
});

test('lets the role of a service read and write its own keyspace, and nothing else', async () => {
  const password = (await loadSeedData()).passwords.ess_api ?? '';
  await withCassandra(
    admin,
    async (client) => {
      const { rows } = await client.execute('SELECT entity_types FROM ess_api.namespaces LIMIT 1');
      expect(rows).toHaveLength(1);
      await expect(client.execute('SELECT * FROM api_keys_api.keys')).rejects.toThrow('has no SELECT');
      await expect(client.execute('DROP TABLE ess_api.namespaces')).rejects.toThrow('has no DROP');
    },
    { username: 'ess_api_app_v0', password },
  );
  await expect(
    withCassandra(admin, () => Promise.resolve(), { username: 'ess_api_app_v0', password: 'wrong' }),
  ).rejects.toThrow('incorrect');
});

const secret = () => ({
  namespace: 'nvcf',
  entityType: 'functions',
  entityId: randomUUID(),
  path: 'registry/token',
});

test('serves while one node says nothing, and the others call it down', async () => {
  pauseCassandra('cassandra-1');
  try {
    await waitFor(async () => (await states('cassandra-0')).join() === 'DN,UN,UN', {
      what: 'the silent node to be called down',
      seconds: 120,
    });
    expect((await askEss('PUT', secret(), { token: 'while one node is silent' })).status).toBe(200);
  } finally {
    resumeCassandra('cassandra-1');
  }
  await waitFor(async () => (await states('cassandra-0')).join() === 'UN,UN,UN', {
    what: 'three nodes up',
    seconds: 120,
  });
  expect((await everySecretReadable()).wrong).toEqual([]);
});

test('serves without one node, which comes back with its data', async () => {
  await holdCassandra('cassandra-2');
  const written = secret();
  expect((await askEss('PUT', written, { token: 'while one node is away' })).status).toBe(200);
  const held = await admin.core.readNamespacedPod({ namespace: 'cassandra-system', name: 'cassandra-2' });
  expect(isReady(held)).toBe(false);
  await releaseCassandra();
  expect((await askEss('GET', written)).status).toBe(200);
  expect(await states(cassandraPods[2])).toEqual(['UN', 'UN', 'UN']);
});
