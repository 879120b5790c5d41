import type { JsonObject } from '../../engine/json.ts';
import type { Container } from '../objects.ts';
import { type Fields, isFields } from '../patch.ts';

/** What a world begins with in place of its own cluster: objects of another one, with nothing secret in them. */
export interface LiveShape {
  /** Manifests, in the order in which they are made. One with a controller belongs to the object of that kind and name before it. */
  readonly objects: readonly JsonObject[];
  /** Workloads of the sandbox that are there besides, as 'namespace/name'. */
  readonly own: readonly string[];
}

/** How the kubelet finds a container of a workload that came from another cluster. */
export function playedKey(namespace: string | undefined, container: string): string {
  return `${namespace ?? ''}/${container}`;
}

/** The container as the simulation runs it: its program is not here, so what starts it, and what looks into it, mean nothing. */
export function asPlayed({ command: _, args: __, readinessProbe, ...rest }: Container): Container {
  if (readinessProbe === undefined) return rest;
  const { exec: ___, ...probe } = readinessProbe;
  return { ...rest, readinessProbe: probe };
}

export function metadataOf(object: JsonObject): Fields {
  return isFields(object.metadata) ? object.metadata : {};
}

/** Namespaces that the objects are in or that are among them. */
export function namespacesOf({ objects }: LiveShape): readonly string[] {
  return objects.flatMap((object) => {
    const { namespace } = metadataOf(object);
    return typeof namespace === 'string' ? [namespace] : [];
  });
}

export function objectsOfKind({ objects }: LiveShape, kind: string): readonly JsonObject[] {
  return objects.filter((object) => object.kind === kind);
}
