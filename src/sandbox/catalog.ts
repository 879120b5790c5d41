import type { Kind } from '../services/kubernetes.ts';
import { kinds } from '../services/kubernetes.ts';
import { ApiFailure } from './api-error.ts';

function more(group: string, version: string, name: { plural: string; kind: string; cluster?: true }): Kind {
  return { group, version, plural: name.plural, kind: name.kind, namespaced: name.cluster !== true };
}

/** Kinds that the cluster serves besides those of the service interface. */
export const otherKinds = {
  nodes: more('', 'v1', { plural: 'nodes', kind: 'Node', cluster: true }),
  serviceAccounts: more('', 'v1', { plural: 'serviceaccounts', kind: 'ServiceAccount' }),
  endpoints: more('', 'v1', { plural: 'endpoints', kind: 'Endpoints' }),
  persistentVolumeClaims: more('', 'v1', { plural: 'persistentvolumeclaims', kind: 'PersistentVolumeClaim' }),
  resourceQuotas: more('', 'v1', { plural: 'resourcequotas', kind: 'ResourceQuota' }),
  jobs: more('batch', 'v1', { plural: 'jobs', kind: 'Job' }),
  podDisruptionBudgets: more('policy', 'v1', { plural: 'poddisruptionbudgets', kind: 'PodDisruptionBudget' }),
  endpointSlices: more('discovery.k8s.io', 'v1', { plural: 'endpointslices', kind: 'EndpointSlice' }),
  roles: more('rbac.authorization.k8s.io', 'v1', { plural: 'roles', kind: 'Role' }),
  roleBindings: more('rbac.authorization.k8s.io', 'v1', { plural: 'rolebindings', kind: 'RoleBinding' }),
  networkPolicies: more('networking.k8s.io', 'v1', { plural: 'networkpolicies', kind: 'NetworkPolicy' }),
  customResourceDefinitions: more('apiextensions.k8s.io', 'v1', {
    plural: 'customresourcedefinitions',
    kind: 'CustomResourceDefinition',
    cluster: true,
  }),
  gateways: more('gateway.networking.k8s.io', 'v1', { plural: 'gateways', kind: 'Gateway' }),
} as const;

/** Everything that the API server serves. */
export const served: readonly Kind[] = [...Object.values(kinds), ...Object.values(otherKinds)];

/** Short name → plural. */
export const shortNames: Readonly<Record<string, string>> = {
  po: 'pods',
  svc: 'services',
  ev: 'events',
  cm: 'configmaps',
  ns: 'namespaces',
  deploy: 'deployments',
  sts: 'statefulsets',
  ds: 'daemonsets',
  rs: 'replicasets',
  hpa: 'horizontalpodautoscalers',
  no: 'nodes',
  sa: 'serviceaccounts',
  ep: 'endpoints',
  pvc: 'persistentvolumeclaims',
  quota: 'resourcequotas',
  pdb: 'poddisruptionbudgets',
  netpol: 'networkpolicies',
  crd: 'customresourcedefinitions',
  crds: 'customresourcedefinitions',
  gtw: 'gateways',
};

/** The kind of a manifest. */
export function kindOfManifest(apiVersion: string, kindName: string): Kind {
  const found = served.find((kind) => apiVersionOf(kind) === apiVersion && kind.kind === kindName);
  if (found !== undefined) return found;
  throw new ApiFailure(404, 'NotFound', `no matches for kind "${kindName}" in version "${apiVersion}"`);
}

export function apiVersionOf(kind: Kind): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}
