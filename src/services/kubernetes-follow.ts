import type { IncomingMessage } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import type { Clock } from './clock.ts';
import { type Kind, KubernetesError, type KubernetesObject, type ListOptions } from './kubernetes.ts';
import type { Calls } from './kubernetes-calls.ts';
import type { Connection } from './kubernetes-connection.ts';
import { type ApiStatus, answerError, type CallPlace } from './kubernetes-errors.ts';
import { asObject } from './kubernetes-kinds.ts';
import { listAll } from './kubernetes-list.ts';
import { listPath, listPlace, selectors } from './kubernetes-paths.ts';

/** The API server ends a watch after this many seconds, so that one that is silent for longer is dead. */
const watchSeconds = 30;
const backoff = [100, 250, 500, 1000, 2000, 5000];

export interface FollowSources {
  readonly calls: Calls;
  readonly connection: Connection;
  readonly clock: Clock;
  /** Milliseconds after which a watch without any sign of life is dead. */
  readonly silence: number;
}

/**
 * List, then watch from there. A pump keeps the matches current in the background; the consumer gets the whole set
 * whenever it changed since the last one it took, so a burst of events costs it one set.
 */
export async function* followObjects(
  sources: FollowSources,
  query: { readonly kind: Kind; readonly options: ListOptions },
  signal: AbortSignal,
): AsyncGenerator<readonly KubernetesObject[]> {
  if (signal.aborted) return;
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  const matches = new Matches();
  const onAbort = () => matches.finish(undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  pump({ ...sources, ...query, matches }, ended).then(
    () => matches.finish(undefined),
    (cause: unknown) => matches.finish(cause),
  );
  try {
    for (;;) {
      const current = await matches.next();
      if (current === undefined || signal.aborted) return;
      yield current;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    stop.abort();
  }
}

/** The matching objects by namespace and name, and whether the consumer has seen them. */
class Matches {
  #objects = new Map<string, KubernetesObject>();
  #changed = false;
  #listed = false;
  #failure: unknown;
  #finished = false;
  #wake: () => void = () => undefined;

  get listed(): boolean {
    return this.#listed;
  }

  replace(items: readonly KubernetesObject[]): void {
    const before = this.#objects;
    this.#objects = new Map(items.map((item) => [keyOf(item), item]));
    const same =
      this.#listed &&
      before.size === this.#objects.size &&
      items.every((item) => isSame(before.get(keyOf(item)), item));
    this.#listed = true;
    if (!same) this.#announce();
  }

  put(object: KubernetesObject): void {
    if (isSame(this.#objects.get(keyOf(object)), object)) return;
    this.#objects.set(keyOf(object), object);
    this.#announce();
  }

  remove(object: KubernetesObject): void {
    if (this.#objects.delete(keyOf(object))) this.#announce();
  }

  finish(failure: unknown): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#failure = failure;
    this.#wake();
  }

  /** The current set once it differs from the last one returned; undefined at the end; throws the pump's failure. */
  async next(): Promise<readonly KubernetesObject[] | undefined> {
    while (!this.#changed && !this.#finished) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#finished) {
      if (this.#failure !== undefined) throw this.#failure;
      return undefined;
    }
    this.#changed = false;
    return [...this.#objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  #announce(): void {
    this.#changed = true;
    this.#wake();
  }
}

function keyOf(object: KubernetesObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

function isSame(a: KubernetesObject | undefined, b: KubernetesObject): boolean {
  return a?.metadata.uid === b.metadata.uid && a.metadata.resourceVersion === b.metadata.resourceVersion;
}

interface Pump extends FollowSources {
  readonly kind: Kind;
  readonly options: ListOptions;
  readonly matches: Matches;
}

async function pump(source: Pump, signal: AbortSignal): Promise<void> {
  let version: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    try {
      version ??= await relist(source);
      if (signal.aborted) return;
      const began = source.clock.monotonic();
      version = await watchOnce(source, version, signal);
      // A proxy that ends every watch at once must not be asked without a pause.
      const brief = source.clock.monotonic() - began < 1000;
      failures = brief ? Math.min(failures + 1, backoff.length) : 0;
      if (failures > 1) await source.clock.sleep(backoff[failures - 1] ?? 5000, signal);
    } catch (cause) {
      if (signal.aborted) return;
      if (isFinal(cause, source.matches.listed)) throw cause;
      version = cause instanceof WatchBroken ? cause.resumeFrom : undefined;
      const asked = cause instanceof KubernetesError ? cause.retryAfter : undefined;
      // Compaction (410) is cured by the list itself; anything else waits, longer each time.
      if (failures > 0 || !isExpired(cause)) {
        await source.clock.sleep(asked ?? backoff[failures] ?? 5000, signal);
      }
      failures = Math.min(failures + 1, backoff.length);
    }
  }
}

async function relist({ calls, kind, options, matches }: Pump): Promise<string> {
  const { items, resourceVersion } = await listAll(calls, kind, options);
  matches.replace(items);
  return resourceVersion;
}

/** Before the first set any failure is the caller's to hear; later only those that waiting cannot cure. */
function isFinal(cause: unknown, listed: boolean): boolean {
  if (cause instanceof WatchBroken) return false;
  if (!(cause instanceof KubernetesError)) return true;
  if (isExpired(cause)) return false;
  return !listed || !cause.retryable;
}

function isExpired(cause: unknown): boolean {
  return cause instanceof KubernetesError && cause.status === 410;
}

/** The stream ended before its time; the watch may go on from the last version it brought. */
class WatchBroken extends Error {
  readonly resumeFrom: string;

  constructor(resumeFrom: string, cause: unknown) {
    super('watch broken', { cause });
    this.resumeFrom = resumeFrom;
  }
}

/** Applies events until the server ends the watch; returns the version to go on from. */
async function watchOnce(source: Pump, from: string, signal: AbortSignal): Promise<string> {
  const { connection, kind, options } = source;
  const place = listPlace('watch', kind, options);
  const answer = await connection.stream(
    {
      method: 'GET',
      path: listPath(kind, options),
      query: {
        ...selectors(kind, options),
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: from,
        timeoutSeconds: String(watchSeconds),
      },
      place,
    },
    signal,
  );
  let version = from;
  try {
    for await (const lines of batchesOf(answer, source.silence)) {
      // Without a pause in between, so that what came together is one change.
      for (const line of lines) version = applyEvent(JSON.parse(line) as WatchEvent, source, place);
    }
  } catch (cause) {
    if (cause instanceof KubernetesError) throw cause;
    throw new WatchBroken(version, cause);
  } finally {
    answer.destroy();
  }
  return version;
}

function applyEvent(event: WatchEvent, { kind, matches }: Pump, place: CallPlace): string {
  if (event.type === 'ERROR') {
    const status = event.object as unknown as ApiStatus;
    throw answerError(place, { status: status.code ?? 500, body: JSON.stringify(status) });
  }
  if (event.type === 'DELETED') matches.remove(event.object);
  else if (event.type !== 'BOOKMARK') matches.put(asObject(event.object, kind));
  return event.object.metadata.resourceVersion;
}

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubernetesObject;
}

/** Whole lines, as they came together; a cut one at the end is dropped with its stream. Throws when nothing comes for too long. */
async function* batchesOf(answer: IncomingMessage, silence: number): AsyncGenerator<readonly string[]> {
  answer.socket.setKeepAlive(true, 10_000);
  const decoder = new StringDecoder('utf8');
  const silent = setTimeout(() => answer.destroy(new Error('the watch fell silent')), silence);
  let rest = '';
  try {
    for await (const chunk of answer) {
      silent.refresh();
      const lines = (rest + decoder.write(chunk)).split('\n');
      rest = lines.pop() ?? '';
      yield lines.filter((line) => line !== '');
    }
  } finally {
    clearTimeout(silent);
  }
}
