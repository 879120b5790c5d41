import type { KubernetesObject, V1Deployment, V1StatefulSet } from '@kubernetes/client-node';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Connection, connect, isReady, isSettled, listObjects } from './api.ts';
import { ensureUp, killPod, reset } from './control.ts';
import { execute } from './execute.ts';
import { waitFor } from './shell.ts';
import { onePod, podsOf } from './workloads.ts';

let admin: Connection;

beforeAll(async () => {
  admin = connect((await ensureUp()).kubeconfig);
});

const services: [namespace: string, selector: string, resource: string, container: string, pods: number][] = [
  ['nvcf', 'app.kubernetes.io/name=helm-nvcf-api', 'nvcf-api', 'helm-nvcf-api', 1],
  [
    'nvcf',
    'app.kubernetes.io/name=helm-nvcf-invocation-service',
    'invocation-service',
    'helm-nvcf-invocation-service',
    1,
  ],
  ['nvcf', 'app.kubernetes.io/name=helm-nvcf-grpc-proxy', 'grpc-proxy-deployment', 'helm-nvcf-grpc-proxy', 1],
  [
    'nvcf',
    'app.kubernetes.io/name=helm-nvcf-notary-service',
    'notary-service',
    'helm-nvcf-notary-service',
    1,
  ],
  ['sis', 'app.kubernetes.io/name=helm-nvcf-sis', 'spot-instance-service', 'helm-nvcf-sis', 1],
  ['api-keys', 'app.kubernetes.io/name=helm-nvcf-api-keys', 'api-keys', 'helm-nvcf-api-keys', 1],
  [
    'api-keys',
    'app.kubernetes.io/name=helm-admin-token-issuer-proxy',
    'admin-token-issuer-proxy',
    'helm-admin-token-issuer-proxy',
    1,
  ],
  ['ess', 'app.kubernetes.io/name=helm-nvcf-ess-api', 'ess-api-deployment', 'helm-nvcf-ess-api', 1],
  ['nats-system', 'app.kubernetes.io/component=nats', 'nats', 'nats,reloader', 3],
  [
    'vault-system',
    'app.kubernetes.io/name=openbao,component=server',
    'openbao-server',
    'openbao,auto-unseal-sidecar',
    3,
  ],
  ['cassandra-system', 'app.kubernetes.io/name=cassandra', 'cassandra', 'cassandra', 3],
  ['nvca-operator', 'app.kubernetes.io/name=nvca-operator', 'nvca-operator', 'nvca-operator', 1],
  ['envoy-gateway-system', 'app.kubernetes.io/name=gateway-helm', 'envoy-gateway', 'envoy-gateway', 1],
];

describe('the services', () => {
  test.each(services)(
    '%s: %s selects the ready pods of %s',
    async (namespace, selector, resource, containers, count) => {
      const { items } = await admin.core.listNamespacedPod({ namespace, labelSelector: selector });
      const pods = items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
      expect(pods.map(isReady)).toEqual(Array(count).fill(true));
      for (const { metadata, spec } of pods) {
        expect(metadata?.name).toMatch(new RegExp(`^${resource}-`));
        expect(spec?.containers.map(({ name }) => name).join()).toBe(containers);
      }
    },
  );

  test('stateful sets have the update strategies of their charts', async () => {
    const sets = await listObjects<V1StatefulSet>(admin, 'apps/v1', 'StatefulSet');
    const strategies = Object.fromEntries(
      sets.map(({ metadata, spec }) => [
        metadata?.name,
        `${spec?.updateStrategy?.type} ${spec?.podManagementPolicy}`,
      ]),
    );
    expect(strategies).toEqual({
      cassandra: 'RollingUpdate OrderedReady',
      nats: 'RollingUpdate Parallel',
      'openbao-server': 'OnDelete Parallel',
    });
  });

  test('a health endpoint and the metrics answer on their real ports', async () => {
    const { status } = await onePod(admin, 'nvcf', 'app.kubernetes.io/name=helm-nvcf-api');
    expect(await (await fetch(`http://${status?.podIP}:8080/health`)).json()).toEqual({ status: 'UP' });
    expect(await (await fetch(`http://${status?.podIP}:9464/metrics`)).text()).toContain(
      'up{service="helm-nvcf-api"} 1',
    );
  });

  test('a container has logged its start', async () => {
    const { metadata } = await onePod(admin, 'ess', 'app.kubernetes.io/name=helm-nvcf-ess-api');
    const log = await admin.core.readNamespacedPodLog({ namespace: 'ess', name: metadata?.name ?? '' });
    expect(log).toContain('Started helm-nvcf-ess-api');
  });
});

describe('a pod', () => {
  test('resolves the name of a service and reaches it', async () => {
    const { metadata } = await onePod(admin, 'nats-system', 'app.kubernetes.io/component=nats-box');
    const command = ['wget', '-q', '-O', '-', 'http://ess-api.ess:8080/health'];
    expect(await execute(admin, 'nats-system', metadata?.name ?? '', 'nats-box', command)).toBe(
      '{"status":"UP"}',
    );
  });

  test('of Cassandra sees the whole ring', async () => {
    const status = await execute(admin, 'cassandra-system', 'cassandra-1', 'cassandra', [
      'nodetool',
      'status',
    ]);
    expect(status.match(/^UN {2}10\./gm)).toHaveLength(3);
  });

  test('that never becomes healthy stops a roll-out, and reset takes it back', async () => {
    const container = { name: 'helm-nvcf-notary-service', env: [{ name: 'UNHEALTHY', value: 'true' }] };
    const target = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'notary-service', namespace: 'nvcf' },
    };
    await patch({ ...target, spec: { template: { spec: { containers: [container] } } } });
    await waitFor(
      async () =>
        (await podsOf(admin, 'nvcf', 'app.kubernetes.io/name=helm-nvcf-notary-service')).length === 2,
      {
        what: 'the second pod',
        seconds: 180,
      },
    );
    await reset();
    expect(await podsOf(admin, 'nvcf', 'app.kubernetes.io/name=helm-nvcf-notary-service')).toHaveLength(1);
  });
});

describe('changes', () => {
  test('a rolling restart replaces the pod, and reset takes every change back', async () => {
    const before = await onePod(admin, 'nvcf', 'app.kubernetes.io/name=helm-nvcf-invocation-service');
    const template = { metadata: { annotations: { 'runbook.io/restartedAt': new Date().toISOString() } } };
    const target = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'invocation-service', namespace: 'nvcf' },
    };
    await patch({ ...target, spec: { template } });
    await waitFor(async () => isSettled(await admin.objects.read<V1Deployment>(target)), {
      what: 'the roll-out',
      seconds: 180,
    });
    const after = await onePod(admin, 'nvcf', 'app.kubernetes.io/name=helm-nvcf-invocation-service');
    expect(after.metadata?.name).not.toBe(before.metadata?.name);

    await patch({ ...target, spec: { replicas: 0 } });
    await admin.core.createNamespacedConfigMap({
      namespace: 'nvcf',
      body: { metadata: { name: 'left-behind' } },
    });
    await reset();
    const { spec } = await admin.objects.read<V1Deployment>(target);
    expect(spec?.replicas).toBe(1);
    expect(spec?.template.metadata?.annotations).toBeUndefined();
    const maps = await admin.core.listNamespacedConfigMap({ namespace: 'nvcf' });
    expect(maps.items.map(({ metadata }) => metadata?.name)).toEqual(['kube-root-ca.crt']);
  });

  test('a killed pod comes back', async () => {
    const before = await onePod(admin, 'nats-system', 'statefulset.kubernetes.io/pod-name=nats-1');
    await killPod('nats-system', 'nats-1');
    await waitFor(
      async () => {
        const pod = await onePod(admin, 'nats-system', 'statefulset.kubernetes.io/pod-name=nats-1');
        return pod.metadata?.uid !== before.metadata?.uid && isReady(pod);
      },
      { what: 'a new nats-1', seconds: 180 },
    );
  });
});

async function patch(change: KubernetesObject & { spec: object }): Promise<void> {
  await admin.objects.patch(change);
}
