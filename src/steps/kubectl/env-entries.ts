import type { Json, JsonObject } from '../../engine/json.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubernetesObject, PatchOptions } from '../../services/kubernetes.ts';
import { listAt, textAt } from './fields.ts';
import { OPERATION, templateContainers } from './rollout-verdict.ts';
import { nameOf } from './target.ts';
import type { WorkloadInput } from './workload.ts';

/** Environment variables of a container by name, as its entries stand; null where there is none. */
export type EnvEntries = Readonly<Record<string, JsonObject | null>>;

export type EnvTarget = WorkloadInput & { readonly container: string };

export function envEntries(workload: KubernetesObject, input: EnvTarget): EnvEntries {
  const container = templateContainers(workload).find((item) => textAt(item, 'name') === input.container);
  if (container === undefined) {
    const names = templateContainers(workload).map((item) => textAt(item, 'name'));
    throw new StepError('no-container', `${nameOf(input)} has no container '${input.container}'.`, {
      outcome: 'not-applied',
      hint: `It has: ${names.join(', ')}.`,
    });
  }
  return Object.fromEntries(
    listAt(container, 'env').map((entry) => [textAt(entry, 'name'), entry as JsonObject]),
  );
}

/** What stands where `wanted` names something. */
export function pickEnv(current: EnvEntries, wanted: EnvEntries): EnvEntries {
  return Object.fromEntries(Object.keys(wanted).map((name) => [name, current[name] ?? null]));
}

/** `operation`: null takes our mark off, undefined leaves it alone. */
export function envPatch(
  container: string,
  entries: EnvEntries,
  operation?: string | null,
): Omit<PatchOptions, 'resourceVersion'> {
  const env = Object.entries(entries).map(([name, entry]): Json => {
    if (entry === null) return { name, $patch: 'delete' };
    // A merged entry would keep the other form, and the API server refuses both at once.
    return { value: null, valueFrom: null, ...entry };
  });
  return {
    type: 'strategic',
    body: {
      ...(operation !== undefined && { metadata: { annotations: { [OPERATION]: operation } } }),
      spec: { template: { spec: { containers: [{ name: container, env }] } } },
    },
  };
}
