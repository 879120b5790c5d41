import type { Access } from '../engine/step-type.ts';

/**
 * What it takes to find pods and open streams to one of their ports. The stream is asked for with GET, so the verb is `get`;
 * from Kubernetes 1.35 on the API server wants `create` as well.
 */
export function portForwardAccess(namespace: string): readonly Access[] {
  const base = { system: 'kubernetes', group: '', namespace } as const;
  return [
    { ...base, verb: 'list', resource: 'pods' },
    { ...base, verb: 'get', resource: 'pods/portforward' },
    { ...base, verb: 'create', resource: 'pods/portforward' },
  ];
}
