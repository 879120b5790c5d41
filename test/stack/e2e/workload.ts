import type { V1Deployment, V1Pod, V1ReplicaSet } from '@kubernetes/client-node';
import { type Connection, deleteObject, isSettled, listObjects, putObject, readObject } from '../api.ts';
import { image } from '../image-names.ts';
import { waitingContainer } from '../manifests/manifest.ts';
import { testLabel } from '../reset.ts';
import { waitFor } from '../shell.ts';

/** A small Deployment of our own, whose pods start and end at once. */
export interface Workload {
  readonly namespace: string;
  readonly name: string;
}

export async function createNamespace(admin: Connection, name: string): Promise<string> {
  const namespace = `${name}-${process.pid}`;
  const labels = { [testLabel]: 'namespace' };
  await putObject(admin, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } });
  return namespace;
}

export async function removeNamespace(admin: Connection, name: string): Promise<void> {
  await deleteObject(admin, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}

export async function createWorkload(
  admin: Connection,
  namespace: string,
  name: string,
  spec: { readonly replicas?: number; readonly minReadySeconds?: number } = {},
): Promise<Workload> {
  const labels = { app: name };
  await putObject(admin, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels },
    spec: {
      replicas: spec.replicas ?? 1,
      minReadySeconds: spec.minReadySeconds ?? 0,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              ...waitingContainer('main', image),
              env: [{ name: 'COLOR', value: 'blue' }],
              readinessProbe: { exec: { command: ['/bin/true'] }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  });
  await settled(admin, { namespace, name });
  return { namespace, name };
}

export async function settled(admin: Connection, workload: Workload): Promise<V1Deployment> {
  return waitFor(
    async () => {
      const found = await deployment(admin, workload);
      const pods = await podsOf(admin, workload);
      return isSettled(found) && pods.length === found.spec?.replicas && found;
    },
    { what: `${workload.name} to settle`, seconds: 180 },
  );
}

export async function deployment(admin: Connection, { namespace, name }: Workload): Promise<V1Deployment> {
  const found = await readObject(admin, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
  });
  if (found === undefined) throw new Error(`there is no Deployment ${namespace}/${name}`);
  return found as V1Deployment;
}

/** Its pods, those included that are on their way out. */
export async function podsOf(admin: Connection, { namespace, name }: Workload): Promise<V1Pod[]> {
  const pods = await listObjects<V1Pod>(admin, 'v1', 'Pod', namespace);
  return pods.filter(({ metadata }) => metadata?.labels?.app === name);
}

/** Revisions of a Deployment, oldest first. */
export async function revisionsOf(
  admin: Connection,
  { namespace, name }: Workload,
): Promise<readonly V1ReplicaSet[]> {
  const all = await listObjects<V1ReplicaSet>(admin, 'apps/v1', 'ReplicaSet', namespace);
  return all
    .filter(({ metadata }) => metadata?.ownerReferences?.some((owner) => owner.name === name))
    .sort((a, b) => revision(a) - revision(b));
}

export function revision({ metadata }: V1ReplicaSet): number {
  return Number(metadata?.annotations?.['deployment.kubernetes.io/revision'] ?? 0);
}

/** What a person would compare: replicas, and the pod template without the marks of who rolled it out when. */
export function shapeOf({ spec }: V1Deployment) {
  const template = structuredClone(spec?.template);
  delete template?.metadata?.annotations?.['runbook.io/op'];
  delete template?.metadata?.annotations?.['kubectl.kubernetes.io/restartedAt'];
  return {
    replicas: spec?.replicas,
    annotations: template?.metadata?.annotations ?? {},
    containers: template?.spec?.containers,
  };
}
