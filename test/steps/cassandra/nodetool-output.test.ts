import { describe, expect, test } from 'vitest';
import {
  nodetoolProblem,
  parseCluster,
  parseSnapshots,
  parseStatus,
} from '../../../src/steps/cassandra/nodetool-output.ts';
import { clusterText, hosts, oneUnreachable, statusText } from '../../fakes/nodetool.ts';

describe('nodetool status', () => {
  test('in two datacenters, with nodes whose load and share nobody knows, and long addresses', () => {
    const text = `Datacenter: ncp
===============
Status=Up/Down
|/ State=Normal/Leaving/Joining/Moving
--  Address              Load      Tokens  Owns  Host ID                               Rack
UN  fd00:10:244::17      1.2 GiB   8       ?     ${hosts[0]}  rack1
DN  10.0.0.2             ?         8       ?     ${hosts[1].toUpperCase()}  rack1

Datacenter: other
=================
Status=Up/Down
|/ State=Normal/Leaving/Joining/Moving
--  Address              Load      Tokens  Owns  Host ID                               Rack
UJ  10.1.0.1             99 bytes  8       ?     ${hosts[2]}  rack2

Note: Non-system keyspaces don't have the same replication settings, effective ownership information is meaningless
`;
    const rest = { owns: '' };
    expect(parseStatus(text)).toEqual([
      {
        ...rest,
        state: 'UN',
        address: 'fd00:10:244::17',
        datacenter: 'ncp',
        hostId: hosts[0],
        rack: 'rack1',
      },
      { ...rest, state: 'DN', address: '10.0.0.2', datacenter: 'ncp', hostId: hosts[1], rack: 'rack1' },
      { ...rest, state: 'UJ', address: '10.1.0.1', datacenter: 'other', hostId: hosts[2], rack: 'rack2' },
    ]);
  });

  test.each([
    ['nothing', ''],
    [
      'a node that is still starting',
      'Error: No nodes present in the cluster. Has this node finished starting up?\n',
    ],
    ['a member without a host ID', statusText().replace(hosts[1], 'null')],
    ['a line that was cut off', statusText().slice(0, statusText().indexOf(hosts[2]) + 8)],
    ['no datacenter', statusText().replace('Datacenter: ncp\n', '')],
  ])('%s is no ring', (_, text) => {
    expect(parseStatus(text)).toBeUndefined();
  });
});

describe('nodetool describecluster', () => {
  test('keeps schema versions and copies by datacenter', () => {
    const view = parseCluster(clusterText({ versions: oneUnreachable }));
    expect(view?.name).toBe('cassandra');
    expect([...(view?.schemas ?? [])]).toEqual([
      ['38b60d78-da2b-3ee7-87a8-99812cebb257', ['10.88.1.1', '10.88.1.20']],
    ]);
    expect(view?.unreachable).toEqual(['10.88.1.21']);
    expect(view?.keyspaces.map(({ keyspace, copies }) => [keyspace, [...copies]])).toEqual([
      ['system_traces', [['', 2]]],
      ['system_distributed', [['', 3]]],
      ['system_auth', [['ncp', 3]]],
      ['ess_api', [['ncp', 3]]],
      ['system_schema', []],
      ['system', []],
    ]);
    expect(parseCluster('Cluster Information:\n\tName: cassandra\n')).toBeUndefined();
  });
});

describe('nodetool listsnapshots', () => {
  const head =
    'Snapshot Details: \nSnapshot name Keyspace name Column family name True size Size on disk Creation time Expiration time\n';

  test('tells tags, tables and bytes on disk', () => {
    const text = `${head}a-1.b         ess_api       namespaces                  1.48 KiB  8.18 KiB     2026-11-24T18:36:57.503Z                
a-1.b         system        paxos                       110 bytes 3 GiB        2026-11-24T18:36:57.503Z                

Total TrueDiskSpaceUsed: 0 bytes
`;
    expect(parseSnapshots(text)).toEqual([
      { tag: 'a-1.b', keyspace: 'ess_api', table: 'namespaces', bytes: 8376 },
      { tag: 'a-1.b', keyspace: 'system', table: 'paxos', bytes: 3 * 1024 ** 3 },
    ]);
  });

  test('tells none from nothing understood', () => {
    expect(parseSnapshots('Snapshot Details: \nThere are no snapshots\n')).toEqual([]);
    expect(parseSnapshots('')).toBeUndefined();
    expect(parseSnapshots('something else\n')).toBeUndefined();
  });
});

test('a failure is told in the words of nodetool, without its stack trace', () => {
  expect(
    nodetoolProblem(2, 'Requested …\n', 'error: Snapshot x already exists.\n-- StackTrace --\njava.io\n'),
  ).toBe('exit code 2: Snapshot x already exists.');
  expect(nodetoolProblem(1, 'asked\nnodetool: Keyspace x does not exist\nSee …\n', '')).toBe(
    'exit code 1: Keyspace x does not exist',
  );
  expect(nodetoolProblem(137, '', '')).toBe('exit code 137');
});
