import type { KubernetesReader } from '../../services/kubernetes.ts';
import { OpenBaoError, type OpenBaoPod, type OpenBaoWriter } from '../../services/openbao.ts';
import { createOpenBao } from '../../services/openbao-http.ts';
import type { Caller } from '../connection.ts';
import type { Machine } from '../machine.ts';

/** The simulated OpenBao behind the same interface: the real client, over streams inside this process. */
export function sandboxOpenBao(
  machine: Machine,
  kubernetes: Pick<KubernetesReader, 'portForward' | 'get'>,
  caller: Caller,
): OpenBaoWriter {
  const client = createOpenBao({ kubernetes });
  const held = async <T>(work: () => Promise<T>): Promise<T> => {
    machine.clock.touch();
    const release = machine.clock.hold();
    try {
      return await work();
    } finally {
      release();
    }
  };
  /** A change, whose answer a fault may lose. */
  const change = async <T>(pod: OpenBaoPod, work: () => Promise<T>): Promise<T> => {
    const result = await held(work);
    if (machine.faults.take(caller.instance, 'answer') === undefined) return result;
    throw new OpenBaoError(`No answer from OpenBao pod ${pod.namespace}/${pod.pod}: the connection broke.`, {
      outcome: 'unknown',
      retryable: true,
    });
  };
  return {
    node: (pod, signal) => held(() => client.node(pod, signal)),
    raftPeers: (pod, token, signal) => held(() => client.raftPeers(pod, token, signal)),
    kvRead: (pod, at, token, signal) => held(() => client.kvRead(pod, at, token, signal)),
    kvMetadata: (pod, at, token, signal) => held(() => client.kvMetadata(pod, at, token, signal)),
    mount: (pod, path, token, signal) => held(() => client.mount(pod, path, token, signal)),
    capabilities: (pod, paths, token, signal) => held(() => client.capabilities(pod, paths, token, signal)),
    tokenInfo: (pod, token, signal) => held(() => client.tokenInfo(pod, token, signal)),
    async *raftSnapshot(pod, token, signal) {
      // Time stands still until all of it is there, whatever its reader does meanwhile.
      yield* await held(() => collect(client.raftSnapshot(pod, token, signal)));
    },
    snapshotProblem: (content) => held(() => client.snapshotProblem(content)),
    stepDown: (pod, token, signal) => change(pod, () => client.stepDown(pod, token, signal)),
    kvWrite: (pod, at, token, signal) => change(pod, () => client.kvWrite(pod, at, token, signal)),
    kvConfigure: (pod, at, token, signal) => change(pod, () => client.kvConfigure(pod, at, token, signal)),
    kvUndelete: (pod, at, token, signal) => change(pod, () => client.kvUndelete(pod, at, token, signal)),
    // Signing changes nothing that a lost answer could leave open.
    signJwt: (pod, at, token, signal) => held(() => client.signJwt(pod, at, token, signal)),
  };
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<readonly Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}
