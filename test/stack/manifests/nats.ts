import path from 'node:path';
import { image } from '../image-names.ts';
import { natsFolder } from '../paths.ts';
import { contentHash, hostMount, type Manifest, service, waitingContainer } from './manifest.ts';

export const natsNamespace = 'nats-system';
export const natsPods = ['nats-0', 'nats-1', 'nats-2'] as const;

const labels = {
  'app.kubernetes.io/name': 'nats',
  'app.kubernetes.io/instance': 'nats',
  'app.kubernetes.io/component': 'nats',
};
const boxLabels = { ...labels, 'app.kubernetes.io/component': 'nats-box' };
const monitor = 8222;

/** NATS: three real servers with JetStream, whose data ends with its pod, and the tool box pod. */
export function nats(): Manifest[] {
  return [
    service('nats', natsNamespace, labels, { nats: 4222 }),
    service('nats-headless', natsNamespace, labels, { nats: 4222, cluster: 6222, monitor }, true),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'nats-config', namespace: natsNamespace },
      data: { 'nats.conf': configuration },
    },
    statefulSet(),
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'nats-box', namespace: natsNamespace, labels: boxLabels },
      spec: {
        replicas: 1,
        selector: { matchLabels: boxLabels },
        template: {
          metadata: { labels: boxLabels },
          spec: {
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            terminationGracePeriodSeconds: 5,
            containers: [waitingContainer('nats-box', image)],
          },
        },
      },
    },
  ];
}

function statefulSet(): Manifest {
  const program = hostMount(
    'nats-server',
    path.join(natsFolder(), 'nats-server'),
    '/usr/local/bin/nats-server',
  );
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: {
      name: 'nats',
      namespace: natsNamespace,
      labels: { ...labels, 'app.kubernetes.io/managed-by': 'Helm' },
    },
    spec: {
      replicas: natsPods.length,
      serviceName: 'nats-headless',
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 5,
          containers: [natsContainer(program.mount), waitingContainer('reloader', image)],
          volumes: [
            program.volume,
            { name: 'config', configMap: { name: 'nats-config' } },
            { name: 'data', emptyDir: {} },
          ],
        },
      },
    },
  };
}

function natsContainer(program: object) {
  const health = (query: string) => ({ httpGet: { path: `/healthz?${query}`, port: monitor } });
  return {
    name: 'nats',
    image,
    imagePullPolicy: 'Never',
    command: ['/usr/local/bin/nats-server', '--config', '/etc/nats-config/nats.conf'],
    env: [
      { name: 'SERVER_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'CONFIG_HASH', value: contentHash(configuration) },
    ],
    ports: [
      { name: 'nats', containerPort: 4222 },
      { name: 'cluster', containerPort: 6222 },
      { name: 'monitor', containerPort: monitor },
    ],
    // Nothing but the first passes only when the streams of this pod have caught up: a rollout waits for it.
    startupProbe: { httpGet: { path: '/healthz', port: monitor }, periodSeconds: 1, failureThreshold: 90 },
    readinessProbe: { ...health('js-server-only=true'), periodSeconds: 1 },
    livenessProbe: { ...health('js-enabled-only=true'), periodSeconds: 10 },
    volumeMounts: [
      program,
      { name: 'config', mountPath: '/etc/nats-config', readOnly: true },
      { name: 'data', mountPath: '/data' },
    ],
  };
}

const configuration = `server_name: $SERVER_NAME
server_tags: ["dc:ncp"]
port: 4222
http_port: ${monitor}
jetstream {
  store_dir: "/data"
  max_memory_store: 64MB
  max_file_store: 16MB
}
cluster {
  name: nats
  port: 6222
  no_advertise: true
  routes: [
${natsPods.map((pod) => `    "nats://${pod}.nats-headless:6222"`).join('\n')}
  ]
}
`;
