import { afterAll } from 'vitest';
import { createSystemClock } from '../../src/services/clock-system.ts';
import { type KubernetesReader, kinds } from '../../src/services/kubernetes.ts';
import { createKubernetes } from '../../src/services/kubernetes-real.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import { kubernetesContract } from '../contract/kubernetes.ts';
import { sendSignal } from '../fakes/send-signal.ts';
import { createUser, ensureUp, image, nextImage, restartApiServer } from './control.ts';

const namespace = `contract-${process.pid}`;
const clock = createSystemClock();

function writer(kubeconfig: string) {
  const runner = createProcessRunner({ kill: sendSignal, environment: process.env });
  return createKubernetes({ kubeconfig, clock, process: runner, environment: {} });
}

/** Pods are refused before the namespace has its service account. */
async function hasServiceAccount(admin: KubernetesReader): Promise<void> {
  const kind = await admin.kind('serviceaccounts');
  const accounts = admin.follow(kind, { namespace }, AbortSignal.timeout(60_000));
  for await (const found of accounts) if (found.length > 0) return;
}

let kubernetes: ReturnType<typeof writer> | undefined;

kubernetesContract('a real API server', async () => {
  const stack = await ensureUp();
  const admin = writer(stack.kubeconfig);
  kubernetes = admin;
  await admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await hasServiceAccount(admin);
  return {
    kubernetes: admin,
    namespace,
    image,
    nextImage,
    interrupt: stack.own ? restartApiServer : () => Promise.resolve(),
    restricted: async () =>
      writer(
        await createUser(`${namespace}-reader`, [
          { namespace, apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
        ]),
      ),
  };
});

afterAll(async () => {
  await kubernetes?.delete({ kind: kinds.namespaces, name: namespace }, {});
});
