import type { KubernetesObject } from '../../services/kubernetes.ts';
import { at, countAt, isReady, listAt, textAt } from './fields.ts';

/** Readiness of a pod that proves nothing until it has lasted. */
export interface Unproven {
  /** Changes with every start of the container. */
  readonly key: string;
  readonly text: string;
  /** How many milliseconds it has to last. */
  readonly lasting: number;
}

// A container in a crash loop runs for a moment after each back-off; the kubelet calls it ready when nothing probes it.
const afterCrash = 20_000;
const withoutProbe = 3000;

/**
 * Why a ready pod may still be a crashing one: a container of it came back after it ended badly, or nothing
 * probes it and its workload sets no `minReadySeconds`.
 */
export function unproven(pod: KubernetesObject, minReadySeconds: number): Unproven | undefined {
  if (!isReady(pod)) return undefined;
  const specs = listAt(pod.spec, 'containers');
  for (const status of listAt(pod.status, 'containerStatuses')) {
    const container = textAt(status, 'name');
    const key = `${pod.metadata.uid} start ${countAt(status, 'restartCount')} of ${container}`;
    const where = `container ${container} of pod ${pod.metadata.name}`;
    if (countAt(status, 'lastState', 'terminated', 'exitCode') !== 0)
      return {
        key,
        text: `${where} was restarted after it ended badly; watching whether it stays up`,
        lasting: afterCrash,
      };
    const spec = specs.find((item) => textAt(item, 'name') === container);
    if (minReadySeconds === 0 && spec !== undefined && at(spec, 'readinessProbe') === undefined)
      return { key, text: `nothing probes ${where}; watching whether it stays up`, lasting: withoutProbe };
  }
  return undefined;
}
