import { type Connection, deleteObject, putObject } from '../../api.ts';
import { helm } from '../../charts/helm.ts';
import { chartRegistry } from '../../charts/registry.ts';
import { cassandraPods, pauseCassandra, releaseCassandra } from '../../control.ts';

const quota = (namespace: string) => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'battery-no-pods', namespace },
});

/** No new pod is admitted to the namespace, as when its quota is used up; those that run go on. */
export async function forbidPods(admin: Connection, namespace: string): Promise<void> {
  await putObject(admin, { ...quota(namespace), spec: { hard: { pods: '0' } } });
}

/** The opposite. */
export async function allowPods(admin: Connection, namespace: string): Promise<void> {
  await deleteObject(admin, quota(namespace));
}

/** Two nodes of three say nothing: no quorum is left. */
export async function loseQuorum(): Promise<void> {
  for (const pod of cassandraPods.slice(1)) pauseCassandra(pod);
}

/** All three answer again. */
export const regainQuorum = (): Promise<void> => releaseCassandra();

/** What an operator does by hand: `helm upgrade` to a version in the registry. */
export function upgradeByHand(
  at: { readonly namespace: string; readonly release: string; readonly chart: string },
  version: string,
  ...more: string[]
): Promise<string> {
  const { namespace, release, chart } = at;
  const flags = ['--namespace', namespace, '--version', version, '--reset-then-reuse-values'];
  return helm('upgrade', release, `${chartRegistry}/${chart}`, ...flags, ...more);
}
