import { image } from '../image-names.ts';
import { doubleContainer, doubleVolumes } from './double.ts';
import { type Manifest, service } from './manifest.ts';

const namespace = 'cassandra-system';
const labels = { 'app.kubernetes.io/name': 'cassandra', 'app.kubernetes.io/instance': 'cassandra' };

/** Cassandra: three pods, whose container is a double at this stage, `nodetool status` included. */
export function cassandra(): Manifest[] {
  return [
    service('cassandra', namespace, labels, { cql: 9042, metrics: 9500 }),
    service('cassandra-headless', namespace, labels, { intra: 7000, cql: 9042 }, true),
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: {
        name: 'cassandra',
        namespace,
        labels: { ...labels, 'app.kubernetes.io/managed-by': 'Helm' },
      },
      spec: {
        replicas: 3,
        serviceName: 'cassandra-headless',
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            terminationGracePeriodSeconds: 5,
            initContainers: [
              { name: 'cassandra-conf-init', image, imagePullPolicy: 'Never', command: ['/bin/true'] },
            ],
            containers: [cassandraContainer()],
            volumes: doubleVolumes(),
          },
        },
      },
    },
  ];
}

function cassandraContainer() {
  const nodetool = (test: string) => ({
    exec: { command: ['/bin/sh', '-c', `ONLY=$HOSTNAME nodetool status | ${test}`] },
  });
  const container = doubleContainer({
    name: 'cassandra',
    listen: {
      cql: { port: 9042 },
      intra: { port: 7000 },
      metrics: { port: 9500, paths: ['/metrics', '/health'] },
    },
    env: { PATH: '/opt/doubles:/usr/local/bin:/bin' },
    probes: {
      startupProbe: {
        ...nodetool('grep -q "^UN"'),
        periodSeconds: 1,
        timeoutSeconds: 15,
        failureThreshold: 600,
      },
      readinessProbe: { ...nodetool('grep -q "^UN  $POD_IP "'), periodSeconds: 5, timeoutSeconds: 15 },
      livenessProbe: { ...nodetool('grep -q "^U"'), periodSeconds: 30, timeoutSeconds: 15 },
    },
  });
  const podIp = { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } };
  return { ...container, env: [...container.env, podIp] };
}
