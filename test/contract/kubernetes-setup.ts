import { expect } from 'vitest';
import type { Json, JsonObject } from '../../src/engine/json.ts';
import {
  type Kind,
  KubernetesError,
  type KubernetesObject,
  type KubernetesWriter,
  kinds,
  type ListOptions,
  type ObjectRef,
} from '../../src/services/kubernetes.ts';

/** What an implementation lends to the contract: itself, and an empty namespace to work in. */
export interface KubernetesWorld {
  readonly kubernetes: KubernetesWriter;
  /** Exists and is empty; the implementation removes it afterwards. */
  readonly namespace: string;
  /** Two images with `sh`, `echo`, `sleep`, `cat`, `true` and `false`. */
  readonly image: string;
  readonly nextImage: string;
  /** Breaks every open watch and forgets its history, as a restart of the API server does. */
  readonly interrupt: () => Promise<void>;
  /** A writer that may read pods of the namespace and nothing else. */
  readonly restricted: () => Promise<KubernetesWriter>;
}

/** Called once per suite. */
export type KubernetesSetup = () => Promise<KubernetesWorld>;

const patience = 90_000;
const script = 'echo started; sleep 2147483647';
// A rollout of what nothing probes is watched for some seconds more.
const probed = { readinessProbe: { exec: { command: ['true'] }, periodSeconds: 1 } };

export interface WorkloadOptions {
  readonly replicas?: number;
  /** Of `sh -c`. */
  readonly script?: string;
  /** Fields put over the spec. */
  readonly spec?: JsonObject;
}

export function podSpec(world: KubernetesWorld, shell = script, more: JsonObject = {}): JsonObject {
  return {
    terminationGracePeriodSeconds: 1,
    containers: [
      { name: 'main', image: world.image, imagePullPolicy: 'Never', command: ['sh', '-c', shell], ...more },
    ],
  };
}

export function podManifest(world: KubernetesWorld, name: string, options: WorkloadOptions = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: world.namespace, labels: { app: name } },
    spec: { restartPolicy: 'Never', ...podSpec(world, options.script), ...options.spec },
  };
}

export function deploymentManifest(
  world: KubernetesWorld,
  name: string,
  options: WorkloadOptions = {},
): JsonObject {
  return workload(world, { apiVersion: 'apps/v1', kind: 'Deployment', name }, options);
}

export function statefulSetManifest(
  world: KubernetesWorld,
  name: string,
  options: WorkloadOptions = {},
): JsonObject {
  const spec = { serviceName: name, podManagementPolicy: 'Parallel', ...options.spec };
  return workload(world, { apiVersion: 'apps/v1', kind: 'StatefulSet', name }, { ...options, spec });
}

function workload(
  world: KubernetesWorld,
  { apiVersion, kind, name }: { readonly apiVersion: string; readonly kind: string; readonly name: string },
  options: WorkloadOptions,
): JsonObject {
  return {
    apiVersion,
    kind,
    metadata: { name, namespace: world.namespace, labels: { app: name } },
    spec: {
      replicas: options.replicas ?? 1,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: podSpec(world, options.script, probed) },
      ...options.spec,
    },
  };
}

export function configMap(world: KubernetesWorld, name: string, data: JsonObject): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: world.namespace }, data };
}

export function refOf(world: KubernetesWorld, kind: Kind, name: string): ObjectRef {
  return kind.namespaced ? { kind, namespace: world.namespace, name } : { kind, name };
}

export async function read(world: KubernetesWorld, kind: Kind, name: string): Promise<KubernetesObject> {
  const found = await world.kubernetes.get(refOf(world, kind, name));
  if (found === undefined) throw new Error(`${kind.kind} ${name} is missing`);
  return found;
}

/** Follows until a set fits, and answers it; fails with the last set after a while. */
export async function eventually(
  world: KubernetesWorld,
  query: { readonly kind: Kind } & ListOptions,
  fits: (objects: readonly KubernetesObject[]) => boolean,
): Promise<readonly KubernetesObject[]> {
  const { kind, ...options } = query;
  const stop = AbortSignal.timeout(patience);
  let last: readonly KubernetesObject[] = [];
  const watched = world.kubernetes.follow(kind, { namespace: world.namespace, ...options }, stop);
  for await (const objects of watched) {
    last = objects;
    if (fits(objects)) return objects;
  }
  const seen = last.map(({ metadata, status }) => JSON.stringify({ name: metadata.name, status }));
  throw new Error(`${kind.plural} never came to what was awaited; last seen: ${seen.join('\n')}`);
}

export function named(name: string): ListOptions {
  return { fieldSelector: `metadata.name=${name}` };
}

/** A number or text deep in an object: `at(deployment, 'status', 'readyReplicas')`. */
export function at(
  object: KubernetesObject | undefined,
  ...path: readonly (string | number)[]
): Json | undefined {
  let value: unknown = object;
  for (const key of path) {
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  }
  return value as Json | undefined;
}

/** Creates a workload and waits until its controller calls it done. */
export async function settle(world: KubernetesWorld, manifest: JsonObject): Promise<KubernetesObject> {
  const created = await world.kubernetes.create(manifest);
  const kind = manifest.kind === 'StatefulSet' ? kinds.statefulSets : kinds.deployments;
  return settled(world, kind, created.metadata.name);
}

export async function settled(world: KubernetesWorld, kind: Kind, name: string): Promise<KubernetesObject> {
  const [found] = await eventually(world, { kind, ...named(name) }, ([object]) => isSettled(object));
  if (found === undefined) throw new Error(`${kind.kind} ${name} is missing`);
  return found;
}

function isSettled(object: KubernetesObject | undefined): boolean {
  const wanted = at(object, 'spec', 'replicas');
  const updated = at(object, 'status', 'updatedReplicas') ?? 0;
  return (
    object !== undefined &&
    at(object, 'status', 'observedGeneration') === object.metadata.generation &&
    (at(object, 'status', 'replicas') ?? 0) === wanted &&
    (at(object, 'status', 'readyReplicas') ?? 0) === wanted &&
    (updated === wanted || at(object, 'spec', 'updateStrategy', 'type') === 'OnDelete')
  );
}

export function isReady(pod: KubernetesObject): boolean {
  const conditions = at(pod, 'status', 'conditions');
  return (
    Array.isArray(conditions) &&
    conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True')
  );
}

export async function podsOf(world: KubernetesWorld, app: string): Promise<readonly KubernetesObject[]> {
  return world.kubernetes.list(kinds.pods, { namespace: world.namespace, labelSelector: `app=${app}` });
}

export async function startPod(world: KubernetesWorld, manifest: JsonObject): Promise<KubernetesObject> {
  const created = await world.kubernetes.create(manifest);
  const query = { kind: kinds.pods, ...named(created.metadata.name) };
  const [pod] = await eventually(world, query, ([found]) => found !== undefined && isReady(found));
  if (pod === undefined) throw new Error('the pod vanished');
  return pod;
}

/** The error of a call that must fail, as a `KubernetesError`. */
export async function failureOf(call: Promise<unknown>): Promise<KubernetesError> {
  const failure = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(failure).toBeInstanceOf(KubernetesError);
  if (failure instanceof KubernetesError) return failure;
  throw new Error('unreachable');
}
