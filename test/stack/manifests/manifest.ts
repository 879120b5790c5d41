import { createHash } from 'node:crypto';
import type { KubernetesObject } from '@kubernetes/client-node';

/** One object of the cluster, as it is sent to the API server. */
export interface Manifest extends KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  [field: string]: unknown;
}

/** A read-only piece of the machine inside a pod, at `mountPath`. */
export function hostMount(name: string, hostPath: string, mountPath = hostPath) {
  return { volume: { name, hostPath: { path: hostPath } }, mount: { name, mountPath, readOnly: true } };
}

/** A Service without a cluster address: there is no kube-proxy, and its name resolves to the pods themselves. */
export function service(
  name: string,
  namespace: string,
  selector: Record<string, string>,
  ports: Record<string, number>,
  publishNotReadyAddresses = false,
): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels: selector },
    spec: {
      clusterIP: 'None',
      selector,
      publishNotReadyAddresses,
      ports: Object.entries(ports).map(([portName, port]) => ({ name: portName, port, targetPort: port })),
    },
  };
}

/** A container that only waits, and ends at once when it is told to. */
export function waitingContainer(name: string, image: string, log = `${name} started`) {
  const script = `trap 'exit 0' TERM; echo '${log}'; while :; do sleep 3600 & wait $!; done`;
  return { name, image, imagePullPolicy: 'Never', command: ['/bin/sh', '-c', script] };
}

/** A ServiceAccount. */
export function serviceAccount(name: string, namespace: string): Manifest {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } };
}

/** A short name for some content: what carries it in a pod template rolls out when the content changes. */
export function contentHash(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 12);
}
