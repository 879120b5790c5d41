import type { Fields } from '../patch.ts';
import { pinnedVersion } from './pins.ts';
import type { SeededService } from './services.ts';

function containers(service: SeededService): readonly Fields[] {
  const main: Fields = {
    name: service.container,
    image: service.image,
    ports: Object.entries(service.ports).map(([name, containerPort]) => ({ name, containerPort })),
    resources: { requests: service.requests },
    ...(service.readiness === undefined
      ? {}
      : { readinessProbe: { httpGet: service.readiness, periodSeconds: 10 } }),
  };
  const sidecar = (name: string): Fields => ({
    name,
    image: name === 'vault-agent' ? 'nvcf/openbao-agent:2.5.5-nv-1.3.1' : service.image,
    resources: { requests: { cpu: '10m', memory: '32Mi' } },
  });
  return [main, ...(service.sidecars ?? []).map(sidecar)];
}

/** By this Helm knows an object as its own. */
function ofRelease({ release, namespace }: SeededService): Fields {
  return { 'meta.helm.sh/release-name': release, 'meta.helm.sh/release-namespace': namespace };
}

/** The workload of a service, as its chart would render it. */
export function workload(service: SeededService): Fields {
  const init = (service.init ?? []).map((name) => ({ name, image: service.image }));
  return {
    apiVersion: 'apps/v1',
    kind: service.kind,
    metadata: {
      name: service.name,
      namespace: service.namespace,
      labels: {
        ...service.labels,
        'helm.sh/chart': `${service.chart}-${pinnedVersion(service.release)}`,
        'app.kubernetes.io/managed-by': 'Helm',
      },
      annotations: ofRelease(service),
    },
    spec: {
      ...(service.kind === 'DaemonSet' ? {} : { replicas: service.replicas }),
      ...service.spec,
      selector: { matchLabels: service.labels },
      template: {
        metadata: { labels: service.labels },
        spec: {
          serviceAccountName: 'default',
          terminationGracePeriodSeconds: service.grace,
          ...(init.length === 0 ? {} : { initContainers: init }),
          containers: containers(service),
        },
      },
    },
  };
}

/** The Services in front of it; `-active` and `-standby` follow the labels that OpenBao gives its pods. */
export function networkServices(service: SeededService): readonly Fields[] {
  return Object.entries(service.services).map(([name, ports]) => {
    const role = /-(active|standby)$/.exec(name)?.[1];
    const selector = {
      ...service.labels,
      ...(role === undefined ? {} : { 'openbao-active': String(role === 'active') }),
    };
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name,
        namespace: service.namespace,
        labels: { ...service.labels, 'app.kubernetes.io/managed-by': 'Helm' },
        annotations: ofRelease(service),
      },
      spec: {
        selector,
        ...(/-(headless|internal)$/.test(name) ? { clusterIP: 'None', publishNotReadyAddresses: true } : {}),
        ports: ports.map((port) => ({
          name: port,
          port: service.ports[port],
          targetPort: service.ports[port],
          protocol: 'TCP',
        })),
      },
    };
  });
}
