import type { KubernetesObject } from '../../services/kubernetes.ts';
import type { EnvEntries, EnvTarget } from '../kubectl/env-entries.ts';
import { rolloutDuration } from '../kubectl/workload.ts';

/** The group `ess` of a `with`. */
export interface EssWorkload {
  readonly namespace: string;
  readonly kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet';
  readonly resource: string;
  readonly container: string;
}

/** What fits into a list that an environment variable carries, in characters. */
export const longestList = 4000;
const longestStart = 15 * 60_000;
/** Promotes what is there and nothing twice, so it may look often. */
const promotionCron = '30 * * * * *';

export function envTarget({ namespace, kind = 'Deployment', resource, container }: EssWorkload): EnvTarget {
  return { namespace, kind, name: resource, container };
}

/** Once an hour, at the minute in which pods that are replaced now should have started. */
export function rotationCron(workload: KubernetesObject, now: number): string {
  const ready = now + Math.min(longestStart, rolloutDuration(workload).max) + 60_000;
  return `0 ${new Date(ready).getUTCMinutes()} * * * *`;
}

/**
 * Rotation makes a key that waits, promotion makes it the current one. Both are limited to these namespaces. ESS would hold both back
 * for 48 hours after a new master key.
 */
export function togglesFor(namespaces: readonly string[], cron: string): EnvEntries {
  const list = namespaces.join(',');
  const values: Readonly<Record<string, string>> = {
    ENCRYPTION_MEKROTATIONGRACEPERIOD: 'PT0S',
    ENCRYPTION_PROMOTION_ALLOWLIST: list,
    ENCRYPTION_PROMOTION_SCHEDULED_CRON: promotionCron,
    ENCRYPTION_PROMOTION_SCHEDULED_ENABLED: 'true',
    ENCRYPTION_ROTATION_ALWAYSROTATELIST: list,
    ENCRYPTION_ROTATION_SCHEDULED_CRON: cron,
    ENCRYPTION_ROTATION_SCHEDULED_ENABLED: 'true',
  };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { name, value }]));
}
