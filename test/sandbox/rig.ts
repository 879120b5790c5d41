import type { JsonObject } from '../../src/engine/json.ts';
import { openSandbox, type Sandbox, type SandboxOptions } from '../../src/sandbox/open.ts';
import { type Kind, type KubernetesObject, kinds, type ObjectRef } from '../../src/services/kubernetes.ts';

export const never = new AbortController().signal;
export const namespace = 'lab';

/** A sandbox with an empty namespace `lab`. */
export async function openLab(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  const sandbox = openSandbox({ seed: 1, ...options });
  const { kubernetes } = sandbox.services;
  await kubernetes.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  return sandbox;
}

export function ref(kind: Kind, name: string): ObjectRef {
  return { kind, namespace, name };
}

export interface Lab {
  readonly replicas?: number;
  readonly spec?: JsonObject;
  readonly container?: JsonObject;
  readonly pod?: JsonObject;
}

/** A workload called `app` with one container `main` that runs for ever. */
export function workload(kind: 'Deployment' | 'StatefulSet' | 'DaemonSet', lab: Lab = {}): JsonObject {
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'app', namespace },
    spec: {
      ...(kind === 'DaemonSet' ? {} : { replicas: lab.replicas ?? 1 }),
      ...(kind === 'StatefulSet' ? { serviceName: 'app' } : {}),
      selector: { matchLabels: { app: 'app' } },
      template: {
        metadata: { labels: { app: 'app' } },
        spec: {
          terminationGracePeriodSeconds: 2,
          ...lab.pod,
          containers: [{ name: 'main', image: 'busybox:1.36', ...lab.container }],
        },
      },
      ...lab.spec,
    },
  };
}

export function plainPod(name: string, container: JsonObject = {}, spec: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: name } },
    spec: { ...spec, containers: [{ name: 'main', image: 'busybox:1.36', ...container }] },
  };
}

export function script(text: string): JsonObject {
  return { command: ['sh', '-c', text] };
}

/** A field deep in an object. */
export function at(object: KubernetesObject | undefined, ...path: readonly (string | number)[]): unknown {
  let value: unknown = object;
  for (const key of path)
    value =
      typeof value === 'object' && value !== null
        ? (value as Record<string | number, unknown>)[key]
        : undefined;
  return value;
}

export function conditionOf(
  object: KubernetesObject | undefined,
  type: string,
): Record<string, unknown> | undefined {
  const conditions = at(object, 'status', 'conditions');
  return Array.isArray(conditions) ? conditions.find((condition) => condition.type === type) : undefined;
}

export async function get(sandbox: Sandbox, kind: Kind, name: string): Promise<KubernetesObject> {
  const found = await sandbox.services.kubernetes.get(ref(kind, name));
  if (found === undefined) throw new Error(`${kind.kind} ${name} is missing`);
  return found;
}

export async function podsOf(sandbox: Sandbox): Promise<readonly KubernetesObject[]> {
  return sandbox.services.kubernetes.list(kinds.pods, { namespace });
}

export async function events(sandbox: Sandbox, about: string): Promise<readonly string[]> {
  const all = await sandbox.services.kubernetes.list(kinds.events, { namespace });
  return all
    .filter((event) => at(event, 'involvedObject', 'name') === about)
    .map((event) => `${String(at(event, 'reason'))}: ${String(at(event, 'message'))}`);
}

/** Lets virtual time pass. */
export function pass(sandbox: Sandbox, ms: number): Promise<void> {
  return sandbox.services.clock.sleep(ms, never);
}

/** Follows a kind in the namespace until a set fits; virtual time passes meanwhile, an hour at most. */
export async function until(
  sandbox: Sandbox,
  kind: Kind,
  fits: (objects: readonly KubernetesObject[]) => boolean,
): Promise<readonly KubernetesObject[]> {
  const { kubernetes, clock } = sandbox.services;
  const stop = new AbortController();
  clock.sleep(3_600_000, stop.signal).then(
    () => stop.abort(),
    () => stop.abort(),
  );
  try {
    for await (const objects of kubernetes.follow(kind, { namespace }, stop.signal))
      if (fits(objects)) return objects;
  } finally {
    stop.abort();
  }
  throw new Error(`${kind.plural} never came to what was awaited`);
}

/** Restarts a workload as a rollout restart does. */
export function restart(sandbox: Sandbox, kind: Kind, mark = '1'): Promise<KubernetesObject> {
  return sandbox.services.kubernetes.patch(ref(kind, 'app'), {
    type: 'strategic',
    body: { spec: { template: { metadata: { annotations: { restarted: mark } } } } },
  });
}
