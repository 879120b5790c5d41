import { doubleContainer, doubleVolumes } from './double.ts';
import { type Manifest, service, serviceAccount } from './manifest.ts';
import type { NvcfService } from './services.ts';

/** Deployment, Services and ServiceAccount of one NVCF service. */
export function deploymentOf(definition: NvcfService): Manifest[] {
  return [
    ...(definition.serviceAccount === undefined
      ? []
      : [serviceAccount(definition.serviceAccount, definition.namespace)]),
    deployment(definition),
    ...Object.entries(definition.services).map(([name, portNames]) =>
      service(name, definition.namespace, selectorOf(definition), portsOf(definition, portNames)),
    ),
  ];
}

function deployment(definition: NvcfService): Manifest {
  const {
    deployment: name,
    namespace,
    replicas = 1,
    chart,
    env,
    listen,
    program,
    serviceAccount: account,
  } = definition;
  const labels = selectorOf(definition);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels: { ...labels, 'app.kubernetes.io/managed-by': 'Helm' } },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...(account === undefined ? {} : { serviceAccountName: account }),
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 5,
          containers: [
            doubleContainer({
              name: definition.container ?? chart,
              listen,
              ...(program === undefined ? {} : { program }),
              probes: probes(definition),
              ...(env === undefined ? {} : { env }),
            }),
          ],
          volumes: doubleVolumes(program),
        },
      },
    },
  };
}

// Kinds and thresholds of the probes are the charts' own, periods are shorter: a test should not wait for them.
function probes({ readiness, liveness, startup }: NvcfService): Record<string, unknown> {
  return {
    ...(readiness && {
      readinessProbe: {
        httpGet: { path: readiness.path, port: readiness.port },
        periodSeconds: 1,
        timeoutSeconds: 5,
        ...(readiness.successThreshold && { successThreshold: readiness.successThreshold }),
      },
    }),
    ...(liveness && {
      livenessProbe: {
        httpGet: { path: liveness.path, port: liveness.port },
        periodSeconds: 10,
        timeoutSeconds: 5,
        ...(liveness.failureThreshold && { failureThreshold: liveness.failureThreshold }),
      },
    }),
    ...(startup && {
      startupProbe: {
        httpGet: { path: startup.path, port: startup.port },
        periodSeconds: 1,
        failureThreshold: startup.failureThreshold,
      },
    }),
  };
}

function selectorOf({ chart, release, labels }: NvcfService): Record<string, string> {
  return { 'app.kubernetes.io/name': chart, 'app.kubernetes.io/instance': release, ...labels };
}

function portsOf({ listen }: NvcfService, names: string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, listen[name]?.port ?? 0]));
}
