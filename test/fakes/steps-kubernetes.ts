import type { Duplex } from 'node:stream';
import type { Json, JsonObject } from '../../src/engine/json.ts';
import type {
  ExecRequest,
  ExecResult,
  Kind,
  KubernetesObject,
  KubernetesWriter,
  ListOptions,
  LogOptions,
  ObjectRef,
  PatchOptions,
} from '../../src/services/kubernetes.ts';
import { KubernetesError, kinds } from '../../src/services/kubernetes.ts';
import { hasFields, hasLabels, patched, replaceIn, withData } from './object-patch.ts';

type Mutable = { -readonly [Key in keyof KubernetesObject]: KubernetesObject[Key] };

/** What a test may hook into: a controller that reacts, or a failure of one call. */
export interface FakeHooks {
  /** After every write, outside the call that made it: what a controller would do. */
  afterWrite?(object: KubernetesObject, cluster: FakeCluster): void;
  /** May throw; called before every call with its verb and plural. */
  before?(verb: string, plural: string): void;
  exec?(request: ExecRequest): ExecResult;
  log?(pod: string, options: LogOptions): readonly string[];
}

/** A few objects in memory behind the interface of a cluster: no controllers but those of a test. */
export class FakeCluster implements KubernetesWriter {
  readonly calls: string[] = [];
  hooks: FakeHooks = {};
  #objects: ReadonlyMap<string, KubernetesObject> = new Map();
  #version = 100;
  #waiting: (() => void)[] = [];

  /** Puts an object there as it is, with what is missing of its metadata. */
  put(
    kind: Kind,
    object: JsonObject & { readonly metadata: JsonObject & { readonly name: string } },
  ): KubernetesObject {
    const name = object.metadata.name;
    const metadata = {
      uid: `uid-${name}`,
      generation: 1,
      creationTimestamp: '2027-01-01T00:00:00Z',
      ...(object.metadata as JsonObject),
      resourceVersion: String(++this.#version),
    };
    const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
    const whole = { apiVersion, kind: kind.kind, ...object, metadata } as unknown as KubernetesObject;
    this.#set(this.#key(kind, whole.metadata.namespace, name), whole);
    return whole;
  }

  /** Changes an object the way a controller does. */
  change(ref: ObjectRef, change: (object: Mutable) => void): void {
    const found = this.#find(ref);
    if (found === undefined) throw new RangeError(`no ${ref.kind.plural}/${ref.name}`);
    const copy = structuredClone(found) as Mutable;
    change(copy);
    copy.metadata = { ...copy.metadata, resourceVersion: String(++this.#version) };
    this.#set(this.#key(ref.kind, ref.namespace, ref.name), copy as KubernetesObject);
  }

  remove(ref: ObjectRef): void {
    const left = new Map(this.#objects);
    left.delete(this.#key(ref.kind, ref.namespace, ref.name));
    this.#objects = left;
    this.#wake();
  }

  read(ref: ObjectRef): KubernetesObject {
    const found = this.#find(ref);
    if (found === undefined) throw new RangeError(`no ${ref.kind.plural}/${ref.name}`);
    return found;
  }

  all(kind: Kind): readonly KubernetesObject[] {
    return this.#matching(kind, {});
  }

  get writes(): readonly string[] {
    return this.calls.filter((call) => /^(patch|apply|create|delete|exec) /.test(call));
  }

  async identity() {
    return { context: 'test', server: 'https://test', uid: 'cluster', version: 'v1.34.4' };
  }

  async kind(name: string): Promise<Kind> {
    this.#called('kind', name);
    const found = Object.values(kinds).find((kind) => kind.kind === name || kind.plural === name);
    if (found !== undefined) return found;
    throw failure(404, 'NotFound', `the server has no ${name}`);
  }

  async get(ref: ObjectRef): Promise<KubernetesObject | undefined> {
    this.#called('get', ref.kind.plural);
    return this.#find(ref);
  }

  async list(kind: Kind, options: ListOptions): Promise<readonly KubernetesObject[]> {
    this.#called('list', kind.plural);
    return this.#matching(kind, options);
  }

  async *follow(
    kind: Kind,
    options: ListOptions,
    signal: AbortSignal,
  ): AsyncGenerator<readonly KubernetesObject[]> {
    this.#called('follow', kind.plural);
    let shown = '';
    while (!signal.aborted) {
      const found = this.#matching(kind, options);
      const now = JSON.stringify(found);
      if (now !== shown) {
        shown = now;
        yield found;
      } else await this.#nextWrite(signal);
    }
  }

  async *logs(
    ref: { readonly namespace: string; readonly pod: string },
    options: LogOptions,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    this.#called('logs', 'pods');
    const lines = this.hooks.log?.(ref.pod, options) ?? [];
    const tail = options.tailLines === undefined ? lines : lines.slice(-options.tailLines);
    for (const line of tail) yield `${line}\n`;
    if (options.follow === true)
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
  }

  async dryRunPatch(ref: ObjectRef, patch: PatchOptions): Promise<KubernetesObject> {
    this.#called('dry-run-patch', ref.kind.plural);
    return patched(this.#existing(ref), patch);
  }

  async dryRunApply(manifest: JsonObject): Promise<KubernetesObject> {
    this.#called('dry-run-apply', String(manifest.kind));
    return this.#applied(manifest).object;
  }

  async dryRunDelete(ref: ObjectRef): Promise<void> {
    this.#called('dry-run-delete', ref.kind.plural);
    this.#existing(ref);
  }

  async canI(accesses: readonly unknown[]) {
    return accesses.map(() => ({ allowed: true, reason: '' }));
  }

  async whoAmI(): Promise<string> {
    return 'tester';
  }

  async portForward(): Promise<Duplex> {
    throw failure(500, 'InternalError', 'no port-forward in this fake');
  }

  async execRead(request: ExecRequest): Promise<ExecResult> {
    this.#called('exec-read', request.command.join(' '));
    return this.#run(request);
  }

  async exec(request: ExecRequest): Promise<ExecResult> {
    this.#called('exec', request.command.join(' '));
    return this.#run(request);
  }

  async patch(ref: ObjectRef, patch: PatchOptions): Promise<KubernetesObject> {
    this.#called('patch', `${ref.kind.plural}/${ref.name}`);
    const object = this.#existing(ref);
    if (patch.resourceVersion !== undefined && patch.resourceVersion !== object.metadata.resourceVersion)
      throw failure(409, 'Conflict', 'the object has been modified');
    return this.#write(ref, patched(object, patch), object);
  }

  async apply(manifest: JsonObject): Promise<KubernetesObject> {
    this.#called('apply', String(manifest.kind));
    const { ref, object, before } = this.#applied(manifest);
    return this.#write(ref, object, before);
  }

  async create(manifest: JsonObject): Promise<KubernetesObject> {
    return await this.apply(manifest);
  }

  async delete(ref: ObjectRef, options: { readonly uid?: string }): Promise<void> {
    this.#called('delete', `${ref.kind.plural}/${ref.name}`);
    const object = this.#existing(ref);
    if (options.uid !== undefined && options.uid !== object.metadata.uid)
      throw failure(409, 'Conflict', 'the UID in the precondition does not match');
    this.remove(ref);
    this.hooks.afterWrite?.(object, this);
  }

  #applied(manifest: JsonObject) {
    const metadata = manifest.metadata as { readonly name: string; readonly namespace?: string };
    const kind = Object.values(kinds).find((item) => item.kind === manifest.kind) ?? kinds.configMaps;
    const ref = { kind, ...(metadata.namespace && { namespace: metadata.namespace }), name: metadata.name };
    const before = this.#find(ref);
    const base = before ?? {
      metadata: { uid: `uid-new-${metadata.name}`, generation: 0, resourceVersion: '0' },
    };
    const object = replaceIn(base as unknown as Json, manifest) as unknown as KubernetesObject;
    return { ref, object: withData(object), before };
  }

  #write(ref: ObjectRef, after: KubernetesObject, before: KubernetesObject | undefined): KubernetesObject {
    const moved = JSON.stringify(after.spec) !== JSON.stringify(before?.spec);
    const generation = (before?.metadata.generation ?? 0) + (moved || before === undefined ? 1 : 0);
    const metadata = { ...after.metadata, generation, resourceVersion: String(++this.#version) };
    const written = { ...after, metadata };
    this.#set(this.#key(ref.kind, ref.namespace, ref.name), written);
    this.hooks.afterWrite?.(written, this);
    return written;
  }

  #run(request: ExecRequest): ExecResult {
    const pod = this.#find({ kind: kinds.pods, namespace: request.namespace, name: request.pod });
    if (pod === undefined || (request.uid !== undefined && pod.metadata.uid !== request.uid))
      throw failure(409, 'Conflict', `pod ${request.pod} was replaced`);
    return this.hooks.exec?.(request) ?? { exitCode: 0, stdout: '', stderr: '' };
  }

  #called(verb: string, what: string): void {
    this.calls.push(`${verb} ${what}`);
    this.hooks.before?.(verb, what);
  }

  #existing(ref: ObjectRef): KubernetesObject {
    const found = this.#find(ref);
    if (found === undefined) throw failure(404, 'NotFound', `${ref.kind.plural} "${ref.name}" not found`);
    return found;
  }

  #find(ref: ObjectRef): KubernetesObject | undefined {
    return this.#objects.get(this.#key(ref.kind, ref.namespace, ref.name));
  }

  #matching(
    kind: Kind,
    { namespace, labelSelector, fieldSelector }: ListOptions,
  ): readonly KubernetesObject[] {
    return [...this.#objects.entries()]
      .filter(([key]) =>
        key.startsWith(namespace === undefined ? `${kind.plural}/` : `${kind.plural}/${namespace}/`),
      )
      .map(([, object]) => object)
      .filter((object) => hasLabels(object, labelSelector) && hasFields(object, fieldSelector));
  }

  #key(kind: Kind, namespace: string | undefined, name: string): string {
    return `${kind.plural}/${namespace ?? '-'}/${name}`;
  }

  #set(key: string, object: KubernetesObject): void {
    this.#objects = new Map(this.#objects).set(key, object);
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  #nextWrite(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.push(wake);
      signal.addEventListener('abort', wake);
    });
  }
}

export function failure(status: number | undefined, reason: string, message: string): KubernetesError {
  const server = status === undefined || status >= 500;
  return new KubernetesError(message, {
    status,
    reason,
    outcome: server ? 'unknown' : 'not-applied',
    retryable: server || status === 429 || status === 409,
  });
}
