import type { Kind } from '../services/kubernetes.ts';
import type { Thing } from './objects.ts';

export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly kind: Kind;
  /** With DELETED: the object as it was last. */
  readonly object: Thing;
  readonly before: Thing | undefined;
  readonly version: number;
}

/** Changes that a watch can still ask for; older ones are 'expired' (410). */
const HISTORY = 1000;

function place(kind: Kind): string {
  return `${kind.plural}.${kind.group}`;
}

function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

/** Objects by kind, namespace and name, with one version counter over all, as etcd has. */
export class Store {
  #version = 1000;
  #oldest = 1000;
  #history: Change[] = [];
  readonly #objects = new Map<string, Map<string, Thing>>();
  /** Keys of a kind in order; dropped when one comes or goes. */
  readonly #ordered = new Map<string, readonly string[]>();
  readonly #listeners = new Set<(change: Change) => void>();

  get version(): number {
    return this.#version;
  }

  get<T extends Thing = Thing>(kind: Kind, namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(place(kind))?.get(keyOf(namespace, name)) as T | undefined;
  }

  /** In the order of namespace and name. */
  all<T extends Thing = Thing>(kind: Kind, namespace?: string): readonly T[] {
    const objects = this.#objects.get(place(kind));
    if (objects === undefined) return [];
    const ordered = this.#ordered.get(place(kind)) ?? [...objects.keys()].sort();
    this.#ordered.set(place(kind), ordered);
    const prefix = namespace === undefined ? '' : `${namespace}/`;
    return ordered.flatMap((key) => (key.startsWith(prefix) ? [objects.get(key) as T] : []));
  }

  /** Adds or replaces; the object gets the next resource version. */
  put<T extends Thing>(kind: Kind, object: T): T {
    const objects = this.#objects.get(place(kind)) ?? new Map<string, Thing>();
    this.#objects.set(place(kind), objects);
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const before = objects.get(key);
    if (before === undefined) this.#ordered.delete(place(kind));
    this.#version += 1;
    const stored: T = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(this.#version) },
    };
    objects.set(key, stored);
    this.#emit({
      type: before === undefined ? 'ADDED' : 'MODIFIED',
      kind,
      object: stored,
      before,
      version: this.#version,
    });
    return stored;
  }

  remove(kind: Kind, object: Thing): void {
    const objects = this.#objects.get(place(kind));
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const last = objects?.get(key);
    if (objects === undefined || last === undefined) return;
    objects.delete(key);
    this.#ordered.delete(place(kind));
    this.#version += 1;
    this.#emit({ type: 'DELETED', kind, object: last, before: last, version: this.#version });
  }

  /** Changes of a kind after a version; 'expired' when some of them are forgotten. */
  since(kind: Kind, version: number): readonly Change[] | 'expired' {
    if (version < this.#oldest) return 'expired';
    return this.#history.filter((change) => change.version > version && place(change.kind) === place(kind));
  }

  /** Forgets all past changes, as a compaction does. */
  compact(): void {
    this.#oldest = this.#version;
    this.#history = [];
  }

  /** Calls `listener` after every change until the returned function is called. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #emit(change: Change): void {
    this.#history.push(change);
    if (this.#history.length > 2 * HISTORY) {
      this.#history = this.#history.slice(-HISTORY);
      this.#oldest = (this.#history[0]?.version ?? change.version) - 1;
    }
    for (const listener of [...this.#listeners]) listener(change);
  }
}
