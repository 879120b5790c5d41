import { superuser } from '../keyspaces.ts';
import { cassandra } from './cassandra.ts';
import { cassandraJobs } from './cassandra-jobs.ts';
import { chartValue, hook, hookEvents } from './chart-value.ts';
import { deploymentOf } from './deployments.ts';
import type { Manifest } from './manifest.ts';
import { initializeClusterJob, migrationsJob } from './migrations.ts';
import { nats } from './nats.ts';
import { openbao } from './openbao.ts';
import { type NvcfService, nvcfServices } from './services.ts';

/** One Helm release of the control plane at its first revision. */
export interface Release {
  readonly name: string;
  readonly namespace: string;
  readonly chart: string;
  /** Version that the stack of the control plane pins. */
  readonly version: string;
  /** The Deployment or StatefulSet that the chart is for. */
  readonly workload: string;
  /** All that the chart consists of; what carries a hook's annotation, Helm creates at that event only. */
  readonly objects: readonly Manifest[];
  /** What the operator of the first installation gave. */
  readonly values: Readonly<Record<string, unknown>>;
}

const pins: readonly [name: string, chart: string, version: string][] = [
  ['cassandra', 'helm-nvcf-cassandra', '0.20.1'],
  ['nats', 'helm-nvcf-nats', '0.7.1'],
  ['openbao-server', 'helm-nvcf-openbao-server', '0.30.25'],
  ['api', 'helm-nvcf-api', '1.25.1'],
  ['invocation-service', 'helm-nvcf-invocation-service', '1.5.6'],
  ['grpc-proxy', 'helm-nvcf-grpc-proxy', '1.7.1'],
  ['notary-service', 'helm-nvcf-notary-service', '1.4.2'],
  ['sis', 'helm-nvcf-sis', '2.0.0'],
  ['api-keys', 'helm-nvcf-api-keys', '1.6.0'],
  ['admin-issuer-proxy', 'helm-admin-token-issuer-proxy', '1.4.3'],
  ['ess-api', 'helm-nvcf-ess-api', '1.7.2'],
  ['nvca-operator', 'helm-nvca-operator', '3.0.4'],
  ['eg', 'gateway-helm', 'v1.1.3'],
];

/** The thirteen releases. */
export function releases(): readonly Release[] {
  return pins.map(([name, chart, version]) => {
    const objects = objectsOf(name);
    const [main] = objects.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');
    const namespace = main?.metadata.namespace;
    if (main === undefined || namespace === undefined) throw new Error(`release ${name} has no workload`);
    const { replicas } = main.spec as { replicas: number };
    const values = { replicaCount: replicas, ...credentials[name] };
    return { name, namespace, chart, version, workload: main.metadata.name, objects, values };
  });
}

/** The objects of a release that its installation creates. */
export function installed({ objects }: Release): Manifest[] {
  return objects.filter((object) => hookEvents(object).length === 0);
}

/** What an operator would keep secret: it stands in the values of the release. */
const credentials: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  cassandra: { cassandra: { dbUser: { user: superuser.username, password: superuser.password } } },
  api: { accountBootstrap: { registryCredential: '$oauthtoken:stack-registry-credential' } },
};

/** By release: what is there beside the services of `services.ts`. The workload of the chart comes first. */
const others: Readonly<Record<string, () => Manifest[]>> = {
  cassandra: () => [...cassandra(), ...cassandraJobs()],
  nats,
  api: () => [bootstrapSecret()],
  'openbao-server': () => [
    ...openbao(),
    hook(initializeClusterJob(), ['post-install'], -5),
    hook(migrationsJob({ readFails: chartValue('migrations.readFails') }), everyUpgrade, 1),
  ],
};

const everyUpgrade = ['post-install', 'post-upgrade'] as const;

function bootstrapSecret(): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'nvcf-api-account-bootstrap-secret', namespace: 'nvcf' },
    stringData: { 'registry-credential': chartValue('accountBootstrap.registryCredential') },
  };
}

function objectsOf(release: string): Manifest[] {
  const services: NvcfService[] = nvcfServices.filter((service) => service.release === release);
  return [...(others[release]?.() ?? []), ...services.flatMap(deploymentOf)];
}
