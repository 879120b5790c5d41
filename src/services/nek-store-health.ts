import type { NekStoreHealth, NekStoreNode, NekStoreTarget } from './nek-store.ts';
import { type Client, types } from './nek-store-library.ts';
import type { Connected } from './nek-store-link.ts';
import { copiesIn, hasQuorum, type Replication } from './nek-store-quorum.ts';
import { nekTable, type StoredTable, schemaProblems } from './nek-store-schema.ts';

export interface Examination {
  readonly health: NekStoreHealth;
  /** A pod runs, and its node did not answer over these connections: over new ones it may. */
  readonly doubtful: boolean;
}

/** Asks every node by itself, and any of them for the schema. */
export async function askHealth(connected: Connected, target: NekStoreTarget): Promise<Examination> {
  await connected.tunnel.refresh();
  const [pods, members, keyspace, table] = await Promise.all([
    askNodes(connected),
    askMembers(connected.client, target.datacenter),
    askKeyspace(connected.client, target.keyspace),
    askTable(connected.client, target.keyspace),
  ]);
  const endpoints = await Promise.all(members.map((address) => connected.tunnel.translate(address)));
  // A pod that restarts is known to its neighbours by its former address for a while: it counts once.
  const others = members
    .filter((_, index) => endpoints[index] === undefined)
    .map((address): NekStoreNode => ({ pod: '', address, up: false, schemaVersion: '' }));
  const nodes = [...pods, ...others];
  const up = nodes.filter((node) => node.up);
  const copies = keyspace === undefined ? 0 : copiesIn(target.datacenter, keyspace.replication);
  const place = `${target.keyspace}.${nekTable}`;
  const running = new Set(connected.tunnel.pods().flatMap((each) => (each.running ? [each.pod] : [])));
  const health = {
    nodes,
    schemaAgreed: new Set(up.map(({ schemaVersion }) => schemaVersion)).size <= 1,
    quorum: hasQuorum({ copies, nodes: nodes.length, up: up.length }),
    replicationFactor: copies,
    durableWrites: keyspace?.durableWrites ?? false,
    schemaProblems:
      keyspace === undefined
        ? [`the keyspace ${target.keyspace} does not exist`]
        : schemaProblems(place, table),
  };
  return { health, doubtful: pods.some(({ pod, up: answered }) => !answered && running.has(pod)) };
}

const local = { prepare: false, isIdempotent: true, consistency: types.consistencies.localOne };

function askNodes({ client, tunnel }: Connected): Promise<readonly NekStoreNode[]> {
  return Promise.all(
    tunnel.pods().map(async ({ pod, address, endpoint }): Promise<NekStoreNode> => {
      const host = client.hosts.get(endpoint);
      try {
        if (host === undefined) throw new Error('no node of the ring is in this pod');
        const { rows } = await client.execute('SELECT schema_version FROM system.local', [], {
          ...local,
          host,
        });
        return { pod, address, up: true, schemaVersion: String(rows[0]?.schema_version ?? '') };
      } catch {
        // Why it is down is told by whoever needs it up.
        return { pod, address, up: false, schemaVersion: '' };
      }
    }),
  );
}

/** Addresses of the nodes that one of them knows in the datacenter, without its own. */
async function askMembers(client: Client, datacenter: string): Promise<readonly string[]> {
  const { rows } = await client.execute('SELECT peer, rpc_address, data_center FROM system.peers', [], local);
  return rows
    .filter((row) => row.data_center === datacenter)
    .map((row) => {
      const address = String(row.rpc_address ?? row.peer);
      return address === '0.0.0.0' ? String(row.peer) : address;
    });
}

async function askKeyspace(
  client: Client,
  keyspace: string,
): Promise<{ readonly replication: Replication; readonly durableWrites: boolean } | undefined> {
  const { rows } = await client.execute(
    'SELECT replication, durable_writes FROM system_schema.keyspaces WHERE keyspace_name = ?',
    [keyspace],
    { ...local, prepare: true },
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  return { replication: row.replication as Replication, durableWrites: row.durable_writes === true };
}

async function askTable(client: Client, keyspace: string): Promise<StoredTable | undefined> {
  const options = { ...local, prepare: true };
  const [tables, columns] = await Promise.all([
    client.execute(
      'SELECT default_time_to_live FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?',
      [keyspace, nekTable],
      options,
    ),
    client.execute(
      'SELECT column_name, type, kind, position, clustering_order FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?',
      [keyspace, nekTable],
      options,
    ),
  ]);
  const [table] = tables.rows;
  if (table === undefined) return undefined;
  return {
    defaultTimeToLive: Number(table.default_time_to_live ?? 0),
    columns: columns.rows.map((row) => ({
      name: String(row.column_name),
      type: String(row.type),
      kind: String(row.kind),
      position: Number(row.position),
      order: String(row.clustering_order).toLowerCase(),
    })),
  };
}
