import { test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import type { Services } from '../../src/services/services.ts';
import { stepDown } from '../../src/steps/bao/step-down.ts';
import { deletePod } from '../../src/steps/kubectl/delete-pod.ts';
import { converge } from '../../src/steps/mek/converge.ts';
import { publish } from '../../src/steps/mek/publish.ts';
import { contextOn, expectVerdicts } from './step-verdicts.ts';
import { stepsContract } from './steps.ts';

const never = new AbortController().signal;
const bao = { namespace: 'vault-system', selector: 'app.kubernetes.io/name=openbao,component=server' };

function denied(sandbox: Sandbox) {
  return async () => sandbox.restricted([{ verb: 'get', resource: 'serviceaccounts' }]);
}

stepsContract('the sandbox', async () => {
  const sandbox = openSandbox({ seed: 7 });
  const { services } = sandbox;
  const namespace = 'steps';
  await services.kubernetes.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  return {
    services,
    kubernetes: services.kubernetes,
    namespace,
    image: 'busybox:1.36',
    nextImage: 'busybox:1.37',
    interrupt: async () => sandbox.control.compact(),
    restricted: denied(sandbox),
    denied: denied(sandbox),
  };
});

/** The simulated control plane with everything started. */
async function running(): Promise<Sandbox> {
  const sandbox = openSandbox({ seed: 7 });
  await sandbox.services.clock.sleep(600_000, never);
  return sandbox;
}

test('kubectl.delete-pod is observed truly', async () => {
  const sandbox = await running();
  const ref = { kind: kinds.statefulSets, namespace: 'nats-system', name: 'nats' };
  await expectVerdicts(
    deletePod,
    { services: sandbox.services, denied: denied(sandbox) },
    {
      input: { namespace: 'nats-system', name: 'nats-1' },
      // Another set of the same name makes the pod anew.
      async meddle({ kubernetes, clock }) {
        const set = await kubernetes.get(ref);
        await kubernetes.delete(ref, { gracePeriodSeconds: 0 });
        await clock.sleep(120_000, never);
        const metadata = { name: 'nats', namespace: 'nats-system' };
        await kubernetes.create({
          apiVersion: 'apps/v1',
          kind: 'StatefulSet',
          metadata,
          spec: set?.spec ?? {},
        });
        await clock.sleep(120_000, never);
      },
    },
  );
});

test('mek.converge is observed truly', async () => {
  const sandbox = await running();
  const token = await rootToken(sandbox.services);
  const { namespace } = bao;
  const openbao = { namespace, selector: bao.selector, token };
  const database = { namespace: 'cassandra-system', selector: 'app.kubernetes.io/name=cassandra' };
  const document = sandbox.inspect.secret()?.data ?? {};
  const ctx = contextOn(sandbox.services);
  const publication = { openbao, cassandra: database, apiKeys: database } as never;
  const before = await publish.capture(publication, ctx);
  const { kid } = await publish.run(publication, { ...ctx, before });
  const resource = { namespace: 'api-keys', kind: 'Deployment', resource: 'api-keys' };
  const selector = 'app.kubernetes.io/name=helm-nvcf-api-keys';
  const loads = { name: 'api-keys', selector, container: 'helm-nvcf-api-keys', loads: 'start' };
  await expectVerdicts(
    converge,
    { services: sandbox.services, denied: denied(sandbox) },
    {
      input: { openbao, kid, consumers: [{ ...resource, ...loads }] },
      // The chart's Job writes the document of the installation again.
      meddle: async () => sandbox.control.editKv({ data: document }),
    },
  );
});

test('bao.step-down is observed truly', async () => {
  const sandbox = await running();
  const token = await rootToken(sandbox.services);
  await expectVerdicts(
    stepDown,
    { services: sandbox.services, denied: denied(sandbox) },
    {
      input: { ...bao, token },
      async meddle(services, outputs) {
        const { previous } = outputs as { readonly previous: string };
        const ref = { kind: kinds.pods, namespace: bao.namespace, name: previous };
        await services.kubernetes.delete(ref, {});
        await services.clock.sleep(240_000, never);
        await makeActive(services, previous, token);
      },
    },
  );
});

async function rootToken({ kubernetes }: Services): Promise<Secret> {
  const ref = { kind: kinds.secrets, namespace: bao.namespace, name: 'openbao-server-root-token' };
  const encoded = String((await kubernetes.get(ref))?.data?.root_token ?? '');
  return Secret.fromText('token', Buffer.from(encoded, 'base64').toString());
}

/** The pod that was active came back as another one, and leads again. */
async function makeActive(
  { kubernetes, openbao, clock }: Services,
  wanted: string,
  token: Secret,
): Promise<void> {
  for (let turn = 0; turn < 12; turn++) {
    const options = { namespace: bao.namespace, labelSelector: bao.selector };
    for (const { metadata } of await kubernetes.list(kinds.pods, options)) {
      const pod = { namespace: bao.namespace, pod: metadata.name, uid: metadata.uid };
      const { active } = await openbao.node(pod, never);
      if (active && metadata.name === wanted) return;
      if (active) await openbao.stepDown(pod, token, never);
    }
    await clock.sleep(15_000, never);
  }
  throw new Error(`${wanted} never became active`);
}
