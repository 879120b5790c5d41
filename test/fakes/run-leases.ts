import type { Json, JsonObject } from '../../src/engine/json.ts';
import {
  KubernetesError,
  type KubernetesObject,
  type KubernetesWriter,
  type ObjectRef,
  type PatchOptions,
} from '../../src/services/kubernetes.ts';
import type { RunClock } from './run-clock.ts';

/** An API server that knows Leases only: optimistic concurrency, and a switch to pull its plug. */
export class RunLeases {
  readonly leases = new Map<string, KubernetesObject>();
  readonly calls: string[] = [];
  reachable = true;
  /** The next write takes effect, but its answer is lost. */
  loseNextAnswer = false;
  readonly #clock: RunClock;
  #version = 0;

  constructor(clock: RunClock) {
    this.#clock = clock;
  }

  /** The interface that locks use; every other method fails. */
  get api(): KubernetesWriter {
    const known = {
      get: (ref: ObjectRef) => this.#call('get', () => this.leases.get(ref.name)),
      create: (manifest: JsonObject) => this.#call('create', () => this.#create(manifest)),
      patch: (ref: ObjectRef, patch: PatchOptions) => this.#call('patch', () => this.#patch(ref, patch)),
    };
    return known as unknown as KubernetesWriter;
  }

  /** Somebody else touches a Lease. */
  touch(name: string, spec: JsonObject, annotations: Readonly<Record<string, string>> = {}): void {
    const found = this.leases.get(name);
    if (found === undefined) throw new Error(`no Lease ${name}`);
    this.#store(name, {
      ...found,
      metadata: { ...found.metadata, annotations: { ...found.metadata.annotations, ...annotations } },
      spec: { ...found.spec, ...spec },
    });
  }

  async #call<T>(verb: string, work: () => T): Promise<T> {
    this.calls.push(verb);
    await Promise.resolve();
    if (!this.reachable) throw unreachable();
    const answer = work();
    if (!this.loseNextAnswer || verb === 'get') return answer;
    this.loseNextAnswer = false;
    throw unreachable();
  }

  #create(manifest: JsonObject): KubernetesObject {
    const object = manifest as unknown as KubernetesObject;
    if (this.leases.has(object.metadata.name)) throw refused(409, 'AlreadyExists');
    return this.#store(object.metadata.name, object);
  }

  #patch(ref: ObjectRef, patch: PatchOptions): KubernetesObject {
    const found = this.leases.get(ref.name);
    if (found === undefined) throw refused(404, 'NotFound');
    if (patch.resourceVersion !== found.metadata.resourceVersion) throw refused(409, 'Conflict');
    return this.#store(
      ref.name,
      merge(found as unknown as JsonObject, patch.body) as unknown as KubernetesObject,
    );
  }

  #store(name: string, object: KubernetesObject): KubernetesObject {
    this.#version += 1;
    const stored: KubernetesObject = {
      ...object,
      metadata: {
        ...object.metadata,
        uid: object.metadata.uid ?? `uid-${this.#version}`,
        resourceVersion: String(this.#version),
        creationTimestamp: new Date(this.#clock.now()).toISOString(),
      },
    };
    this.leases.set(name, stored);
    return stored;
  }
}

function merge(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const merged: Record<string, Json> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) merged[key] = merge(merged[key] ?? null, value);
  return merged;
}

function isObject(json: Json): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function refused(status: number, reason: string): KubernetesError {
  return new KubernetesError(reason, { status, reason, outcome: 'not-applied', retryable: false });
}

function unreachable(): KubernetesError {
  return new KubernetesError('no answer', { reason: 'Unreachable', outcome: 'unknown', retryable: true });
}
