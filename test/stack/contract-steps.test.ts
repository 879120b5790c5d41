import { afterAll } from 'vitest';
import { createSystemClock } from '../../src/services/clock-system.ts';
import { createFileStore } from '../../src/services/files-node.ts';
import { createHelm } from '../../src/services/helm-cli.ts';
import { createHttpClient } from '../../src/services/http-fetch.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { resolveContext } from '../../src/services/kubernetes-config.ts';
import { createKubernetes } from '../../src/services/kubernetes-real.ts';
import { createLedger } from '../../src/services/ledger-real.ts';
import { createNats } from '../../src/services/nats-monitor.ts';
import { createNekStore } from '../../src/services/nek-store-real.ts';
import { createOpenBao } from '../../src/services/openbao-http.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import { createServiceDirectory } from '../../src/services/service-directory.ts';
import { stepsContract } from '../contract/steps.ts';
import { sendSignal } from '../fakes/send-signal.ts';
import { createUser, ensureUp, image, nextImage } from './control.ts';

const namespace = `steps-${process.pid}`;
const clock = createSystemClock();
const runner = createProcessRunner({ kill: sendSignal, environment: process.env });

function writer(kubeconfig: string) {
  return createKubernetes({ kubeconfig, clock, process: runner, environment: {} });
}

let kubernetes: ReturnType<typeof writer> | undefined;

stepsContract('a real cluster', async () => {
  const { kubeconfig } = await ensureUp();
  const admin = writer(kubeconfig);
  kubernetes = admin;
  await admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const powerless = async () =>
    writer(
      await createUser(`${namespace}-nobody`, [
        { namespace, apiGroups: [''], resources: ['serviceaccounts'], verbs: ['get'] },
      ]),
    );
  return {
    services: {
      clock,
      directory: createServiceDirectory([], admin),
      files: createFileStore(),
      helm: createHelm({
        process: runner,
        context: () => resolveContext({ kubeconfig }),
        environment: process.env,
        workspace: { pid: process.pid, kill: sendSignal, now: () => clock.now() },
      }),
      http: createHttpClient(admin),
      kubernetes: admin,
      nats: createNats(createHttpClient(admin)),
      ledger: createLedger(admin, clock),
      nekStore: createNekStore(admin, clock),
      openbao: createOpenBao({ kubernetes: admin }),
      process: runner,
    },
    kubernetes: admin,
    namespace,
    image,
    nextImage,
    interrupt: () => Promise.resolve(),
    restricted: powerless,
    denied: powerless,
  };
});

afterAll(async () => {
  await kubernetes?.delete({ kind: kinds.namespaces, name: namespace }, {});
});
