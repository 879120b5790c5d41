import type { KubernetesObject, V1Deployment, V1Pod, V1StatefulSet } from '@kubernetes/client-node';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Connection, connect, isReady, isSettled, listObjects } from './api.ts';
import {
  auditOffset,
  createUser,
  ensureUp,
  killPod,
  openBaoStatus,
  openbaoPods,
  raftVoters,
  readAuditLog,
  releaseOpenBao,
  reset,
  restartApiServer,
  type Stack,
  sealOpenBao,
  setUnsealDelay,
} from './control.ts';
import { waitFor } from './shell.ts';

let stack: Stack;
let admin: Connection;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
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
    const { status } = await onePod('nvcf', 'app.kubernetes.io/name=helm-nvcf-api');
    expect(await (await fetch(`http://${status?.podIP}:8080/health`)).json()).toEqual({ status: 'UP' });
    expect(await (await fetch(`http://${status?.podIP}:9464/metrics`)).text()).toContain(
      'up{service="helm-nvcf-api"} 1',
    );
  });

  test('a container has logged its start', async () => {
    const { metadata } = await onePod('ess', 'app.kubernetes.io/name=helm-nvcf-ess-api');
    const log = await admin.core.readNamespacedPodLog({ namespace: 'ess', name: metadata?.name ?? '' });
    expect(log).toContain('Started helm-nvcf-ess-api');
  });
});

describe('changes', () => {
  test('a rolling restart replaces the pod, and reset takes every change back', async () => {
    const before = await onePod('nvcf', 'app.kubernetes.io/name=helm-nvcf-invocation-service');
    const template = { metadata: { annotations: { 'runbook.io/restartedAt': new Date().toISOString() } } };
    const target = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'invocation-service', namespace: 'nvcf' },
    };
    await patch({ ...target, spec: { template } });
    await waitFor(async () => isSettled(await admin.objects.read<V1Deployment>(target)), {
      what: 'the roll-out',
      seconds: 60,
    });
    const after = await onePod('nvcf', 'app.kubernetes.io/name=helm-nvcf-invocation-service');
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
    const before = await onePod('nats-system', 'statefulset.kubernetes.io/pod-name=nats-1');
    await killPod('nats-system', 'nats-1');
    await waitFor(
      async () => {
        const pod = await onePod('nats-system', 'statefulset.kubernetes.io/pod-name=nats-1');
        return pod.metadata?.uid !== before.metadata?.uid && isReady(pod);
      },
      { what: 'a new nats-1', seconds: 60 },
    );
  });
});

describe('OpenBao', () => {
  test('has three voters, all unsealed, one of them active, and labels its pods so', async () => {
    const states = await openBaoStatus();
    expect(states.map(({ sealed }) => sealed)).toEqual([false, false, false]);
    expect(states.filter(({ active }) => active)).toHaveLength(1);
    expect((await raftVoters()).sort()).toEqual([...openbaoPods]);
    const active = states.find((state) => state.active)?.pod;
    await waitFor(
      async () => (await onePod('vault-system', 'openbao-active=true')).metadata?.name === active,
      {
        what: 'the label of the active pod',
        seconds: 30,
      },
    );
  });

  test('a sealed pod is ready and stays sealed while it is held, then its sidecar unseals it', async () => {
    setUnsealDelay(1);
    await sealOpenBao('openbao-server-2', { hold: true });
    const pod = await waitFor(
      async () => {
        const found = await onePod('vault-system', 'statefulset.kubernetes.io/pod-name=openbao-server-2');
        return isReady(found) && found;
      },
      { what: 'the sealed pod to be ready', seconds: 30 },
    );
    expect((await openBaoStatus()).find(({ pod: name }) => name === pod.metadata?.name)?.sealed).toBe(true);
    releaseOpenBao();
    await waitFor(async () => (await openBaoStatus()).every(({ sealed }) => sealed === false), {
      what: 'the sidecar to unseal',
      seconds: 60,
    });
  });

  test('another pod takes over when the active one is sealed', async () => {
    const before = (await openBaoStatus()).find(({ active }) => active)?.pod ?? '';
    await sealOpenBao(before);
    await waitFor(async () => (await openBaoStatus()).some(({ active, pod }) => active && pod !== before), {
      what: 'another active pod',
      seconds: 60,
    });
    await reset();
  });
});

describe('the API server', () => {
  test('logs calls by verb, without those of the stack itself', async () => {
    const offset = auditOffset();
    await admin.core.listNamespacedPod({ namespace: 'sis' });
    const entries = await waitFor(
      async () => {
        const found = readAuditLog(offset).entries.filter(({ objectRef }) => objectRef?.namespace === 'sis');
        return found.length > 0 && found;
      },
      { what: 'the audit entry', seconds: 10 },
    );
    expect(entries).toMatchObject([
      { verb: 'list', user: { username: 'runbook-admin' }, responseStatus: { code: 200 } },
    ]);
  });

  test('refuses a restricted user what was not granted', async () => {
    const user = connect(
      await createUser('pod-reader', [
        { namespace: 'ess', apiGroups: [''], resources: ['pods'], verbs: ['list'] },
      ]),
    );
    expect((await user.core.listNamespacedPod({ namespace: 'ess' })).items).toHaveLength(1);
    await expect(user.core.listNamespacedPod({ namespace: 'nvcf' })).rejects.toMatchObject({ code: 403 });
  });

  test('restarts while the pods go on running', async () => {
    const before = await onePod('ess', 'app.kubernetes.io/name=helm-nvcf-ess-api');
    await restartApiServer();
    const after = await onePod('ess', 'app.kubernetes.io/name=helm-nvcf-ess-api');
    expect(after.metadata?.uid).toBe(before.metadata?.uid);
    expect(after.status?.containerStatuses?.[0]?.restartCount).toBe(0);
  });
});

test('a second up returns at once', async () => {
  await reset();
  const started = performance.now();
  await ensureUp();
  expect(performance.now() - started).toBeLessThan(5_000);
});

async function onePod(namespace: string, labelSelector: string): Promise<V1Pod> {
  const { items } = await admin.core.listNamespacedPod({ namespace, labelSelector });
  const pod = items.find(({ metadata }) => metadata?.deletionTimestamp === undefined);
  if (pod === undefined) throw new Error(`no pod for ${labelSelector} in ${namespace}`);
  return pod;
}

async function patch(change: KubernetesObject & { spec: object }): Promise<void> {
  await admin.objects.patch(change);
}
