import { createHash } from 'node:crypto';
import type { JsonObject } from '../../src/engine/json.ts';
import type { Kind, KubernetesObject } from '../../src/services/kubernetes.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import type { FakeCluster } from './steps-kubernetes.ts';

const revision = 'deployment.kubernetes.io/revision';

export interface WorkloadOptions {
  readonly kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet';
  readonly name?: string;
  readonly namespace?: string;
  readonly replicas?: number;
  readonly spec?: JsonObject;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly env?: readonly JsonObject[];
}

const workloadKinds: Readonly<Record<string, Kind>> = {
  Deployment: kinds.deployments,
  StatefulSet: kinds.statefulSets,
  DaemonSet: kinds.daemonSets,
};

/** A workload that is rolled out, with its revision and pods. */
export function putWorkload(cluster: FakeCluster, options: WorkloadOptions = {}): KubernetesObject {
  const { kind = 'Deployment', name = 'api', namespace = 'nvcf', replicas = 2 } = options;
  const labels = { app: name };
  const container = { name: 'main', image: 'main:1', ...(options.env && { env: options.env }) };
  const object = cluster.put(workloadKinds[kind] ?? kinds.deployments, {
    metadata: {
      name,
      namespace,
      ...(options.labels && { labels: options.labels }),
      ...(options.annotations && { annotations: options.annotations }),
    },
    spec: {
      ...(kind !== 'DaemonSet' && { replicas }),
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
      ...options.spec,
    },
  });
  rollOut(cluster, object);
  return cluster.read({ kind: workloadKinds[kind] ?? kinds.deployments, namespace, name });
}

/** What the controllers and kubelets do with a workload in the end: a revision, its pods, a complete status. */
export function rollOut(cluster: FakeCluster, object: KubernetesObject): void {
  const { namespace = '', name, uid } = object.metadata;
  const hash = createHash('sha256').update(JSON.stringify(object.spec?.template)).digest('hex').slice(0, 8);
  const number = putRevision(cluster, object, hash);
  const replicas = typeof object.spec?.replicas === 'number' ? object.spec.replicas : 2;
  const labels = {
    app: name,
    [object.kind === 'Deployment' ? 'pod-template-hash' : 'controller-revision-hash']: hash,
  };
  for (const pod of podsOf(cluster, object)) cluster.remove({ kind: kinds.pods, namespace, name: pod });
  for (let index = 0; index < replicas; index++)
    putPod(cluster, {
      name: `${name}-${hash}-${index}`,
      namespace,
      labels,
      annotations: templateAnnotations(object),
      owner: { kind: object.kind, name, uid },
    });
  const ref = { kind: workloadKinds[object.kind] ?? kinds.deployments, namespace, name };
  cluster.change(ref, (workload) => {
    if (object.kind === 'Deployment')
      workload.metadata = {
        ...workload.metadata,
        annotations: { ...workload.metadata.annotations, [revision]: String(number) },
      };
    workload.status = completeStatus(object, { replicas, hash });
  });
}

function templateAnnotations(object: KubernetesObject): Readonly<Record<string, string>> {
  const template = object.spec?.template as { readonly metadata?: { readonly annotations?: object } };
  return { ...template?.metadata?.annotations };
}

export function completeStatus(
  object: KubernetesObject,
  { replicas, hash }: { readonly replicas: number; readonly hash: string },
): JsonObject {
  const observedGeneration = object.metadata.generation ?? 1;
  if (object.kind === 'DaemonSet')
    return {
      observedGeneration,
      desiredNumberScheduled: replicas,
      currentNumberScheduled: replicas,
      updatedNumberScheduled: replicas,
      numberReady: replicas,
      numberAvailable: replicas,
    };
  return {
    observedGeneration,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
    ...(object.kind === 'StatefulSet' && { currentRevision: hash, updateRevision: hash }),
  };
}

export interface PodOptions {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner?: { readonly kind: string; readonly name: string; readonly uid: string };
  readonly ready?: boolean;
  readonly phase?: string;
  readonly status?: JsonObject;
  readonly containers?: readonly string[];
}

export function putPod(cluster: FakeCluster, options: PodOptions): KubernetesObject {
  const { name, namespace = 'nvcf', ready = true, containers = ['main'] } = options;
  return cluster.put(kinds.pods, {
    metadata: {
      name,
      namespace,
      ...(options.uid && { uid: options.uid }),
      labels: { ...options.labels },
      ...(options.annotations && { annotations: options.annotations }),
      ...(options.owner && { ownerReferences: [{ ...options.owner, controller: true }] }),
    },
    spec: {
      nodeName: 'node-1',
      containers: containers.map((container) => ({ name: container, image: 'main:1' })),
    },
    status: {
      phase: options.phase ?? 'Running',
      podIP: '10.0.0.1',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      containerStatuses: containers.map((container) => ({
        name: container,
        image: 'main:1',
        ready,
        restartCount: 0,
        state: { running: {} },
      })),
      ...options.status,
    },
  });
}

function putRevision(cluster: FakeCluster, object: KubernetesObject, hash: string): number {
  const { namespace = '', name, uid } = object.metadata;
  const owner = { kind: object.kind, name, uid, controller: true };
  const deployment = object.kind === 'Deployment';
  const kind = deployment ? kinds.replicaSets : kinds.controllerRevisions;
  const number = cluster.all(kind).length + 1;
  const template = object.spec?.template ?? {};
  const labels = { app: name, [deployment ? 'pod-template-hash' : 'controller-revision-hash']: hash };
  cluster.put(kind, {
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels,
      ownerReferences: [owner],
      ...(deployment && { annotations: { [revision]: String(number) } }),
    },
    ...(deployment
      ? { spec: { template: withHash(template as JsonObject, hash) } }
      : {
          revision: number,
          data: { spec: { template: { ...(template as JsonObject), $patch: 'replace' } } },
        }),
  });
  return number;
}

function withHash(template: JsonObject, hash: string): JsonObject {
  const metadata = template.metadata as JsonObject;
  const labels = { ...(metadata.labels as JsonObject), 'pod-template-hash': hash };
  return { ...template, metadata: { ...metadata, labels } };
}

function podsOf(cluster: FakeCluster, object: KubernetesObject): readonly string[] {
  return cluster
    .all(kinds.pods)
    .filter((pod) => pod.metadata.ownerReferences?.some((owner) => owner.uid === object.metadata.uid))
    .map((pod) => pod.metadata.name);
}
