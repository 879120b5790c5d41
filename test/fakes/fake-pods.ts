import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  KubernetesError,
  type KubernetesObject,
  type KubernetesReader,
} from '../../src/services/kubernetes.ts';

export interface FakePod {
  readonly name: string;
  readonly ip: string;
  /** 'Running' unless told. */
  readonly phase?: string;
  readonly deleting?: boolean;
}

/** Pods whose ports are reached by plain connections to an address of this machine, as a port-forward would. */
export class FakePods implements Pick<KubernetesReader, 'list' | 'portForward'> {
  pods: readonly FakePod[];
  /** Where a port of a pod is; a test may point it elsewhere, or fail. */
  reach: (pod: FakePod, port: number) => { readonly host: string; readonly port: number };
  lists = 0;
  readonly streams: Duplex[] = [];

  constructor(
    pods: readonly FakePod[],
    reach: (pod: FakePod, port: number) => { readonly host: string; readonly port: number },
  ) {
    this.pods = pods;
    this.reach = reach;
  }

  list: KubernetesReader['list'] = async (_kind, { namespace }) => {
    this.lists += 1;
    return this.pods.map((pod) => manifestOf(pod, namespace));
  };

  portForward: KubernetesReader['portForward'] = async ({ namespace, pod, port }) => {
    const found = this.pods.find(({ name }) => name === pod);
    if (found === undefined) throw unreachable(`pods "${pod}" not found in ${namespace}`);
    const at = this.reach(found, port);
    const stream = await new Promise<Duplex>((resolve, reject) => {
      const socket = connect(at.port, at.host, () => resolve(socket));
      socket.setNoDelay(true);
      socket.once('error', (cause) => reject(unreachable(cause.message)));
    });
    this.streams.push(stream);
    return stream;
  };
}

function unreachable(why: string): KubernetesError {
  return new KubernetesError(`Cannot reach the port: ${why}`, {
    reason: 'Unreachable',
    outcome: 'not-applied',
    retryable: true,
  });
}

function manifestOf(
  { name, ip, phase = 'Running', deleting = false }: FakePod,
  namespace = '',
): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid: `uid-${name}`,
      resourceVersion: '1',
      ...(deleting ? { deletionTimestamp: '2027-01-10T08:00:00Z' } : {}),
    },
    status: { phase, podIP: ip, podIPs: [{ ip }] },
  };
}
