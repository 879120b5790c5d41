import type { DoubleProgram } from '../doubles.ts';
import { image } from '../image-names.ts';
import { chartValue } from './chart-value.ts';
import type { Listen } from './double.ts';

/** One NVCF service: a Deployment under its real name whose container is a double. */
export interface NvcfService {
  namespace: string;
  deployment: string;
  chart: string;
  release: string;
  labels?: Record<string, string>;
  replicas?: number;
  container?: string;
  /** A double that does more than answer health checks. */
  program?: DoubleProgram;
  serviceAccount?: string;
  services: Record<string, string[]>;
  listen: Listen;
  env?: Record<string, string>;
  readiness?: { path: string; port: number; successThreshold?: number };
  liveness?: { path: string; port: number; failureThreshold?: number };
  startup?: { path: string; port: number; failureThreshold: number };
}

const actuator = { readiness: '/actuator/health/readiness', liveness: '/actuator/health/liveness' };
const management = { port: 8181, paths: [actuator.readiness, actuator.liveness] };

function actuatorProbes(startupFailures: number, successThreshold?: number) {
  return {
    readiness: {
      path: actuator.readiness,
      port: 8181,
      ...(successThreshold === undefined ? {} : { successThreshold }),
    },
    liveness: { path: actuator.liveness, port: 8181 },
    startup: { path: actuator.liveness, port: 8181, failureThreshold: startupFailures },
  };
}

/** The NVCF services and the two operators, with the names and ports of their charts. */
export const nvcfServices: NvcfService[] = [
  {
    namespace: 'nvcf',
    deployment: 'nvcf-api',
    chart: 'helm-nvcf-api',
    release: 'api',
    serviceAccount: 'nvcf-api',
    program: 'nvcf-api',
    services: { api: ['http', 'grpc', 'metrics'] },
    listen: {
      http: { port: 8080, paths: ['/health'] },
      grpc: { port: 9090 },
      metrics: { port: 9464, paths: ['/metrics'] },
      management,
    },
    ...actuatorProbes(180, 3),
  },
  {
    namespace: 'nvcf',
    deployment: 'invocation-service',
    chart: 'helm-nvcf-invocation-service',
    release: 'invocation-service',
    services: { invocation: ['http', 'metrics'] },
    listen: { http: { port: 8080, paths: ['/health'] }, metrics: { port: 41337, paths: ['/metrics'] } },
    readiness: { path: '/health', port: 8080 },
    liveness: { path: '/health', port: 8080 },
  },
  {
    namespace: 'nvcf',
    deployment: 'grpc-proxy-deployment',
    chart: 'helm-nvcf-grpc-proxy',
    release: 'grpc-proxy',
    labels: { 'app.kubernetes.io/component': 'deployment' },
    services: { grpc: ['client', 'worker', 'metrics'], 'grpc-headless': ['client', 'worker', 'metrics'] },
    listen: {
      client: { port: 10081, paths: ['/health'] },
      worker: { port: 10086 },
      metrics: { port: 10083, paths: ['/metrics'] },
    },
    readiness: { path: '/health', port: 10081 },
    liveness: { path: '/health', port: 10081 },
  },
  {
    namespace: 'nvcf',
    deployment: 'notary-service',
    chart: 'helm-nvcf-notary-service',
    release: 'notary-service',
    services: { notary: ['http', 'management'] },
    listen: { http: { port: 8080, paths: ['/health', '/metrics'] }, management },
    ...actuatorProbes(300),
  },
  {
    namespace: 'sis',
    deployment: 'spot-instance-service',
    chart: 'helm-nvcf-sis',
    release: 'sis',
    serviceAccount: 'sis-api',
    services: { api: ['http', 'management'] },
    listen: { http: { port: 8080, paths: ['/health', '/metrics'] }, management },
    ...actuatorProbes(150),
  },
  {
    namespace: 'api-keys',
    deployment: 'api-keys',
    chart: 'helm-nvcf-api-keys',
    release: 'api-keys',
    serviceAccount: 'api-keys',
    program: 'api-keys',
    services: { 'api-keys': ['http'] },
    listen: {
      http: { port: 8080, paths: ['/health', '/healthz', '/metrics'] },
      management: { port: 9090, paths: ['/admin/health/readiness', '/admin/health/liveness'] },
    },
    readiness: { path: '/admin/health/readiness', port: 9090 },
    liveness: { path: '/admin/health/liveness', port: 9090 },
    startup: { path: '/admin/health/liveness', port: 9090, failureThreshold: 180 },
  },
  {
    namespace: 'api-keys',
    deployment: 'admin-token-issuer-proxy',
    chart: 'helm-admin-token-issuer-proxy',
    release: 'admin-issuer-proxy',
    services: { 'admin-token-issuer-proxy': ['http'] },
    listen: { http: { port: 8080, paths: ['/healthz', '/metrics'] } },
    readiness: { path: '/healthz', port: 8080 },
    liveness: { path: '/healthz', port: 8080 },
  },
  {
    namespace: 'ess',
    deployment: 'ess-api-deployment',
    chart: 'helm-nvcf-ess-api',
    release: 'ess-api',
    serviceAccount: 'ess-api',
    program: 'ess-api',
    services: { 'ess-api': ['http', 'metrics'] },
    listen: {
      http: { port: 8080, paths: ['/health', '/health/readiness', '/health/liveness'] },
      metrics: { port: 9464, paths: ['/metrics'] },
    },
    readiness: { path: '/health/readiness', port: 8080 },
    liveness: { path: '/health/liveness', port: 8080, failureThreshold: 6 },
    startup: { path: '/health/liveness', port: 8080, failureThreshold: 910 },
  },
  {
    namespace: 'nvca-operator',
    deployment: 'nvca-operator',
    chart: 'nvca-operator',
    release: 'nvca-operator',
    services: {},
    listen: {},
  },
  {
    namespace: 'envoy-gateway-system',
    deployment: 'envoy-gateway',
    chart: 'gateway-helm',
    release: 'eg',
    labels: { 'control-plane': 'envoy-gateway' },
    container: 'envoy-gateway',
    services: { 'envoy-gateway': ['grpc', 'metrics'] },
    listen: {
      grpc: { port: 18000 },
      metrics: { port: 19001, paths: ['/metrics'] },
      health: { port: 8081, paths: ['/healthz', '/readyz'] },
    },
    readiness: { path: '/readyz', port: 8081 },
    liveness: { path: '/healthz', port: 8081 },
  },
  {
    namespace: 'vault-system',
    deployment: 'openbao-server-agent-injector',
    chart: 'openbao-agent-injector',
    release: 'openbao-server',
    labels: { component: 'webhook' },
    replicas: 2,
    container: 'sidecar-injector',
    services: { 'openbao-server-agent-injector-svc': ['http'] },
    listen: { http: { port: 8080, paths: ['/health/ready'] } },
    // Server, sidecar and agent are of one version.
    env: { AGENT_INJECT_VAULT_IMAGE: image.replace(/:[^:]*$/, `:${chartValue('image.tag')}`) },
    readiness: { path: '/health/ready', port: 8080 },
    liveness: { path: '/health/ready', port: 8080 },
  },
];
