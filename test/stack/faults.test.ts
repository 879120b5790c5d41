import { beforeAll, describe, expect, test } from 'vitest';
import { type Connection, connect, isReady } from './api.ts';
import {
  auditOffset,
  createUser,
  ensureUp,
  openBaoStatus,
  openbaoPods,
  raftVoters,
  readAuditLog,
  releaseOpenBao,
  reset,
  restartApiServer,
  sealOpenBao,
  setUnsealDelay,
} from './control.ts';
import { waitFor } from './shell.ts';
import { onePod } from './workloads.ts';

let admin: Connection;

beforeAll(async () => {
  admin = connect((await ensureUp()).kubeconfig);
});

describe('OpenBao', () => {
  test('has three voters, all unsealed, one of them active, and labels its pods so', async () => {
    const states = await openBaoStatus();
    expect(states.map(({ sealed }) => sealed)).toEqual([false, false, false]);
    expect(states.filter(({ active }) => active)).toHaveLength(1);
    expect((await raftVoters()).sort()).toEqual([...openbaoPods]);
    const active = states.find((state) => state.active)?.pod;
    await waitFor(
      async () => (await onePod(admin, 'vault-system', 'openbao-active=true')).metadata?.name === active,
      {
        what: 'the label of the active pod',
        seconds: 180,
      },
    );
  });

  test('a sealed pod is ready and stays sealed while it is held, then its sidecar unseals it', async () => {
    setUnsealDelay(1);
    await sealOpenBao('openbao-server-2', { hold: true });
    const pod = await waitFor(
      async () => {
        const found = await onePod(
          admin,
          'vault-system',
          'statefulset.kubernetes.io/pod-name=openbao-server-2',
        );
        return isReady(found) && found;
      },
      { what: 'the sealed pod to be ready', seconds: 180 },
    );
    expect((await openBaoStatus()).find(({ pod: name }) => name === pod.metadata?.name)?.sealed).toBe(true);
    releaseOpenBao();
    await waitFor(async () => (await openBaoStatus()).every(({ sealed }) => sealed === false), {
      what: 'the sidecar to unseal',
      seconds: 180,
    });
  });

  test('another pod takes over when the active one is sealed', async () => {
    const before = (await openBaoStatus()).find(({ active }) => active)?.pod ?? '';
    await sealOpenBao(before);
    await waitFor(async () => (await openBaoStatus()).some(({ active, pod }) => active && pod !== before), {
      what: 'another active pod',
      seconds: 180,
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
      { what: 'the audit entry', seconds: 180 },
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
    const before = await onePod(admin, 'ess', 'app.kubernetes.io/name=helm-nvcf-ess-api');
    await restartApiServer();
    const after = await onePod(admin, 'ess', 'app.kubernetes.io/name=helm-nvcf-ess-api');
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
