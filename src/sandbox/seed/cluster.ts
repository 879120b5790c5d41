import { kinds } from '../../services/kubernetes.ts';
import { createObject } from '../api.ts';
import { otherKinds } from '../catalog.ts';
import { settleConsumers } from '../consumers/life.ts';
import { seedReleases } from '../helm/seed.ts';
import { seedSecrets } from '../mek/stored.ts';
import { seedStreams } from '../nats/cluster.ts';
import { type Pod, timestamp } from '../objects.ts';
import type { Fields } from '../patch.ts';
import type { World } from '../world.ts';
import { seedCertificate } from './certificate.ts';
import { seedLive } from './live.ts';
import { networkServices, workload } from './manifests.ts';
import { seedPullSecret } from './pull-secret.ts';
import { seededServices } from './services.ts';
import { type LiveShape, namespacesOf, objectsOfKind } from './shape.ts';

/** How old the seeded world is when a run begins, in milliseconds: one day. */
export const AGE = 86_400_000;

/** Names of the Kubernetes namespaces that every cluster has. */
const SYSTEM = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];
const NODES = 3;

function node(world: World, at: number): void {
  const name = `sandbox-node-${at}`;
  const now = timestamp(world.timeline.now);
  const amounts = { cpu: '16', memory: '64Gi', pods: '110' };
  world.store.put(otherKinds.nodes, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: world.random.uuid(),
      resourceVersion: '',
      creationTimestamp: now,
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' },
    },
    spec: {},
    status: {
      allocatable: amounts,
      capacity: amounts,
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', lastTransitionTime: now }],
      nodeInfo: { kubeletVersion: 'v1.34.4', architecture: 'amd64', operatingSystem: 'linux' },
    },
  });
}

/** The root token of the seeded OpenBao: made from the seed, worth nothing anywhere else. */
export function rootToken(seed: number): string {
  return `s.sandbox-root-${seed}`;
}

function secrets(world: World): readonly Fields[] {
  const secret = (name: string, stringData: Fields): Fields => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'vault-system' },
    stringData,
  });
  const key = Buffer.from(world.random.hex(64), 'hex').toString('base64');
  return [
    secret('openbao-server-root-token', { root_token: rootToken(world.seed) }),
    secret('openbao-server-unseal', { unseal_key: key }),
  ];
}

const NOTHING: LiveShape = { objects: [], own: [] };

function nameOf(object: Fields): string {
  return String((object.metadata as { readonly name?: string }).name);
}

function placeOf(object: Fields): string {
  const { namespace } = object.metadata as { readonly namespace?: string };
  return `${namespace}/${nameOf(object)}`;
}

function namespaceNamed(name: string): Fields {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      labels: {
        'kubernetes.io/metadata.name': name,
        ...(SYSTEM.includes(name) ? {} : { 'nvcf/platform': 'true' }),
      },
    },
    spec: { finalizers: ['kubernetes'] },
  };
}

/** Fills an empty world with the control plane and lets a day pass, so that everything has settled and has an age. */
export function seedCluster(
  world: World,
  given: {
    readonly nvcaOperator: boolean;
    readonly essReplicas: number;
    readonly earlierKeys: number;
  },
): void {
  const { live = NOTHING } = world;
  const usual = world.live === undefined;
  const seeded = seededServices(given);
  const services = seeded.filter(({ namespace, name }) => usual || live.own.includes(`${namespace}/${name}`));
  const create = (manifest: Fields) => createObject(world, manifest, { dryRun: false, manager: 'helm' });
  const platform = [...seeded.map(({ namespace }) => namespace), ...namespacesOf(live)].sort();
  const found = new Map(objectsOfKind(live, 'Namespace').map((each) => [nameOf(each), each]));
  for (const name of new Set([...SYSTEM, ...platform, ...found.keys()]))
    create(found.get(name) ?? namespaceNamed(name));
  const nodes = objectsOfKind(live, 'Node');
  for (const each of nodes) create(each);
  if (nodes.length === 0) for (let at = 1; at <= NODES; at += 1) node(world, at);
  for (const manifest of secrets(world)) create(manifest);
  for (const name of usual ? ['nvcf-api-env', 'nvcf-api-vault-agent-tpl'] : [])
    create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'nvcf' },
      data: { profile: 'ncp-prod' },
    });
  const isLive = (manifest: Fields) =>
    objectsOfKind(live, 'Service').some((each) => placeOf(each) === placeOf(manifest));
  for (const service of services) {
    for (const manifest of networkServices(service)) if (!isLive(manifest)) create(manifest);
    create(workload(service));
  }
  seedLive(world, live);
  world.timeline.advance(world.epoch);
  for (const event of world.store.all(kinds.events)) world.store.remove(kinds.events, event);
  seedStreams(world);
  seedCertificate(world);
  seedPullSecret(world);
  seedSecrets(world, given.earlierKeys);
  settleConsumers(world, world.store.all<Pod>(kinds.pods));
  seedReleases(world, { ...given, installed: world.epoch - AGE });
  world.store.compact();
}
