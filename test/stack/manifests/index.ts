import type { Manifest } from './manifest.ts';
import { installed, releases } from './releases.ts';

/** Namespaces of the control plane. */
export const namespaces = [
  'nvcf',
  'sis',
  'api-keys',
  'ess',
  'nats-system',
  'vault-system',
  'cassandra-system',
  'nvca-operator',
  'envoy-gateway-system',
  'envoy-gateway',
];

/** Everything that the cluster holds after `up`, but for what Helm keeps about its releases. */
export function seed(): Manifest[] {
  return [...platform(), ...releases().flatMap(installed)];
}

/** What is there before the first release is installed. */
export function platform(): Manifest[] {
  return [...namespaces.map(namespace), ...nameService()];
}

function namespace(name: string): Manifest {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'nvcf/platform': 'true' } } };
}

/** What CoreDNS, which runs outside the cluster, may read. */
function nameService(): Manifest[] {
  const api = 'rbac.authorization.k8s.io';
  const verbs = ['list', 'watch'];
  return [
    {
      apiVersion: `${api}/v1`,
      kind: 'ClusterRole',
      metadata: { name: 'runbook-stack:coredns' },
      rules: [
        { apiGroups: [''], resources: ['services', 'pods', 'namespaces'], verbs },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs },
      ],
    },
    {
      apiVersion: `${api}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'runbook-stack:coredns' },
      roleRef: { apiGroup: api, kind: 'ClusterRole', name: 'runbook-stack:coredns' },
      subjects: [{ apiGroup: api, kind: 'User', name: 'system:coredns' }],
    },
  ];
}
