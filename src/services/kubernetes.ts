import type { Duplex } from 'node:stream';
import type { Access } from '../engine/access.ts';
import type { Json, JsonObject } from '../engine/json.ts';

/** 'deployments' in 'apps', 'pods' in ''. */
export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export interface ObjectRef {
  readonly kind: Kind;
  /** Never empty for a namespaced kind. */
  readonly namespace?: string;
  readonly name: string;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
    readonly controller?: boolean;
  }[];
}

/** An object as the API server returns it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec?: JsonObject;
  readonly status?: JsonObject;
  readonly data?: JsonObject;
  readonly [field: string]: unknown;
}

export interface ListOptions {
  /** Absent: all namespaces (or a cluster-scoped kind). Never the empty string. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface PatchOptions {
  readonly type: 'strategic' | 'merge' | 'json';
  readonly body: Json;
  /** 'scale' or 'status'. */
  readonly subresource?: string;
  /** Optimistic concurrency: 409 when the object moved since. */
  readonly resourceVersion?: string;
}

export interface LogOptions {
  readonly container?: string;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  readonly previous?: boolean;
  readonly follow?: boolean;
  readonly limitBytes?: number;
}

export interface ExecRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  /** Closed after it was sent. */
  readonly stdin?: Uint8Array;
  /** The pod must still be this one, before and after. */
  readonly uid?: string;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ClusterIdentity {
  readonly context: string;
  readonly server: string;
  /** UID of the `kube-system` namespace: the same context name may point at another cluster tomorrow. */
  readonly uid: string;
  readonly version: string;
}

/** A failed call. `outcome: 'unknown'` on a write means that it may have taken effect. */
export class KubernetesError extends Error {
  /** HTTP status; undefined when no answer came. */
  readonly status: number | undefined;
  /** The API's reason ('NotFound', 'Conflict', 'Expired', 'Forbidden', …) or 'Unreachable'. */
  readonly reason: string;
  readonly outcome: 'not-applied' | 'unknown';
  readonly retryable: boolean;
  /** From Retry-After, milliseconds. */
  readonly retryAfter: number | undefined;

  constructor(
    message: string,
    options: {
      status?: number | undefined;
      reason: string;
      outcome: 'not-applied' | 'unknown';
      retryable: boolean;
      retryAfter?: number | undefined;
      cause?: unknown;
    },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'KubernetesError';
    this.status = options.status;
    this.reason = options.reason;
    this.outcome = options.outcome;
    this.retryable = options.retryable;
    this.retryAfter = options.retryAfter;
  }
}

/** Reading only, and server-side dry runs; what `predict`, `capture`, `observe` and reading steps get. */
export interface KubernetesReader {
  identity(): Promise<ClusterIdentity>;
  /** Maps what an author may write ('deployment', 'deploy', 'Deployment', 'deployments.apps', 'sts', CRD kinds) to a kind by discovery. */
  kind(name: string): Promise<Kind>;
  /** Undefined only on an explicit 404 of that object. Consistent read. */
  get(ref: ObjectRef): Promise<KubernetesObject | undefined>;
  /** Consistent, paged read of all matches. */
  list(kind: Kind, options: ListOptions): Promise<readonly KubernetesObject[]>;
  /**
   * All matches now, then again after every change, until the signal aborts (ends) or the caller stops. Level-triggered: list + watch,
   * lists again on 410, survives dropped connections and an API server restart (backs off and goes on).
   */
  follow(kind: Kind, options: ListOptions, signal: AbortSignal): AsyncIterable<readonly KubernetesObject[]>;
  /** Decoded text in chunks; ends at the end of the log, or with the signal when following. */
  logs(
    ref: { readonly namespace: string; readonly pod: string },
    options: LogOptions,
    signal: AbortSignal,
  ): AsyncIterable<string>;
  /** Server-side dry run of a patch: the object as it would be. */
  dryRunPatch(ref: ObjectRef, patch: PatchOptions): Promise<KubernetesObject>;
  /** Server-side dry run of a server-side apply. */
  dryRunApply(manifest: JsonObject): Promise<KubernetesObject>;
  dryRunDelete(ref: ObjectRef): Promise<void>;
  /** SelfSubjectAccessReview for each. */
  canI(
    accesses: readonly Extract<Access, { system: 'kubernetes' }>[],
  ): Promise<readonly { readonly allowed: boolean; readonly reason: string }[]>;
  /** SelfSubjectReview: the user name the API server sees. */
  whoAmI(): Promise<string>;
  /** A byte stream to a port of a pod, without a local listener. */
  portForward(ref: {
    readonly namespace: string;
    readonly pod: string;
    readonly port: number;
  }): Promise<Duplex>;
  /** For commands that the author declared to be reading. */
  execRead(request: ExecRequest, signal: AbortSignal): Promise<ExecResult>;
}

export interface KubernetesWriter extends KubernetesReader {
  /** Field manager `runbook`. */
  patch(ref: ObjectRef, patch: PatchOptions): Promise<KubernetesObject>;
  /** Server-side apply; conflicts with other field managers are a 409. */
  apply(manifest: JsonObject, options?: { readonly force?: boolean }): Promise<KubernetesObject>;
  create(manifest: JsonObject): Promise<KubernetesObject>;
  /** With preconditions; 404 is an error here. */
  delete(
    ref: ObjectRef,
    options: {
      readonly uid?: string;
      readonly resourceVersion?: string;
      readonly gracePeriodSeconds?: number;
      readonly propagation?: 'Background' | 'Foreground' | 'Orphan';
    },
  ): Promise<void>;
  exec(request: ExecRequest, signal: AbortSignal): Promise<ExecResult>;
}

/** The kinds every cluster has; others come from discovery through `kind()`. */
export const kinds = {
  pods: { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true },
  services: { group: '', version: 'v1', plural: 'services', kind: 'Service', namespaced: true },
  events: { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true },
  secrets: { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true },
  configMaps: { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true },
  namespaces: { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false },
  deployments: { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment', namespaced: true },
  statefulSets: {
    group: 'apps',
    version: 'v1',
    plural: 'statefulsets',
    kind: 'StatefulSet',
    namespaced: true,
  },
  daemonSets: { group: 'apps', version: 'v1', plural: 'daemonsets', kind: 'DaemonSet', namespaced: true },
  replicaSets: { group: 'apps', version: 'v1', plural: 'replicasets', kind: 'ReplicaSet', namespaced: true },
  controllerRevisions: {
    group: 'apps',
    version: 'v1',
    plural: 'controllerrevisions',
    kind: 'ControllerRevision',
    namespaced: true,
  },
  horizontalPodAutoscalers: {
    group: 'autoscaling',
    version: 'v2',
    plural: 'horizontalpodautoscalers',
    kind: 'HorizontalPodAutoscaler',
    namespaced: true,
  },
  leases: { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true },
} as const satisfies Record<string, Kind>;
