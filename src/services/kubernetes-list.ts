import { type Kind, KubernetesError, type KubernetesObject, type ListOptions } from './kubernetes.ts';
import type { Calls } from './kubernetes-calls.ts';
import { asObject } from './kubernetes-kinds.ts';
import { listPath, listPlace, selectors } from './kubernetes-paths.ts';

/** All matches at one moment, and the version from which a watch goes on. */
export interface Listing {
  readonly items: readonly KubernetesObject[];
  readonly resourceVersion: string;
}

const pageSize = '250';
const restarts = 3;

/** Reads all pages from etcd's current state: no `resourceVersion` is sent, so no cache may answer. */
export async function listAll(calls: Calls, kind: Kind, options: ListOptions): Promise<Listing> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listPages(calls, kind, options);
    } catch (cause) {
      // The pages' snapshot was compacted away meanwhile; the first page of the next attempt opens a new one.
      if (!(cause instanceof KubernetesError) || cause.status !== 410 || attempt >= restarts) throw cause;
    }
  }
}

async function listPages(calls: Calls, kind: Kind, options: ListOptions): Promise<Listing> {
  const items: KubernetesObject[] = [];
  let next: string | undefined;
  for (;;) {
    const page = (await calls.read({
      method: 'GET',
      path: listPath(kind, options),
      query: { ...selectors(kind, options), limit: pageSize, continue: next },
      place: listPlace('list', kind, options),
    })) as Page;
    for (const item of page.items ?? []) items.push(asObject(item, kind));
    next = page.metadata?.continue || undefined;
    if (next === undefined) return { items, resourceVersion: page.metadata?.resourceVersion ?? '' };
  }
}

interface Page {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly unknown[];
}
