import type { KubernetesObject } from '../../services/kubernetes.ts';

/** A value inside an object of unknown shape; undefined when the path leads nowhere. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let current = value;
  for (const key of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined;
    current = (current as Record<string | number, unknown>)[key];
  }
  return current;
}

export function textAt(value: unknown, ...path: readonly (string | number)[]): string {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : '';
}

/** Absent counters of the API mean zero. */
export function countAt(value: unknown, ...path: readonly (string | number)[]): number {
  const found = at(value, ...path);
  return typeof found === 'number' ? found : 0;
}

export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

export function entriesAt(
  value: unknown,
  ...path: readonly (string | number)[]
): readonly (readonly [string, string])[] {
  const found = at(value, ...path);
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return [];
  return Object.entries(found).map(([key, item]) => [key, String(item)]);
}

export function annotation(object: KubernetesObject, name: string): string | undefined {
  return object.metadata.annotations?.[name];
}

export function condition(object: unknown, type: string): unknown {
  return listAt(object, 'status', 'conditions').find((item) => textAt(item, 'type') === type);
}

export function isOwnedBy(object: KubernetesObject, uid: string): boolean {
  return (object.metadata.ownerReferences ?? []).some((owner) => owner.uid === uid && owner.controller);
}

export function isReady(pod: KubernetesObject): boolean {
  return textAt(condition(pod, 'Ready'), 'status') === 'True';
}

/** `spec.selector` of a workload as a label selector. */
export function selectorOf(workload: KubernetesObject): string {
  const labels = entriesAt(workload.spec, 'selector', 'matchLabels').map(([key, value]) => `${key}=${value}`);
  const expressions = listAt(workload.spec, 'selector', 'matchExpressions').map((item) => {
    const key = textAt(item, 'key');
    const values = listAt(item, 'values').join(',');
    switch (textAt(item, 'operator')) {
      case 'In':
        return `${key} in (${values})`;
      case 'NotIn':
        return `${key} notin (${values})`;
      case 'Exists':
        return key;
      default:
        return `!${key}`;
    }
  });
  return [...labels, ...expressions].join(',');
}
