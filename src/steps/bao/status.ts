import { Secret } from '../../engine/secret.ts';
import type { ReadContext, ReadStepType } from '../../engine/step-type.ts';
import type { BaoStatusOutputs, BaoStatusWith } from '../../generated/types.ts';
import type { RaftPeer } from '../../services/openbao.ts';
import { OpenBaoError } from '../../services/openbao.ts';
import { portForwardAccess } from '../pod-access.ts';
import type { Asked } from './nodes.ts';
import { activeOf, askEvery, baoResources, targetProblems } from './nodes.ts';

type Pod = BaoStatusOutputs['pods'][number];

export const status: ReadStepType<BaoStatusWith, BaoStatusOutputs> = {
  type: 'bao.status',
  effect: 'read',
  timeout: 60_000,
  describe: (input) => `ask every OpenBao pod in ${input.namespace} whether it is unsealed`,
  resources: (input) => baoResources(input, 'read'),
  access: (input) => [
    ...portForwardAccess(input.namespace),
    ...(input.token === undefined
      ? []
      : ([{ system: 'openbao', path: 'sys/storage/raft/configuration', capabilities: ['read'] }] as const)),
  ],
  check: targetProblems,

  async run(input, ctx) {
    const asked = await askEvery(ctx, input);
    const active = activeOf(asked);
    const peers = await peersOf(ctx, input.token, active);
    const committed = Math.max(-1, ...asked.map(({ node }) => node?.raftCommittedIndex ?? -1));
    const pods = asked.map((item) => podOf(item, { peers, committed, maxLag: input.maxLag ?? 10 }));
    const unsealed = pods.filter((pod) => !pod.sealed).length;
    const voters = peers?.filter((peer) => peer.voter).length ?? 0;
    const sound = pods.every((pod) => pod.initialized && !pod.sealed && pod.caughtUp);
    // Peers that carry addresses only cannot be told apart; their number can.
    const named = pods.some((pod) => pod.voter);
    const agreed =
      peers === undefined || (voters === pods.length && (!named || pods.every((pod) => pod.voter)));
    return {
      pods,
      count: pods.length,
      sealed: pods.length - unsealed,
      unsealed,
      active: active?.pod.pod ?? '',
      votersKnown: peers !== undefined,
      voters,
      healthy: sound && agreed && active !== undefined,
      summary: `${unsealed} of ${pods.length} unsealed, ${active === undefined ? 'none active' : `${active.pod.pod} active`}`,
    };
  },
};

// A token that may not ask, or a leader that just went away, leaves the voters unknown; they are never guessed.
async function peersOf(
  ctx: ReadContext,
  token: unknown,
  active: Asked | undefined,
): Promise<readonly RaftPeer[] | undefined> {
  if (token === undefined || active === undefined) return undefined;
  const secret = token instanceof Secret ? token : Secret.fromText('token', String(token));
  try {
    return await ctx.services.openbao.raftPeers(active.pod, secret, ctx.signal);
  } catch (error) {
    if (!(error instanceof OpenBaoError)) throw error;
    ctx.progress({ text: `the raft voters are not known: ${error.message}` });
    return undefined;
  }
}

// A node's id is its pod's name where the chart says so, else an arbitrary one; its address begins with the pod's name.
function isPeer(peer: RaftPeer, pod: string): boolean {
  return peer.id === pod || /^[^.:]+/.exec(peer.address.replace(/^https?:\/\//, ''))?.[0] === pod;
}

function podOf(
  { pod, node, error }: Asked,
  raft: {
    readonly peers: readonly RaftPeer[] | undefined;
    readonly committed: number;
    readonly maxLag: number;
  },
): Pod {
  const applied = node?.raftAppliedIndex ?? -1;
  const sealed = node?.sealed ?? true;
  return {
    name: pod.pod,
    reachable: node !== undefined,
    error,
    initialized: node?.initialized ?? false,
    sealed,
    version: node?.version ?? '',
    active: node?.active === true && !sealed,
    voter: raft.peers?.some((peer) => peer.voter && isPeer(peer, pod.pod)) ?? false,
    appliedIndex: applied,
    committedIndex: node?.raftCommittedIndex ?? -1,
    caughtUp: !sealed && applied >= 0 && applied + raft.maxLag >= raft.committed,
  };
}
