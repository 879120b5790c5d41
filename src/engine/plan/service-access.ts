import type { Access } from '../access.ts';
import type { Json } from '../json.ts';
import type { Planner } from './planner.ts';

const plurals: Readonly<Record<string, string>> = {
  Deployment: 'deployments',
  StatefulSet: 'statefulsets',
  DaemonSet: 'daemonsets',
};

/** A service that was given by its name was looked up among the workloads of its namespace; planning again needs that too. */
export function noteServiceAccess(planner: Planner): void {
  const { inputs, runbook, inventory } = planner.request;
  for (const [name, input] of Object.entries(inputs)) {
    const spec = runbook.inputs[name];
    if (input.type === 'secret' || spec === undefined) continue;
    const services =
      spec.type === 'service' ? [input.value] : spec.of === 'service' ? Object.values(input.value ?? {}) : [];
    for (const service of services)
      planner.access.add(lookups(service as ServiceValue, inventory?.services), `input ${name}`);
  }
}

interface ServiceValue {
  readonly name?: Json;
  readonly namespace?: Json;
  readonly kind?: Json;
  readonly otherKinds?: Json;
}

type Entries = ReadonlyMap<string, { readonly kind: string; readonly otherKinds: readonly string[] }>;

// The value has the kind that was found; the inventory has all that were looked for.
function lookups(service: ServiceValue, entries: Entries | undefined): readonly Access[] {
  const { name, namespace } = service;
  if (typeof namespace !== 'string') return [];
  const entry = typeof name === 'string' ? entries?.get(name) : undefined;
  const others = Array.isArray(service.otherKinds) ? service.otherKinds : [];
  const kinds = new Set([
    ...(entry === undefined ? [] : [entry.kind, ...entry.otherKinds]),
    service.kind,
    ...others,
  ]);
  return [...kinds].flatMap((kind): Access[] => {
    const resource = typeof kind === 'string' ? plurals[kind] : undefined;
    if (resource === undefined) return [];
    return [{ system: 'kubernetes', verb: 'list', group: 'apps', resource, namespace }];
  });
}
