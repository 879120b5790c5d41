import type { Pod } from '../objects.ts';
import type { World } from '../world.ts';
import { seal, stepDown } from './cluster.ts';
import { isRootToken, nodeView, peersView } from './view.ts';

interface Call {
  readonly pod: Pod;
  readonly words: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly stdin: string;
}

interface Result {
  readonly code: number;
  readonly out?: string;
  readonly err?: string;
}

const DENIED: Result = {
  code: 2,
  err: 'Error: permission denied\n\nCode: 403. Errors:\n\n* permission denied\n',
};

function table(rows: readonly (readonly [string, string])[]): string {
  const lines = rows.map(([key, value]) => `${key.padEnd(24)}${value}`);
  return `${['Key                     Value', '---                     -----', ...lines].join('\n')}\n`;
}

function status(world: World, call: Call, asJson: boolean): Result {
  const { namespace = '', name } = call.pod.metadata;
  const node = nodeView(world, namespace, name);
  if (node === undefined)
    return {
      code: 1,
      err: 'Error checking seal status: Get "http://127.0.0.1:8200/v1/sys/seal-status": dial tcp 127.0.0.1:8200: connect: connection refused\n',
    };
  const code = node.sealed ? 2 : 0;
  const shared = {
    type: 'shamir',
    initialized: true,
    sealed: node.sealed,
    t: 1,
    n: 1,
    progress: 0,
    version: node.version,
    storage_type: 'raft',
    ha_enabled: true,
  };
  if (asJson) {
    const ha = node.sealed
      ? {}
      : {
          is_self: node.active,
          leader_address: node.leaderAddress ?? '',
          raft_committed_index: node.raftCommittedIndex,
          raft_applied_index: node.raftAppliedIndex,
        };
    return { code, out: `${JSON.stringify({ ...shared, ...ha }, undefined, 2)}\n` };
  }
  const rows: (readonly [string, string])[] = [
    ['Seal Type', 'shamir'],
    ['Initialized', 'true'],
    ['Sealed', String(node.sealed)],
    ['Total Shares', '1'],
    ['Threshold', '1'],
    ['Version', node.version],
    ['Storage Type', 'raft'],
    ['HA Enabled', 'true'],
  ];
  if (!node.sealed) {
    rows.push(['HA Mode', node.active ? 'active' : 'standby']);
    rows.push(
      ['Raft Committed Index', String(node.raftCommittedIndex)],
      ['Raft Applied Index', String(node.raftAppliedIndex)],
    );
  }
  return { code, out: table(rows) };
}

/** `bao` in an OpenBao pod: `status`, `operator raft list-peers`, `operator step-down`, `operator seal`. */
export function bao(world: World, call: Call): Result {
  const words = call.words.filter((word) => !word.startsWith('-'));
  const asJson = call.words.some((word) => /^-{1,2}format=json$/.test(word));
  const { namespace = '', name } = call.pod.metadata;
  if (words[0] === 'version') return { code: 0, out: 'OpenBao v2.5.5\n' };
  if (words[0] === 'status') return status(world, call, asJson);
  const token = call.env.get('BAO_TOKEN') ?? call.env.get('VAULT_TOKEN') ?? '';
  const line = words.join(' ');
  const node = nodeView(world, namespace, name);
  const cluster = world.openbao.get(namespace);
  if (node === undefined || cluster === undefined) return { code: 2, err: 'Error: connection refused\n' };
  if (node.sealed)
    return { code: 2, err: 'Error: Vault is sealed\n\nCode: 503. Errors:\n\n* Vault is sealed\n' };
  if (!/^operator (raft list-peers|step-down|seal)$/.test(line))
    return { code: 127, err: `Usage: bao <command> [args]; unknown command: ${line}\n` };
  if (!isRootToken(world, namespace, token)) return DENIED;
  if (line === 'operator step-down') {
    if (cluster.leader !== undefined) stepDown(world, namespace, cluster.leader);
    return { code: 0, out: `Success! Stepped down: ${name}\n` };
  }
  if (line === 'operator seal') {
    seal(world, namespace, name);
    return { code: 0, out: 'Success! Vault is sealed.\n' };
  }
  const peers = peersView(cluster);
  if (asJson) {
    const servers = peers.map(({ id, address, leader, voter }) => ({
      node_id: id,
      address,
      leader,
      protocol_version: '3',
      voter,
    }));
    return { code: 0, out: `${JSON.stringify({ data: { config: { servers } } }, undefined, 2)}\n` };
  }
  const rows = peers.map(
    ({ id, address, leader }) => `${id}    ${address}    ${leader ? 'leader' : 'follower'}    true\n`,
  );
  return {
    code: 0,
    out: `Node    Address    State    Voter\n----    -------    -----    -----\n${rows.join('')}`,
  };
}
