import {
  ApiException,
  CoreV1Api,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  type V1Deployment,
  type V1Pod,
  type V1StatefulSet,
} from '@kubernetes/client-node';
import { kubeconfigOf } from './certificates.ts';
import type { Manifest } from './manifests/manifest.ts';

/** A workload that has replicas. */
export type Workload = V1Deployment | V1StatefulSet;

/** Clients of one identity. The stack's own calls are not in the audit log. */
export function connect(kubeconfigFile = kubeconfigOf('stack')) {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigFile);
  return {
    config,
    objects: KubernetesObjectApi.makeApiClient(config),
    core: config.makeApiClient(CoreV1Api),
  };
}

export type Connection = ReturnType<typeof connect>;

/** The object as it is in the cluster, or undefined if there is none. */
export async function readObject({ objects }: Connection, { apiVersion, kind, metadata }: Manifest) {
  try {
    return await objects.read<KubernetesObject>({ apiVersion, kind, metadata: header(metadata) });
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

/** Makes the object in the cluster equal to the manifest: what others added to it goes. */
export async function putObject(connection: Connection, manifest: Manifest): Promise<void> {
  for (;;) {
    const present = await readObject(connection, manifest);
    try {
      if (present === undefined) await connection.objects.create(manifest);
      else await connection.objects.replace(withVersion(manifest, present));
      return;
    } catch (error) {
      // A field that cannot be changed makes a new object necessary; 409 means that somebody was faster.
      if (present !== undefined && isStatus(error, 422)) await deleteObject(connection, manifest);
      else if (!isStatus(error, 409)) throw error;
    }
  }
}

/** Deletes an object if it is there. */
export async function deleteObject({ objects }: Connection, manifest: Manifest): Promise<void> {
  try {
    await objects.delete(manifest, undefined, undefined, undefined, undefined, 'Background');
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
  }
}

/** All objects of one kind, in one namespace or everywhere. */
export async function listObjects<T extends KubernetesObject>(
  { objects }: Connection,
  apiVersion: string,
  kind: string,
  namespace?: string,
): Promise<T[]> {
  return (await objects.list<T>(apiVersion, kind, namespace)).items;
}

/** All Deployments and StatefulSets of the cluster. */
export async function listWorkloads(connection: Connection): Promise<Workload[]> {
  const kinds = ['Deployment', 'StatefulSet'] as const;
  const lists = await Promise.all(kinds.map((kind) => listObjects<Workload>(connection, 'apps/v1', kind)));
  return lists.flat();
}

/** Has the workload its wanted number of ready pods, all of them (but for `OnDelete`) of its newest template? */
export function isSettled({ metadata, spec, status }: Workload): boolean {
  const wanted = spec?.replicas ?? 1;
  const onDelete = spec !== undefined && 'updateStrategy' in spec && spec.updateStrategy?.type === 'OnDelete';
  return (
    status?.observedGeneration === metadata?.generation &&
    (status?.readyReplicas ?? 0) === wanted &&
    (status?.replicas ?? 0) === wanted &&
    (onDelete || (status?.updatedReplicas ?? 0) === wanted)
  );
}

/** Is the pod ready and not on its way out? */
export function isReady({ metadata, status }: V1Pod): boolean {
  const ready =
    status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True') ?? false;
  return ready && metadata?.deletionTimestamp === undefined;
}

/** One line that says what a pod is waiting for. */
export function describePod({ metadata, status }: V1Pod): string {
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const reasons = containers.flatMap(({ name, state, ready, lastState }) =>
    ready
      ? []
      : [
          `${name}: ${state?.waiting?.reason ?? state?.terminated?.reason ?? 'not ready'} ${state?.waiting?.message ?? lastState?.terminated?.reason ?? ''}`.trim(),
        ],
  );
  const conditions = (status?.conditions ?? []).filter(
    ({ status: state, message }) => state !== 'True' && message,
  );
  const why = reasons.length > 0 ? reasons : conditions.map(({ message }) => message);
  return `${metadata?.namespace}/${metadata?.name} ${status?.phase}: ${why.join('; ')}`;
}

/** Did the API server answer with this HTTP status? */
export function isStatus(error: unknown, code: number): boolean {
  return error instanceof ApiException && error.code === code;
}

function withVersion(manifest: Manifest, present: KubernetesObject): Manifest {
  const { resourceVersion, annotations = {} } = present.metadata ?? {};
  // The Deployment controller keeps its own bookkeeping in an annotation.
  const kept = Object.entries(annotations).filter(([name]) => name.startsWith('deployment.kubernetes.io/'));
  const merged = { ...Object.fromEntries(kept), ...manifest.metadata.annotations };
  return {
    ...manifest,
    metadata: { ...manifest.metadata, resourceVersion, annotations: merged },
  } as Manifest;
}

function header({ name, namespace }: Manifest['metadata']) {
  return namespace === undefined ? { name } : { name, namespace };
}
