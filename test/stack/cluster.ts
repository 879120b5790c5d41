import type { V1Node, V1ServiceAccount } from '@kubernetes/client-node';
import { type Connection, connect, isSettled, listObjects, listWorkloads, putObject } from './api.ts';
import { ensureBinaries, ensureHelm, ensureNats, ensureRegistryProgram } from './build.ts';
import { ensureCassandraJars } from './cassandra-jars.ts';
import { ensureCertificates } from './certificates.ts';
import { cgroupsExist, ensureCgroups } from './cgroups.ts';
import { installReleases } from './charts/install.ts';
import { publishCharts } from './charts/publish.ts';
import { registryServer } from './charts/registry.ts';
import { containerd } from './containerd.ts';
import { restoreCassandraContent, restoreOpenBaoContent } from './content.ts';
import { isCurrentSeed, recordSeed, wasSeeded } from './fingerprint.ts';
import { ensureImages } from './images.ts';
import { ensureJwtPlugin } from './jwt-plugin.ts';
import { withStackLock } from './lock.ts';
import { namespaces, platform } from './manifests/index.ts';
import { ensureStreams } from './nats-streams.ts';
import { ensureNetwork, networkIsUp } from './network.ts';
import { ensureOpenBao, openBaoStatus, settleOpenBao } from './openbao.ts';
import { ensurePackages } from './packages.ts';
import { adminKubeconfig, nodeName, stateFolder } from './paths.ts';
import { ensureServer, lastLogLines, recordedServers, runningPid } from './processes.ts';
import { restoreWorkloads } from './reset.ts';
import {
  apiServer,
  apiServerIsReady,
  controllerManager,
  coredns,
  etcd,
  kubelet,
  scheduler,
} from './servers.ts';
import { say, waitFor } from './shell.ts';
import { recordMachine, tearDown } from './teardown.ts';
import { waitForWorkloads } from './workloads.ts';

const serverNames = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'containerd',
  'kubelet',
  'coredns',
  'chart-registry',
];

/** Brings the whole stack up, or what is missing of it. Returns at once if all of it works. */
export async function up(): Promise<void> {
  if (await isUp()) return;
  await withStackLock(async () => {
    if (await isUp()) return;
    await step('packages', ensurePackages);
    await step('programs', ensureBinaries);
    await step('helm', ensureHelm);
    await step('chart registry', ensureRegistryProgram);
    await step('NATS', ensureNats);
    await step('JWT engine', ensureJwtPlugin);
    await step('cassandra', ensureCassandraJars);
    if (await isBeyondRepair()) await step('clearing the remains', tearDown);
    await step('control plane', startControlPlane);
    await step('node', startNode);
    await step('workloads', startWorkloads);
  });
}

/** Brings the workloads back to their first state without rebuilding the cluster. */
export async function reset(): Promise<void> {
  await withStackLock(async () => {
    if (!wasSeeded()) throw new Error('the stack is not up');
    await startControlPlane();
    await startNode();
    await restoreWorkloads();
    recordSeed();
  });
}

/** Ends the stack and removes everything but the built programs. */
export async function down(): Promise<void> {
  await withStackLock(tearDown);
}

/** Does everything run, as these sources say, is every pod ready and OpenBao unsealed? */
export async function isUp(): Promise<boolean> {
  if (!isCurrentSeed() || !serverNames.every((name) => runningPid(name) !== undefined)) return false;
  try {
    if (!(await networkIsUp()) || !(await apiServerIsReady())) return false;
    const connection = connect();
    const workloads = await listWorkloads(connection);
    if (!(await nodeIsReady(connection)) || workloads.length === 0 || !workloads.every(isSettled))
      return false;
    // A sealed OpenBao pod is ready all the same.
    return (await openBaoStatus(connection)).every(({ sealed }) => sealed === false);
  } catch {
    return false;
  }
}

/** What runs, for people. */
export async function describeStatus(): Promise<string> {
  const servers = serverNames.map((name) => `${name.padEnd(26)}${runningPid(name) ?? 'not running'}`);
  const lines = [
    `state folder              ${stateFolder()}`,
    `kubeconfig                ${adminKubeconfig()}`,
    ...servers,
  ];
  if (!serverNames.every((name) => runningPid(name) !== undefined)) return lines.join('\n');
  const connection = connect();
  const workloads = (await listWorkloads(connection)).map((workload) => {
    const { metadata, spec, status } = workload;
    const state = isSettled(workload) ? 'ready' : 'not ready';
    return `${`${metadata?.namespace}/${metadata?.name}`.padEnd(48)}${status?.readyReplicas ?? 0}/${spec?.replicas} ${state}`;
  });
  const vault = (await openBaoStatus(connection)).map(({ pod, reachable, sealed, active }) => {
    const state = reachable ? `${sealed ? 'sealed' : 'unsealed'}${active ? ', active' : ''}` : 'no answer';
    return `${pod.padEnd(48)}${state}`;
  });
  return [...lines, ...workloads, ...vault].join('\n');
}

// Without the bridge or the control group the pods that are left are lost, and a first start that was cut short may
// have lost OpenBao's only key.
async function isBeyondRepair(): Promise<boolean> {
  if (recordedServers().length === 0) return false;
  return !wasSeeded() || !cgroupsExist() || !(await networkIsUp());
}

async function startControlPlane(): Promise<void> {
  recordMachine();
  await ensureNetwork();
  ensureCgroups();
  await ensureCertificates();
  await Promise.all([
    ensureServer(etcd()),
    ensureServer(containerd()).then(ensureImages),
    ensureServer(registryServer()),
  ]);
  await ensureServer(apiServer());
}

async function startNode(): Promise<void> {
  const connection = connect();
  await waitFor(() => Promise.all(platform().map((manifest) => putObject(connection, manifest))), {
    what: 'the API server to take objects',
    seconds: 60,
  });
  await Promise.all([controllerManager(), scheduler(), kubelet(), coredns()].map(ensureServer));
  await waitFor(() => nodeIsReady(connection), {
    what: 'the node to be ready',
    seconds: 90,
    explain: () => lastLogLines('kubelet'),
  });
  await waitFor(async () => (await defaultAccounts(connection)).length >= namespaces.length, {
    what: 'the default ServiceAccounts',
    seconds: 60,
  });
}

async function startWorkloads(): Promise<void> {
  const connection = connect();
  if (!wasSeeded()) await startNewWorkloads(connection);
  else if (!isCurrentSeed()) await restoreWorkloads(connection);
  else {
    // A test of another process may just be rolling something out: that is no reason to undo it.
    const settled = await waitForWorkloads(connection, 60).then(
      () => true,
      () => false,
    );
    await (settled
      ? Promise.all([settleOpenBao(connection), ensureStreams(connection)])
      : restoreWorkloads(connection));
  }
  recordSeed();
}

async function startNewWorkloads(connection: Connection): Promise<void> {
  await installReleases(connection);
  // The services wait for what they read from either.
  await Promise.all([
    ensureOpenBao(connection).then(() => restoreOpenBaoContent(connection)),
    restoreCassandraContent(connection, { schema: true }),
    publishCharts(),
    ensureStreams(connection),
  ]);
  await waitForWorkloads(connection, 300);
}

async function nodeIsReady(connection: Connection): Promise<boolean> {
  const nodes = await listObjects<V1Node>(connection, 'v1', 'Node');
  const node = nodes.find(({ metadata }) => metadata?.name === nodeName);
  return node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

async function defaultAccounts(connection: Connection): Promise<V1ServiceAccount[]> {
  const accounts = await listObjects<V1ServiceAccount>(connection, 'v1', 'ServiceAccount');
  return accounts.filter(
    ({ metadata }) => metadata?.name === 'default' && namespaces.includes(metadata.namespace ?? ''),
  );
}

async function step(name: string, work: () => Promise<unknown>): Promise<void> {
  const started = performance.now();
  await work();
  say(`${name.padEnd(24)}${((performance.now() - started) / 1000).toFixed(1)} s`);
}
