import { setTimeout as pause } from 'node:timers/promises';
import { Secret } from '../../src/engine/secret.ts';
import { createSystemClock } from '../../src/services/clock-system.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { createKubernetes } from '../../src/services/kubernetes-real.ts';
import { createOpenBao } from '../../src/services/openbao-http.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import { openbaoContract } from '../contract/openbao.ts';
import { sendSignal } from '../fakes/send-signal.ts';
import { ensureUp, openbaoPods } from './control.ts';
import { rootTokenSecret, vaultNamespace } from './manifests/openbao.ts';

openbaoContract('real pods over port-forward', async () => {
  const { kubeconfig } = await ensureUp();
  const clock = createSystemClock();
  const runner = createProcessRunner({ kill: sendSignal, environment: process.env });
  const kubernetes = createKubernetes({ kubeconfig, clock, process: runner, environment: {} });
  const pods = await Promise.all(
    openbaoPods.map(async (pod) => {
      const found = await kubernetes.get({ kind: kinds.pods, namespace: vaultNamespace, name: pod });
      return { namespace: vaultNamespace, pod, uid: found?.metadata.uid ?? '' };
    }),
  );
  const stored = await kubernetes.get({
    kind: kinds.secrets,
    namespace: vaultNamespace,
    name: rootTokenSecret,
  });
  const [encoded] = Object.values(stored?.data ?? {});
  const token = new Secret('token', Buffer.from(String(encoded), 'base64'));
  return { openbao: createOpenBao({ kubernetes }), pods, token, pause: () => pause(200) };
});
