import { OpenBaoError, type OpenBaoNode, type RaftPeer } from './openbao.ts';
import type { Body } from './openbao-transport.ts';

/** One node from its seal status, its health and its leader. */
export function toNode(
  pod: string,
  { seal, health, leader }: { readonly seal: Body; readonly health: Body; readonly leader: Body },
): OpenBaoNode {
  const sealed = seal.sealed === true;
  const address = textOf(leader.leader_address);
  return {
    pod,
    initialized: seal.initialized === true,
    sealed,
    version: textOf(seal.version) ?? '',
    active: !sealed && leader.is_self === true,
    leaderAddress: sealed ? undefined : address,
    raftCommittedIndex: numberOf(leader.raft_committed_index),
    raftAppliedIndex: numberOf(leader.raft_applied_index),
    serverTime: numberOf(health.server_time_utc),
  };
}

export function toPeers(body: Body, place: string): readonly RaftPeer[] {
  const servers = ((body.data as Body | undefined)?.config as Body | undefined)?.servers;
  if (!Array.isArray(servers)) {
    throw new OpenBaoError(`${place} told no raft configuration. — Does it store its data in raft?`, {
      outcome: 'not-applied',
      retryable: false,
    });
  }
  return servers.map((server: Body) => ({
    id: textOf(server.node_id) ?? '',
    address: textOf(server.address) ?? '',
    leader: server.leader === true,
    voter: server.voter === true,
  }));
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
