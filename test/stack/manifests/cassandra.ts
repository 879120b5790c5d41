import path from 'node:path';
import { image } from '../image-names.ts';
import { javaHome } from '../packages.ts';
import { cassandraFolder, statePath } from '../paths.ts';
import { cassandraFiles, cassandraPods } from './cassandra-config.ts';
import { systemMounts } from './double.ts';
import { contentHash, hostMount, type Manifest, service } from './manifest.ts';

export const cassandraNamespace = 'cassandra-system';
const namespace = cassandraNamespace;
const labels = { 'app.kubernetes.io/name': 'cassandra', 'app.kubernetes.io/instance': 'cassandra' };
const cql = 9042;

/** Folder that the pods see too: `hold-<pod>` keeps a pod from starting. */
export function cassandraControlFolder(): string {
  return statePath('cassandra-control');
}

/** Cassandra: three real servers whose data outlives their pods. */
export function cassandra(): Manifest[] {
  const files = cassandraFiles(path.join(javaHome(), 'bin', 'java'));
  return [
    service('cassandra', namespace, labels, { cql, metrics: 9500 }),
    service('cassandra-headless', namespace, labels, { intra: 7000, cql }, true),
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cassandra-config', namespace }, data: files },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: {
        name: 'cassandra',
        namespace,
        labels: { ...labels, 'app.kubernetes.io/managed-by': 'Helm' },
      },
      spec: {
        replicas: cassandraPods.length,
        serviceName: 'cassandra-headless',
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            terminationGracePeriodSeconds: 20,
            initContainers: [configuration()],
            containers: [server(contentHash(files))],
            volumes: [
              ...mounts().map(({ volume }) => volume),
              { name: 'config', configMap: { name: 'cassandra-config', defaultMode: 0o555 } },
              { name: 'data', hostPath: { path: statePath('cassandra-data'), type: 'DirectoryOrCreate' } },
              { name: 'control', hostPath: { path: cassandraControlFolder(), type: 'DirectoryOrCreate' } },
            ],
          },
        },
      },
    },
  ];
}

function mounts() {
  return [
    hostMount('cassandra', path.join(cassandraFolder(), 'lib'), '/opt/cassandra/lib'),
    ...systemMounts(),
  ];
}

const config = { name: 'config', mountPath: '/etc/cassandra', readOnly: true };
const podName = { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } };

// The chart's container writes the configuration here; ours finds it written, and waits while a test holds the pod.
function configuration() {
  return {
    name: 'cassandra-conf-init',
    image,
    imagePullPolicy: 'Never',
    command: ['/bin/sh', '/etc/cassandra/wait.sh'],
    env: [podName],
    volumeMounts: [config, { name: 'control', mountPath: '/control', readOnly: true }],
  };
}

// The chart's probes run `nodetool status`, which costs a second of processor time; a node listens for clients only
// once it is up and normal, so an open port says the same for nothing.
function server(configHash: string) {
  const probe = { tcpSocket: { port: cql }, timeoutSeconds: 5 };
  return {
    name: 'cassandra',
    image,
    imagePullPolicy: 'Never',
    command: ['/bin/sh', '/etc/cassandra/start.sh'],
    env: [
      podName,
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'PATH', value: '/etc/cassandra:/usr/local/bin:/bin' },
      { name: 'CONFIG_HASH', value: configHash },
    ],
    ports: [
      { name: 'cql', containerPort: cql },
      { name: 'intra', containerPort: 7000 },
    ],
    startupProbe: { ...probe, periodSeconds: 1, failureThreshold: 600 },
    readinessProbe: { ...probe, periodSeconds: 2 },
    livenessProbe: { ...probe, periodSeconds: 30 },
    volumeMounts: [
      ...mounts().map(({ mount }) => mount),
      config,
      { name: 'data', mountPath: '/var/lib/cassandra', subPathExpr: '$(POD_NAME)' },
    ],
  };
}
