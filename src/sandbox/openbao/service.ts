import type { KubernetesReader } from '../../services/kubernetes.ts';
import { OpenBaoError, type OpenBaoWriter } from '../../services/openbao.ts';
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
  return {
    node: (pod, signal) => held(() => client.node(pod, signal)),
    raftPeers: (pod, token, signal) => held(() => client.raftPeers(pod, token, signal)),
    stepDown: async (pod, token, signal) => {
      await held(() => client.stepDown(pod, token, signal));
      if (machine.faults.take(caller.instance, 'answer') === undefined) return;
      throw new OpenBaoError(
        `No answer from OpenBao pod ${pod.namespace}/${pod.pod}: the connection broke.`,
        {
          outcome: 'unknown',
          retryable: true,
        },
      );
    },
  };
}
