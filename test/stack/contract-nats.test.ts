import { setTimeout as pause } from 'node:timers/promises';
import { createSystemClock } from '../../src/services/clock-system.ts';
import { createHttpClient } from '../../src/services/http-fetch.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { createKubernetes } from '../../src/services/kubernetes-real.ts';
import { createNats } from '../../src/services/nats-monitor.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import { natsContract } from '../contract/nats.ts';
import { sendSignal } from '../fakes/send-signal.ts';
import { ensureUp, killPod, natsPods, natsStreams } from './control.ts';
import { natsNamespace } from './manifests/nats.ts';

natsContract('real servers over port-forward', async () => {
  const { kubeconfig } = await ensureUp();
  const runner = createProcessRunner({ kill: sendSignal, environment: process.env });
  const clock = createSystemClock();
  const kubernetes = createKubernetes({ kubeconfig, clock, process: runner, environment: {} });
  const [proxy] = await kubernetes.list(kinds.pods, {
    namespace: 'api-keys',
    labelSelector: 'app.kubernetes.io/name=helm-admin-token-issuer-proxy',
  });
  return {
    nats: createNats(createHttpClient(kubernetes)),
    pods: natsPods.map((pod) => ({ namespace: natsNamespace, pod, port: 8222 })),
    stranger: { namespace: 'api-keys', pod: proxy?.metadata.name ?? '', port: 8080 },
    streams: natsStreams,
    deletePod: (pod) => killPod(natsNamespace, pod),
    pause: () => pause(200),
  };
});
