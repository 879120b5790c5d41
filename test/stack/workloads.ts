import type { V1Pod } from '@kubernetes/client-node';
import { type Connection, describePod, isReady, isSettled, listObjects, listWorkloads } from './api.ts';
import { lastLogLines } from './processes.ts';
import { waitFor } from './shell.ts';

/** Waits until every workload has the pods that it wants, all of them ready. */
export async function waitForWorkloads(connection: Connection, seconds: number): Promise<void> {
  await waitFor(async () => (await listWorkloads(connection)).every(isSettled), {
    what: 'all workloads to be ready',
    seconds,
    everyMs: 200,
    explain: async () => {
      const pods = await listObjects<V1Pod>(connection, 'v1', 'Pod');
      const waiting = pods.filter((pod) => !isReady(pod)).map(describePod);
      return `${waiting.join('\n')}\nlast lines of the kubelet:\n${lastLogLines('kubelet', 5)}`;
    },
  });
}

/** Pods that a selector finds, without those on their way out. */
export async function podsOf(
  { core }: Connection,
  namespace: string,
  labelSelector: string,
): Promise<V1Pod[]> {
  const { items } = await core.listNamespacedPod({ namespace, labelSelector });
  return items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
}

/** The first pod that a selector finds. */
export async function onePod(
  connection: Connection,
  namespace: string,
  labelSelector: string,
): Promise<V1Pod> {
  const [pod] = await podsOf(connection, namespace, labelSelector);
  if (pod === undefined) throw new Error(`no pod for ${labelSelector} in ${namespace}`);
  return pod;
}
