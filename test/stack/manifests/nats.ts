import { image } from '../image-names.ts';
import { doubleContainer, doubleVolumes } from './double.ts';
import { type Manifest, service, waitingContainer } from './manifest.ts';

const namespace = 'nats-system';
const labels = {
  'app.kubernetes.io/name': 'nats',
  'app.kubernetes.io/instance': 'nats',
  'app.kubernetes.io/component': 'nats',
};
const boxLabels = { ...labels, 'app.kubernetes.io/component': 'nats-box' };
const monitor = 8222;

/** NATS: three servers, whose container is a double at this stage, and the tool box pod. */
export function nats(): Manifest[] {
  return [
    service('nats', namespace, labels, { nats: 4222 }),
    service('nats-headless', namespace, labels, { nats: 4222, cluster: 6222, monitor }, true),
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'nats', namespace, labels: { ...labels, 'app.kubernetes.io/managed-by': 'Helm' } },
      spec: {
        replicas: 3,
        serviceName: 'nats-headless',
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            terminationGracePeriodSeconds: 5,
            containers: [natsContainer(), waitingContainer('reloader', image)],
            volumes: doubleVolumes(),
          },
        },
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'nats-box', namespace, labels: boxLabels },
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

function natsContainer() {
  const health = (query: string) => ({ httpGet: { path: `/healthz?${query}`, port: monitor } });
  return doubleContainer({
    name: 'nats',
    listen: {
      nats: { port: 4222 },
      cluster: { port: 6222 },
      monitor: { port: monitor, paths: ['/healthz', '/metrics'] },
    },
    probes: {
      startupProbe: { httpGet: { path: '/healthz', port: monitor }, periodSeconds: 1, failureThreshold: 90 },
      readinessProbe: { ...health('js-server-only=true'), periodSeconds: 1 },
      livenessProbe: { ...health('js-enabled-only=true'), periodSeconds: 10 },
    },
  });
}
