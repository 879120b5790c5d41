import type { JsonObject } from '../../src/engine/json.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import type { SandboxApiServer } from '../fakes/sandbox-apiserver.ts';

/** Texts that must land nowhere; each in a place where people put such things. */
export const canaries = {
  environment: 'canary-environment-7Qz4Lw9s',
  optionInEnvironment: 'canary-option-5Hj2Pd8k',
  url: 'canary-url-3Nb6Vr1m',
  argument: 'canary-argument-8Tf5Xc2y',
  header: 'canary-header-6Gk9Sj4e',
  annotation: 'canary-annotation-2Wd7Bp3u',
  lastApplied: 'canary-applied-9Ys1Zh6a',
  configMap: 'canary-configmap-4Km8Qt5r',
  binary: 'canary-binary-1Lv3Nx7g',
  secret: 'canary-secret-7Rc2Fw9b',
} as const;

export const container = 'helm-nvcf-api';
const api = { kind: kinds.deployments, namespace: 'nvcf', name: 'nvcf-api' };

function template(image: string, env: readonly JsonObject[]): JsonObject {
  const main = {
    name: container,
    image,
    command: ['/usr/bin/java'],
    args: ['-jar', '/app.jar', `--token=${canaries.argument}`],
    env: [
      { name: 'REGION', value: 'eu-north' },
      { name: 'DB_PASSWORD', value: canaries.environment },
      { name: 'JAVA_OPTS', value: `-Xmx2g -Ddb.password=${canaries.optionInEnvironment}` },
      { name: 'BROKER', value: `amqp://guest:${canaries.url}@broker:5672` },
      { name: 'FROM_SECRET', valueFrom: { secretKeyRef: { name: 'nvcf-live', key: 'word' } } },
      ...env,
    ],
    // What is not simulated: it would never pass here.
    readinessProbe: { exec: { command: ['cat', '/never-there'] } },
    livenessProbe: {
      httpGet: {
        path: '/health',
        port: 8080,
        httpHeaders: [{ name: 'Authorization', value: canaries.header }],
      },
    },
  };
  return {
    metadata: { annotations: { 'vault/agent-token': canaries.annotation } },
    spec: { containers: [main] },
  };
}

/**
 * Somebody's cluster: nvcf-api with five replicas, a third revision, another image and more environment; what must not be seen of it;
 * a DaemonSet and a workload that no inventory knows.
 */
export async function changeCluster({ inside, pass }: SandboxApiServer): Promise<void> {
  const change = (body: JsonObject) => inside.patch(api, { type: 'strategic', body });
  await change({ spec: { template: template('registry.example/nvcf/api:2.0.0', []) } });
  await pass(600_000);
  await change({
    metadata: {
      annotations: {
        'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ value: canaries.lastApplied }),
      },
    },
    spec: {
      replicas: 5,
      template: template('registry.example/nvcf/api:2.1.0', [{ name: 'EXTRA', value: 'there' }]),
    },
  });
  await inside.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'live', namespace: 'nvcf' },
    data: { 'app.yaml': `db:\n  password: ${canaries.configMap}\n`, level: 'debug' },
    binaryData: { blob: Buffer.from(canaries.binary).toString('base64') },
  });
  await inside.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'nvcf-live', namespace: 'nvcf' },
    stringData: { word: canaries.secret },
  });
  await inside.create({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'nvcf-api', namespace: 'nvcf' },
    spec: { minAvailable: 2, selector: { matchLabels: { 'app.kubernetes.io/name': container } } },
  });
  await inside.create({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'somebodys-own', namespace: 'nvcf' },
    spec: {
      selector: { matchLabels: { app: 'own' } },
      template: {
        metadata: { labels: { app: 'own' } },
        spec: { containers: [{ name: 'main', image: 'busybox:1.36' }] },
      },
    },
  });
  await inside.delete({ kind: kinds.deployments, namespace: 'sis', name: 'spot-instance-service' }, {});
  await pass(600_000);
}
