import { kinds } from '../services/kubernetes.ts';
import { type Thing, timestamp } from './objects.ts';
import type { World } from './world.ts';

/** The API server forgets events after an hour. */
const KEPT = 3_600_000;

export interface EventText {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly component: string;
  /** 'spec.containers{app}' */
  readonly fieldPath?: string;
}

type StoredEvent = Thing & { readonly count: number; readonly reason: string; readonly message: string };

/** Records an event about an object; the same event again counts up. */
export function recordEvent(world: World, about: Thing, text: EventText): void {
  const namespace = about.metadata.namespace ?? 'default';
  const now = timestamp(world.timeline.now);
  const key = `${about.metadata.uid} ${text.reason} ${text.message}`;
  const known = world.store.get<StoredEvent>(kinds.events, namespace, world.events.get(key) ?? '');
  if (known !== undefined) {
    world.store.put(kinds.events, { ...known, count: known.count + 1, lastTimestamp: now });
    return;
  }
  const event = world.store.put(kinds.events, {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      name: `${about.metadata.name}.${world.random.hex(16)}`,
      namespace,
      uid: world.random.uuid(),
      resourceVersion: '',
      creationTimestamp: now,
    },
    involvedObject: {
      apiVersion: about.apiVersion,
      kind: about.kind,
      name: about.metadata.name,
      ...(about.metadata.namespace === undefined ? {} : { namespace }),
      uid: about.metadata.uid,
      resourceVersion: about.metadata.resourceVersion,
      ...(text.fieldPath === undefined ? {} : { fieldPath: text.fieldPath }),
    },
    type: text.type,
    reason: text.reason,
    message: text.message,
    source: { component: text.component },
    reportingComponent: text.component,
    reportingInstance: '',
    firstTimestamp: now,
    lastTimestamp: now,
    eventTime: null,
    count: 1,
  });
  world.events.set(key, event.metadata.name);
  const forget = (): void => {
    const current = world.store.get<StoredEvent>(kinds.events, namespace, event.metadata.name);
    if (current === undefined) return;
    const age = world.timeline.now - Date.parse(String(current.lastTimestamp));
    if (age >= KEPT) {
      world.store.remove(kinds.events, current);
      world.events.delete(key);
    } else world.timeline.schedule(KEPT - age, forget);
  };
  world.timeline.schedule(KEPT, forget);
}
