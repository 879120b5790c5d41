import { setTimeout as pause } from 'node:timers/promises';
import { Secret } from '../../src/engine/secret.ts';
import { createSystemClock } from '../../src/services/clock-system.ts';
import { createHttpClient } from '../../src/services/http-fetch.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { createKubernetes } from '../../src/services/kubernetes-real.ts';
import { createOpenBao } from '../../src/services/openbao-http.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import { openbaoKvContract } from '../contract/openbao-kv.ts';
import { sendSignal } from '../fakes/send-signal.ts';
import { ensureUp, openBaoStatus, openbaoPods, raftVoters, releaseOpenBao, sealOpenBao } from './control.ts';
import { vaultNamespace as namespace, rootTokenSecret } from './manifests/openbao.ts';
import { waitFor } from './shell.ts';

openbaoKvContract('real pods over port-forward', async () => {
  const { kubeconfig } = await ensureUp();
  const clock = createSystemClock();
  const runner = createProcessRunner({ kill: sendSignal, environment: process.env });
  const kubernetes = createKubernetes({ kubeconfig, clock, process: runner, environment: {} });
  const stored = await kubernetes.get({ kind: kinds.secrets, namespace, name: rootTokenSecret });
  const [encoded] = Object.values(stored?.data ?? {});
  return {
    openbao: createOpenBao({ kubernetes }),
    http: createHttpClient(kubernetes),
    target: ({ pod }) => ({ url: 'http://openbao:8200', through: { namespace, pod, port: 8200 } }),
    pods: () =>
      Promise.all(
        openbaoPods.map(async (pod) => {
          const found = await kubernetes.get({ kind: kinds.pods, namespace, name: pod });
          return { namespace, pod, uid: found?.metadata.uid ?? '' };
        }),
      ),
    token: new Secret('token', Buffer.from(String(encoded), 'base64')),
    pause: () => pause(200),
    seal: ({ pod }) => sealOpenBao(pod, { hold: true }),
    unseal: async () => {
      releaseOpenBao();
      await waitFor(
        async () =>
          (await openBaoStatus()).every(({ sealed }) => sealed === false) &&
          (await raftVoters()).length === openbaoPods.length,
        { what: 'three unsealed voters', seconds: 180 },
      );
    },
  };
});
