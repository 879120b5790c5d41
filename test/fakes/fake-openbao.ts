import type { Secret } from '../../src/engine/secret.ts';
import type { OpenBaoNode, OpenBaoPod, OpenBaoWriter, RaftPeer } from '../../src/services/openbao.ts';
import { OpenBaoError } from '../../src/services/openbao.ts';

/** OpenBao pods whose state a test sets; a pod without a node does not answer. */
export class FakeOpenBao implements OpenBaoWriter {
  readonly nodes = new Map<string, Partial<OpenBaoNode> | 'hangs'>();
  peers: readonly RaftPeer[] = [];
  readonly stepDowns: { readonly pod: string; readonly token: Secret }[] = [];
  onStepDown: (pod: string) => void = () => undefined;

  async node(pod: OpenBaoPod, signal: AbortSignal): Promise<OpenBaoNode> {
    const node = this.nodes.get(pod.pod);
    if (node === 'hangs')
      return await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(refused('stopped')), { once: true });
      });
    if (node === undefined) throw refused(`${pod.pod}: connection refused`);
    return {
      pod: pod.pod,
      initialized: true,
      sealed: false,
      version: '2.4.0',
      active: false,
      leaderAddress: 'http://10.0.0.1:8200',
      raftCommittedIndex: 100,
      raftAppliedIndex: 100,
      serverTime: 1,
      ...node,
    };
  }

  async raftPeers(): Promise<readonly RaftPeer[]> {
    if (this.peers.length === 0)
      throw new OpenBaoError('permission denied', { status: 403, outcome: 'not-applied', retryable: false });
    return this.peers;
  }

  async stepDown(pod: OpenBaoPod, token: Secret): Promise<void> {
    this.stepDowns.push({ pod: pod.pod, token });
    this.onStepDown(pod.pod);
  }
}

function refused(message: string): OpenBaoError {
  return new OpenBaoError(message, { outcome: 'not-applied', retryable: true });
}
