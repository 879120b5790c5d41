/** What the simulated pods of a service answer, by port: paths, or 'metrics'. */
export interface SeededService {
  readonly namespace: string;
  readonly kind: 'Deployment' | 'StatefulSet' | 'DaemonSet';
  readonly name: string;
  readonly chart: string;
  readonly release: string;
  readonly container: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly replicas: number;
  readonly ports: Readonly<Record<string, number>>;
  /** Service name → names of its ports. */
  readonly services: Readonly<Record<string, readonly string[]>>;
  readonly readiness?: { readonly path: string; readonly port: number };
  readonly grace: number;
  readonly requests: Readonly<Record<string, string>>;
  readonly sidecars?: readonly string[];
  readonly init?: readonly string[];
  /** Further fields of the workload's spec. */
  readonly spec?: Readonly<Record<string, unknown>>;
}

const actuator = (port: number) => ({ path: '/actuator/health/readiness', port });
const small = { cpu: '250m', memory: '256Mi' };
const java = { cpu: '1', memory: '1Gi' };
const agent = { sidecars: ['vault-agent'], init: ['vault-agent-init'] };

function app(
  given: Partial<SeededService> &
    Pick<SeededService, 'namespace' | 'name' | 'chart' | 'release' | 'ports' | 'services'>,
): SeededService {
  const { chart, release } = given;
  return {
    kind: 'Deployment',
    container: chart,
    image: `nvcf/${release}:1.0.0`,
    labels: { 'app.kubernetes.io/name': chart, 'app.kubernetes.io/instance': release },
    replicas: 1,
    grace: 30,
    requests: small,
    ...given,
  };
}

const front: readonly SeededService[] = [
  app({
    namespace: 'nvcf',
    name: 'nvcf-api',
    chart: 'helm-nvcf-api',
    release: 'api',
    ports: { http: 8080, grpc: 9090, metrics: 9464, management: 8181 },
    services: { api: ['http', 'grpc', 'metrics'] },
    readiness: actuator(8181),
    grace: 60,
    requests: java,
    ...agent,
  }),
  app({
    namespace: 'nvcf',
    name: 'invocation-service',
    chart: 'helm-nvcf-invocation-service',
    release: 'invocation-service',
    ports: { http: 8080, metrics: 41337 },
    services: { invocation: ['http', 'metrics'] },
    readiness: { path: '/health', port: 8080 },
  }),
  app({
    namespace: 'nvcf',
    name: 'grpc-proxy-deployment',
    chart: 'helm-nvcf-grpc-proxy',
    release: 'grpc-proxy',
    labels: {
      'app.kubernetes.io/name': 'helm-nvcf-grpc-proxy',
      'app.kubernetes.io/instance': 'grpc-proxy',
      'app.kubernetes.io/component': 'deployment',
    },
    ports: { client: 10081, worker: 10086, metrics: 10083 },
    services: { grpc: ['client', 'worker', 'metrics'], 'grpc-headless': ['client', 'worker', 'metrics'] },
    readiness: { path: '/health', port: 10081 },
  }),
  app({
    namespace: 'nvcf',
    name: 'notary-service',
    chart: 'helm-nvcf-notary-service',
    release: 'notary-service',
    ports: { http: 8080, management: 8181 },
    services: { notary: ['http', 'management'] },
    readiness: actuator(8181),
    requests: java,
    ...agent,
  }),
  app({
    namespace: 'sis',
    name: 'spot-instance-service',
    chart: 'helm-nvcf-sis',
    release: 'sis',
    ports: { http: 8080, management: 8181 },
    services: { api: ['http', 'management'] },
    readiness: actuator(8181),
    requests: java,
    ...agent,
  }),
  app({
    namespace: 'api-keys',
    name: 'api-keys',
    chart: 'helm-nvcf-api-keys',
    release: 'api-keys',
    ports: { http: 8080, management: 9090 },
    services: { 'api-keys': ['http'] },
    readiness: { path: '/admin/health/readiness', port: 9090 },
    requests: java,
    ...agent,
  }),
  app({
    namespace: 'api-keys',
    name: 'admin-token-issuer-proxy',
    chart: 'helm-admin-token-issuer-proxy',
    release: 'admin-issuer-proxy',
    ports: { http: 8080 },
    services: { 'admin-token-issuer-proxy': ['http'] },
    readiness: { path: '/healthz', port: 8080 },
  }),
  app({
    namespace: 'ess',
    name: 'ess-api-deployment',
    chart: 'helm-nvcf-ess-api',
    release: 'ess-api',
    ports: { http: 8080, metrics: 9464 },
    services: { 'ess-api': ['http', 'metrics'] },
    readiness: { path: '/health/readiness', port: 8080 },
    requests: java,
    ...agent,
  }),
  app({
    namespace: 'envoy-gateway-system',
    name: 'envoy-gateway',
    chart: 'gateway-helm',
    release: 'eg',
    container: 'envoy-gateway',
    labels: {
      'app.kubernetes.io/name': 'gateway-helm',
      'app.kubernetes.io/instance': 'eg',
      'control-plane': 'envoy-gateway',
    },
    ports: { grpc: 18000, metrics: 19001, health: 8081 },
    services: { 'envoy-gateway': ['grpc', 'metrics'] },
    readiness: { path: '/readyz', port: 8081 },
  }),
];

const operator = app({
  namespace: 'nvca-operator',
  name: 'nvca-operator',
  chart: 'helm-nvca-operator',
  release: 'nvca-operator',
  container: 'nvca-operator',
  labels: { 'app.kubernetes.io/name': 'nvca-operator', 'app.kubernetes.io/instance': 'nvca-operator' },
  ports: {},
  services: {},
  grace: 600,
});

const natsLabels = { 'app.kubernetes.io/name': 'nats', 'app.kubernetes.io/instance': 'nats' };
const baoLabels = {
  'app.kubernetes.io/name': 'openbao',
  'app.kubernetes.io/instance': 'openbao-server',
  component: 'server',
};

const stores: readonly SeededService[] = [
  app({
    namespace: 'cassandra-system',
    kind: 'StatefulSet',
    name: 'cassandra',
    chart: 'helm-nvcf-cassandra',
    release: 'cassandra',
    container: 'cassandra',
    image: 'nvcf/cassandra:5.0.8-nv-2.0.1',
    labels: { 'app.kubernetes.io/name': 'cassandra', 'app.kubernetes.io/instance': 'cassandra' },
    replicas: 3,
    ports: { cql: 9042, metrics: 9500, intra: 7000 },
    services: { cassandra: ['cql', 'metrics'], 'cassandra-headless': ['intra', 'cql'] },
    readiness: { path: '/health', port: 9500 },
    grace: 120,
    requests: { cpu: '1', memory: '3Gi' },
    init: ['cassandra-conf-init'],
    spec: { serviceName: 'cassandra-headless', podManagementPolicy: 'OrderedReady' },
  }),
  app({
    namespace: 'nats-system',
    kind: 'StatefulSet',
    name: 'nats',
    chart: 'helm-nvcf-nats',
    release: 'nats',
    container: 'nats',
    image: 'nats:2.11.17-alpine3.22',
    labels: { ...natsLabels, 'app.kubernetes.io/component': 'nats' },
    replicas: 3,
    ports: { nats: 4222, cluster: 6222, monitor: 8222 },
    services: { nats: ['nats'], 'nats-headless': ['nats', 'cluster', 'monitor'] },
    readiness: { path: '/healthz?js-server-only=true', port: 8222 },
    grace: 60,
    sidecars: ['reloader'],
    spec: { serviceName: 'nats-headless', podManagementPolicy: 'Parallel' },
  }),
  app({
    namespace: 'nats-system',
    name: 'nats-box',
    chart: 'helm-nvcf-nats',
    release: 'nats',
    container: 'nats-box',
    image: 'natsio/nats-box:0.18.0',
    labels: { ...natsLabels, 'app.kubernetes.io/component': 'nats-box' },
    ports: {},
    services: {},
  }),
  app({
    namespace: 'vault-system',
    kind: 'StatefulSet',
    name: 'openbao-server',
    chart: 'helm-nvcf-openbao-server',
    release: 'openbao-server',
    container: 'openbao',
    image: 'nvcf/openbao:2.5.5-nv-1.3.1',
    labels: baoLabels,
    replicas: 3,
    ports: { http: 8200, 'https-internal': 8201 },
    services: {
      'openbao-server': ['http', 'https-internal'],
      'openbao-server-active': ['http', 'https-internal'],
      'openbao-server-standby': ['http', 'https-internal'],
      'openbao-server-internal': ['http', 'https-internal'],
    },
    readiness: { path: '/v1/sys/health?standbyok=true&sealedcode=204&uninitcode=204', port: 8200 },
    grace: 10,
    sidecars: ['auto-unseal-sidecar'],
    spec: {
      serviceName: 'openbao-server-internal',
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
    },
  }),
  app({
    namespace: 'vault-system',
    name: 'openbao-server-agent-injector',
    chart: 'helm-nvcf-openbao-server',
    release: 'openbao-server',
    container: 'sidecar-injector',
    image: 'nvcf/openbao-k8s:1.7.0',
    labels: {
      'app.kubernetes.io/name': 'openbao-agent-injector',
      'app.kubernetes.io/instance': 'openbao-server',
      component: 'webhook',
    },
    replicas: 2,
    ports: { http: 8080 },
    services: { 'openbao-server-agent-injector-svc': ['http'] },
    readiness: { path: '/health/ready', port: 8080 },
  }),
];

/** The services of the control plane as its charts install them, stores first. */
export function seededServices(given: {
  readonly nvcaOperator: boolean;
  readonly essReplicas?: number;
}): readonly SeededService[] {
  const { nvcaOperator, essReplicas = 1 } = given;
  const all = [...stores, ...front, ...(nvcaOperator ? [operator] : [])];
  return all.map((service) =>
    service.namespace === 'ess' ? { ...service, replicas: essReplicas } : service,
  );
}
