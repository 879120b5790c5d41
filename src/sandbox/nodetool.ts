import { schemaOf } from './nek-store/keyspaces.ts';
import { type RingNode, ringIn } from './nek-store/ring.ts';
import type { Pod } from './objects.ts';
import type { World } from './world.ts';

export interface NodetoolResult {
  readonly code: number;
  readonly out?: string;
  readonly err?: string;
}

interface Call {
  readonly world: World;
  readonly self: RingNode;
  readonly ring: readonly RingNode[];
  readonly words: readonly string[];
}

const HEAD = ['Status=Up/Down', '|/ State=Normal/Leaving/Joining/Moving'];
const TABLE_BYTES = 1024;

function out(...lines: readonly string[]): NodetoolResult {
  return { code: 0, out: `${lines.join('\n')}\n` };
}

/** In columns as wide as their widest cell. */
function columns(rows: readonly (readonly string[])[], gap: string): readonly string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)));
  return rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(gap));
}

function status({ ring }: Call): NodetoolResult {
  const rows = ring.map(({ up, address, hostId }) => [
    up ? 'UN' : 'DN',
    address,
    '1.21 MiB',
    '8',
    '100.0%',
    hostId,
    'rack1',
  ]);
  const names = ['--', 'Address', 'Load', 'Tokens', 'Owns (effective)', 'Host ID', 'Rack'];
  return out('Datacenter: ncp', '===============', ...HEAD, ...columns([names, ...rows], '  '), '');
}

function describeCluster({ world, ring }: Call): NodetoolResult {
  const up = ring.filter((node) => node.up);
  const down = ring.filter((node) => !node.up);
  const versions = [...new Set(up.map(({ schemaVersion }) => schemaVersion))];
  const list = (nodes: readonly RingNode[]) => `[${nodes.map(({ address }) => address).join(', ')}]`;
  const { replicationFactor } = world.cassandra.schema;
  return out(
    'Cluster Information:',
    '\tName: cassandra',
    '\tSnitch: org.apache.cassandra.locator.GossipingPropertyFileSnitch',
    '\tDynamicEndPointSnitch: enabled',
    '\tPartitioner: org.apache.cassandra.dht.Murmur3Partitioner',
    '\tSchema versions:',
    ...versions.map(
      (version) => `\t\t${version}: ${list(up.filter((node) => node.schemaVersion === version))}\n`,
    ),
    ...(down.length === 0 ? [] : [`\t\tUNREACHABLE: ${list(down)}\n`]),
    'Stats for all nodes:',
    `\tLive: ${up.length}`,
    '\tJoining: 0',
    '\tMoving: 0',
    '\tLeaving: 0',
    `\tUnreachable: ${down.length}`,
    '',
    'Data Centers: ',
    `\tncp #Nodes: ${ring.length} #Down: ${down.length}`,
    '',
    'Keyspaces:',
    '\tsystem_traces -> Replication class: SimpleStrategy {replication_factor=2}',
    ...schemaOf(world).map(
      ({ keyspace }) =>
        `\t${keyspace} -> Replication class: NetworkTopologyStrategy {ncp=${replicationFactor}}`,
    ),
    '\tsystem -> Replication class: LocalStrategy {}',
    '',
  );
}

/** '-t look -- ess_api' as a tag and keyspaces. */
function tagged(words: readonly string[]): { readonly tag: string; readonly keyspaces: readonly string[] } {
  const [, flag = '', tag = '', ...rest] = words;
  return { tag: flag === '-t' ? tag : '', keyspaces: rest.filter((word) => word !== '--') };
}

function snapshot({ world, self, words }: Call): NodetoolResult {
  const { tag, keyspaces } = tagged(words);
  const which = keyspaces.length === 0 ? 'all keyspaces' : keyspaces.join(', ');
  const asked = `Requested creating snapshot(s) for [${which}] with snapshot name [${tag}] and options {skipFlush=false}`;
  const known = schemaOf(world);
  const missing = keyspaces.find((name) => !known.some(({ keyspace }) => keyspace === name));
  if (missing !== undefined)
    return {
      code: 1,
      out: `${asked}\nnodetool: Keyspace ${missing} does not exist\nSee 'nodetool help' or 'nodetool help <command>'.\n`,
    };
  const taken = world.cassandra.snapshots.get(self.pod) ?? [];
  if (taken.some((each) => each.tag === tag))
    return { code: 2, out: `${asked}\n`, err: `error: Snapshot ${tag} already exists.\n-- StackTrace --\n` };
  const chosen =
    keyspaces.length === 0 ? known : known.filter(({ keyspace }) => keyspaces.includes(keyspace));
  const tables = chosen.flatMap(({ keyspace, tables: all }) => all.map((table) => `${keyspace}.${table}`));
  world.cassandra.snapshots.set(self.pod, [...taken, { tag, at: world.timeline.now, tables }]);
  return out(asked, `Snapshot directory: ${tag}`);
}

function clearSnapshot({ world, self, words }: Call): NodetoolResult {
  const { tag } = tagged(words);
  const left = (world.cassandra.snapshots.get(self.pod) ?? []).filter((each) => each.tag !== tag);
  world.cassandra.snapshots.set(self.pod, left);
  return out(`Requested clearing snapshot(s) for [all keyspaces] with snapshot name [${tag}]`);
}

function listSnapshots({ world, self }: Call): NodetoolResult {
  const taken = world.cassandra.snapshots.get(self.pod) ?? [];
  if (taken.length === 0) return out('Snapshot Details: ', 'There are no snapshots');
  const size = `${TABLE_BYTES / 1024} KiB`;
  const rows = taken.flatMap(({ tag, at, tables }) =>
    tables.map((name) => [tag, ...name.split('.'), size, size, new Date(at).toISOString(), '']),
  );
  const names = [
    'Snapshot name',
    'Keyspace name',
    'Column family name',
    'True size',
    'Size on disk',
    'Creation time',
    'Expiration time',
  ];
  return out(
    'Snapshot Details: ',
    ...columns([names, ...rows], ' '),
    '',
    'Total TrueDiskSpaceUsed: 0 bytes',
    '',
  );
}

const commands: Readonly<Record<string, (call: Call) => NodetoolResult>> = {
  status,
  describecluster: describeCluster,
  flush: () => ({ code: 0 }),
  snapshot,
  clearsnapshot: clearSnapshot,
  listsnapshots: listSnapshots,
  version: () => out('ReleaseVersion: 5.0.8'),
};

/** `nodetool` in a Cassandra pod. A server that does not answer yet, or was stopped, has nobody listening. */
export function nodetool(world: World, pod: Pod, words: readonly string[]): NodetoolResult {
  const ring = ringIn(world, pod.metadata.namespace ?? '');
  const self = ring.find((node) => node.pod === pod.metadata.name);
  if (self?.up !== true)
    return {
      code: 1,
      err: "nodetool: Failed to connect to '127.0.0.1:7199' - ConnectException: 'Connection refused (Connection refused)'.\n",
    };
  const command = commands[words[0] ?? ''];
  if (command === undefined)
    return {
      code: 1,
      out: `nodetool: Found unexpected parameters: [${words[0] ?? ''}]\nSee 'nodetool help' or 'nodetool help <command>'.\n`,
    };
  return command({ world, self, ring, words });
}
