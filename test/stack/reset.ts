import { existsSync } from 'node:fs';
import type { KubernetesObject, V1Pod, V1StatefulSet } from '@kubernetes/client-node';
import { type Connection, connect, deleteObject, isReady, listObjects, putObject } from './api.ts';
import { releaseNodes } from './cassandra-nodes.ts';
import { firstRevisions, restoreReleases } from './charts/install.ts';
import { publishCharts } from './charts/publish.ts';
import { restoreCassandraContent, restoreOpenBaoContent, stalePods } from './content.ts';
import { isCurrentSeed } from './fingerprint.ts';
import { cassandraNamespace } from './manifests/cassandra.ts';
import { namespaces, platform, seed } from './manifests/index.ts';
import type { Manifest } from './manifests/manifest.ts';
import { rootTokenSecret, unsealSecret } from './manifests/openbao.ts';
import { restoreStreams } from './nats-streams.ts';
import { settleOpenBao } from './openbao.ts';
import { statePath } from './paths.ts';
import { waitFor } from './shell.ts';
import { podsOf, waitForWorkloads } from './workloads.ts';

/** Label of everything that tests create outside the namespaces of the control plane. */
export const testLabel = 'runbook-stack/test';

/** Namespaces in which only objects of the seed may stay. */
const swept = [...namespaces, 'default'];

const sweptKinds: [apiVersion: string, kind: string][] = [
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'StatefulSet'],
  ['apps/v1', 'DaemonSet'],
  ['apps/v1', 'ReplicaSet'],
  ['batch/v1', 'CronJob'],
  ['batch/v1', 'Job'],
  ['v1', 'Pod'],
  ['v1', 'Service'],
  ['v1', 'ConfigMap'],
  ['v1', 'Secret'],
  ['v1', 'ServiceAccount'],
  ['coordination.k8s.io/v1', 'Lease'],
  ['autoscaling/v2', 'HorizontalPodAutoscaler'],
  ['policy/v1', 'PodDisruptionBudget'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
];

/** Objects that Kubernetes and OpenBao's initialisation put beside the seed. */
const keptNames = new Set(['kube-root-ca.crt', 'default', 'kubernetes', unsealSecret, rootTokenSecret]);

/**
 * Brings every workload back to the seed: removes what was added, restores what was changed, replaces worn pods.
 * Of every Helm release only the first revision stays.
 */
export async function restoreWorkloads(connection: Connection = connect()): Promise<void> {
  await removeStrangers(connection);
  await removeDoubleOfCassandra(connection);
  await Promise.all([
    restoreReleases(connection),
    publishCharts(),
    ...platform()
      .filter(({ kind }) => kind !== 'Namespace')
      .map((manifest) => putObject(connection, manifest)),
  ]);
  releaseNodes();
  await deletePods(connection, await wornPods(connection));
  const openbao = settleOpenBao(connection).then(() => restoreOpenBaoContent(connection));
  const rows = restoreCassandraContent(connection, { schema: !isCurrentSeed() });
  const [rowsChanged] = await Promise.all([rows, openbao]);
  await replaceStalePods(connection, rowsChanged);
  await restoreStreams(connection);
}

/** Until every pod holds the seed's keys: one that read the document before it was restored may get ready only now. */
async function replaceStalePods(connection: Connection, rowsChanged: boolean): Promise<void> {
  let stale = await stalePods(connection, rowsChanged);
  do {
    await deletePods(connection, stale);
    await waitForWorkloads(connection, 400);
    await waitForNoLeavingPods(connection);
    stale = await stalePods(connection, false);
  } while (stale.length > 0);
}

// Clusters of older sources hold a double, whose pods cannot turn into a ring one by one.
async function removeDoubleOfCassandra(connection: Connection): Promise<void> {
  if (existsSync(statePath('cassandra-data'))) return;
  const metadata = { name: 'cassandra', namespace: cassandraNamespace };
  await deleteObject(connection, { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata });
  await waitFor(
    async () =>
      (await podsOf(connection, cassandraNamespace, 'app.kubernetes.io/name=cassandra')).length === 0,
    { what: 'the old pods of Cassandra to go', seconds: 60 },
  );
}

async function removeStrangers(connection: Connection): Promise<void> {
  const known = new Set([...seed(), ...firstRevisions()].map(identity));
  const lists = await Promise.all(
    sweptKinds.map(async ([apiVersion, kind]) => {
      const items = await listObjects<KubernetesObject>(connection, apiVersion, kind);
      return items.map((item) => ({ ...item, apiVersion, kind }) as Manifest);
    }),
  );
  const clusterWide = await Promise.all(
    ['ClusterRole', 'ClusterRoleBinding'].map(async (kind) => {
      const items = await listObjects<KubernetesObject>(connection, 'rbac.authorization.k8s.io/v1', kind);
      return items
        .filter(({ metadata }) => metadata?.labels?.[testLabel] !== undefined)
        .map((item) => ({ ...item, apiVersion: 'rbac.authorization.k8s.io/v1', kind }) as Manifest);
    }),
  );
  const strangers = lists.flat().filter((object) => {
    const { metadata } = object as KubernetesObject;
    const owned = (metadata?.ownerReferences ?? []).length > 0;
    const ours = swept.includes(metadata?.namespace ?? '');
    return ours && !owned && !known.has(identity(object)) && !keptNames.has(metadata?.name ?? '');
  });
  await Promise.all(
    [...strangers, ...clusterWide.flat()].map((object) => deleteObject(connection, header(object))),
  );
  await removeStrangeNamespaces(connection);
}

async function removeStrangeNamespaces(connection: Connection): Promise<void> {
  const present = await listObjects<KubernetesObject>(connection, 'v1', 'Namespace');
  const strange = present
    .map(({ metadata }) => metadata?.name ?? '')
    .filter((name) => !swept.includes(name) && !name.startsWith('kube-'));
  for (const name of strange) {
    await deleteObject(connection, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
}

/** Pods with restarts or failures behind them, and those of an `OnDelete` set that run an older template. */
async function wornPods(connection: Connection): Promise<V1Pod[]> {
  const sets = await waitFor(
    async () => {
      const all = await listObjects<V1StatefulSet>(connection, 'apps/v1', 'StatefulSet');
      return all.every(({ metadata, status }) => status?.observedGeneration === metadata?.generation) && all;
    },
    { what: 'the StatefulSets to be observed', seconds: 30 },
  );
  const revisions = new Map(sets.map(({ metadata, status }) => [metadata?.name, status?.updateRevision]));
  const pods = await listObjects<V1Pod>(connection, 'v1', 'Pod');
  return pods.filter(({ metadata, status }) => {
    const owner = metadata?.ownerReferences?.[0];
    const revision = owner?.kind === 'StatefulSet' ? revisions.get(owner.name) : undefined;
    const restarted = status?.containerStatuses?.some(({ restartCount }) => restartCount > 0) ?? false;
    // A ring is rolled by its controller, node by node.
    const outdated =
      revision !== undefined &&
      owner?.name !== 'cassandra' &&
      metadata?.labels?.['controller-revision-hash'] !== revision;
    return restarted || outdated || status?.phase === 'Failed';
  });
}

async function deletePods({ core }: Connection, pods: V1Pod[]): Promise<void> {
  await Promise.all(
    pods.map(({ metadata }) =>
      core
        .deleteNamespacedPod({
          name: metadata?.name ?? '',
          namespace: metadata?.namespace ?? '',
          gracePeriodSeconds: 1,
        })
        .catch(() => undefined),
    ),
  );
}

async function waitForNoLeavingPods(connection: Connection): Promise<void> {
  await waitFor(async () => (await listObjects<V1Pod>(connection, 'v1', 'Pod')).every(isReady), {
    what: 'old pods to go',
    seconds: 60,
  });
}

function identity({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
}

function header({ apiVersion, kind, metadata: { name, namespace } }: Manifest): Manifest {
  return { apiVersion, kind, metadata: namespace === undefined ? { name } : { name, namespace } };
}
