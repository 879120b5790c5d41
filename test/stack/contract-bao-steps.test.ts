import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { createSystemClock } from '../../src/services/clock-system.ts';
import { createFileStore } from '../../src/services/files-node.ts';
import { createHttpClient } from '../../src/services/http-fetch.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { createKubernetes } from '../../src/services/kubernetes-real.ts';
import { createOpenBao } from '../../src/services/openbao-http.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import type { Services } from '../../src/services/services.ts';
import { baoStepsContract } from '../contract/bao-steps.ts';
import { sendSignal } from '../fakes/send-signal.ts';
import { createUser, ensureUp, openbaoPods } from './control.ts';
import { vaultNamespace as namespace, rootTokenSecret } from './manifests/openbao.ts';

const clock = createSystemClock();
const runner = createProcessRunner({ kill: sendSignal, environment: process.env });
const folder = mkdtempSync(path.join(tmpdir(), 'runbook-bao-steps-'));
afterAll(() => rmSync(folder, { recursive: true }));

function writer(kubeconfig: string) {
  return createKubernetes({ kubeconfig, clock, process: runner, environment: {} });
}

baoStepsContract('a real cluster', async () => {
  const kubernetes = writer((await ensureUp()).kubeconfig);
  const stored = await kubernetes.get({ kind: kinds.secrets, namespace, name: rootTokenSecret });
  const [encoded] = Object.values(stored?.data ?? {});
  // The steps of OpenBao reach for these alone.
  const services = {
    clock,
    kubernetes,
    files: createFileStore(),
    http: createHttpClient(kubernetes),
    openbao: createOpenBao({ kubernetes }),
  } as Services;
  return {
    services,
    selector: 'component=server',
    file: path.join(folder, 'deep/openbao.snap'),
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
    denied: async () =>
      writer(
        await createUser(`bao-steps-${process.pid}`, [
          { namespace, apiGroups: [''], resources: ['serviceaccounts'], verbs: ['get'] },
        ]),
      ),
  };
});
