import { StepError } from '../../engine/step-type.ts';
import type { Kind, KubernetesReader } from '../../services/kubernetes.ts';
import { kinds } from '../../services/kubernetes.ts';

function builtIn(group: string, plural: string, kind: string, namespaced = true): Kind {
  return { group, version: 'v1', plural, kind, namespaced };
}

const others: readonly Kind[] = [
  builtIn('', 'nodes', 'Node', false),
  builtIn('', 'persistentvolumes', 'PersistentVolume', false),
  builtIn('', 'persistentvolumeclaims', 'PersistentVolumeClaim'),
  builtIn('', 'serviceaccounts', 'ServiceAccount'),
  builtIn('', 'endpoints', 'Endpoints'),
  builtIn('', 'resourcequotas', 'ResourceQuota'),
  builtIn('', 'limitranges', 'LimitRange'),
  builtIn('batch', 'jobs', 'Job'),
  builtIn('batch', 'cronjobs', 'CronJob'),
  builtIn('networking.k8s.io', 'ingresses', 'Ingress'),
  builtIn('networking.k8s.io', 'networkpolicies', 'NetworkPolicy'),
  builtIn('policy', 'poddisruptionbudgets', 'PodDisruptionBudget'),
  builtIn('discovery.k8s.io', 'endpointslices', 'EndpointSlice'),
  builtIn('storage.k8s.io', 'storageclasses', 'StorageClass', false),
  builtIn('rbac.authorization.k8s.io', 'roles', 'Role'),
  builtIn('rbac.authorization.k8s.io', 'rolebindings', 'RoleBinding'),
  builtIn('rbac.authorization.k8s.io', 'clusterroles', 'ClusterRole', false),
  builtIn('rbac.authorization.k8s.io', 'clusterrolebindings', 'ClusterRoleBinding', false),
];

const known: readonly Kind[] = [...Object.values(kinds), ...others];

const shortNames: Readonly<Record<string, string>> = {
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
  pv: 'persistentvolumes',
  pvc: 'persistentvolumeclaims',
  sa: 'serviceaccounts',
  ep: 'endpoints',
  quota: 'resourcequotas',
  cj: 'cronjobs',
  ing: 'ingresses',
  netpol: 'networkpolicies',
  pdb: 'poddisruptionbudgets',
  sc: 'storageclasses',
};

/** A kind every cluster has, by any name an author may write; undefined for kinds of extensions. */
export function knownKind(written: string): Kind | undefined {
  const [first = '', ...rest] = written.toLowerCase().split('.');
  const name = shortNames[first] ?? first;
  const group = rest.join('.');
  return known.find(
    (kind) =>
      (kind.plural === name || kind.kind.toLowerCase() === name) && (group === '' || group === kind.group),
  );
}

/** 'deployments.apps', 'pods', 'httproutes.gateway.networking.k8s.io': for paths, access and messages, without asking a cluster. */
export function resourceName(written: string): string {
  const kind = knownKind(written);
  if (kind === undefined) return written.toLowerCase();
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
}

/** Group and plural for an access; of an extension's kind as written: 'plural.group'. */
export function groupResource(written: string): { readonly group: string; readonly resource: string } {
  const [resource = '', ...group] = resourceName(written).split('.');
  return { group: group.join('.'), resource };
}

/** The kind; asks the cluster only for kinds of extensions. */
export async function resolveKind(kubernetes: KubernetesReader, written: string): Promise<Kind> {
  return knownKind(written) ?? (await kubernetes.kind(written));
}

/** The kind of a manifest, checked against the cluster where it is not one that every cluster has. */
export async function kindOfManifest(
  kubernetes: KubernetesReader,
  apiVersion: string,
  kind: string,
): Promise<Kind> {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  const found = known.find((item) => item.kind === kind && item.group === group);
  if (found !== undefined) return found;
  const asked = await kubernetes.kind(group === '' ? kind : `${kind}.${group}`);
  if (asked.group !== group)
    throw new StepError('unknown-kind', `This cluster has no ${kind} in ${apiVersion}.`, {
      outcome: 'not-applied',
      hint: `It has ${asked.kind} in ${asked.group}/${asked.version}.`,
    });
  return asked;
}
