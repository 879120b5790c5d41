import type { Kind, KubernetesObject, ListOptions } from '../services/kubernetes.ts';
import { KubernetesError } from '../services/kubernetes.ts';
import type { Calls } from '../services/kubernetes-calls.ts';
import { listAll } from '../services/kubernetes-list.ts';
import { listPlace } from '../services/kubernetes-paths.ts';
import { type Caller, permit } from './connection.ts';
import type { Machine } from './machine.ts';
import { canonical } from './objects.ts';

interface Query {
  readonly kind: Kind;
  readonly options: ListOptions;
}

/** Pause before the API server is asked again, in milliseconds. */
const BACKOFF = 1_000;

/** Waits until an object of the kind changed after `version`, or until the history was forgotten (410). */
async function nextChange(
  machine: Machine,
  query: Query & { readonly version: number },
  signal: AbortSignal,
): Promise<void> {
  const { clock, world } = machine;
  const { kind, version } = query;
  const changed = () => {
    const changes = world.store.since(kind, version);
    return changes === 'expired' || changes.length > 0;
  };
  if (changed()) return;
  await clock.until(
    (wake) =>
      world.store.onChange(() => {
        if (changed()) wake();
      }),
    signal,
  );
}

/** All matches, again after every change. What changed in one moment comes as one set. */
export async function* followObjects(
  sources: { readonly machine: Machine; readonly calls: Calls; readonly caller: Caller },
  query: Query,
  signal: AbortSignal,
): AsyncGenerator<readonly KubernetesObject[]> {
  const { machine, calls, caller } = sources;
  let last: string | undefined;
  const { kind, options } = query;
  permit(machine, caller, {
    asked: {
      verb: 'watch',
      group: kind.group,
      resource: kind.plural,
      namespace: options.namespace,
      name: undefined,
    },
    place: listPlace('watch', kind, options),
  });
  while (!signal.aborted) {
    let version: number;
    try {
      const { items, resourceVersion } = await listAll(calls, query.kind, query.options);
      version = Number(resourceVersion);
      if (signal.aborted) return;
      const now = canonical(items.map(({ metadata }) => [metadata.uid, metadata.resourceVersion]));
      if (now !== last) {
        last = now;
        yield items;
      }
    } catch (failure) {
      const passing = failure instanceof KubernetesError && failure.retryable && last !== undefined;
      if (!passing) throw failure;
      await machine.clock.sleep(failure.retryAfter ?? BACKOFF, signal);
      continue;
    }
    await nextChange(machine, { ...query, version }, signal);
  }
}
