import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import type { OpenBaoPod } from '../../src/services/openbao.ts';
import { activateKey, appendKey, documentOf, encoded, newer, openKeys, setOf } from './keys-rig.ts';
import { never, pass } from './rig.ts';

const MINUTE = 60_000;
const namespace = 'vault-system';
const at = { mount: 'services/all/kv', path: 'encryption/keys/stored_data' };
const token = Secret.fromText('token', 's.sandbox-root-5');

async function activePod(sandbox: Sandbox): Promise<OpenBaoPod> {
  const [pod] = await sandbox.services.kubernetes.list(kinds.pods, {
    namespace,
    labelSelector: 'openbao-active=true',
  });
  return { namespace, pod: pod?.metadata.name ?? '', uid: pod?.metadata.uid ?? '' };
}

async function restart(sandbox: Sandbox, place: { namespace: string; name: string }): Promise<void> {
  await sandbox.services.kubernetes.patch(
    { kind: kinds.deployments, ...place },
    { type: 'merge', body: { spec: { template: { metadata: { annotations: { restarted: '1' } } } } } },
  );
  await pass(sandbox, 5 * MINUTE);
}

describe('API keys', () => {
  test('that were issued are valid, others are not', () => {
    const { control, inspect } = openKeys();
    const before = inspect.everyApiKeyValid().checked;
    const key = control.issueKey({ owner: 'account-9' }) ?? '';
    expect(control.validateKey(key)).toBe(true);
    expect(control.validateKey(`${key}x`)).toBe(false);
    expect(inspect.everyApiKeyValid()).toEqual({ ok: true, checked: before + 1, problems: [] });
  });

  test('are lost by copying keys over private_jwks, which shows only when the service starts again', async () => {
    const sandbox = openKeys();
    const { control, inspect } = sandbox;
    const key = control.issueKey() ?? '';
    const data = documentOf(sandbox);
    control.editKv({ data: { ...data, private_jwks: data.keys } });
    await pass(sandbox, 60 * MINUTE);
    expect(inspect.everyApiKeyValid().ok).toBe(true);
    const lost = inspect.everyApiKeyValid({ afterRestart: true });
    expect(lost.problems).toHaveLength(lost.checked);
    expect(inspect.everySecretReadable({ afterRestart: true }).ok).toBe(true);
    await restart(sandbox, { namespace: 'api-keys', name: 'api-keys' });
    expect(inspect.everyApiKeyValid().ok).toBe(false);
    expect(control.validateKey(key)).toBe(false);
  });

  test('end with the key that encrypted them, and others go on', async () => {
    const sandbox = openKeys();
    const { control, inspect } = sandbox;
    const [old = ''] = setOf(documentOf(sandbox), 'keys').map(({ kid }) => kid);
    const ended = control.issueKey() ?? '';
    const before = inspect.everyApiKeyValid().checked;
    appendKey(sandbox, newer[0], 1);
    activateKey(sandbox, newer[0]);
    await restart(sandbox, { namespace: 'api-keys', name: 'api-keys' });
    const alive = control.issueKey() ?? '';
    expect(control.endApiKeys(old)).toBe(before);
    expect(control.validateKey(ended)).toBe(false);
    expect(control.validateKey(alive)).toBe(true);
    const next = [control.issueKey(), control.issueKey()];
    expect(new Set([ended, alive, ...next]).size).toBe(4);
    expect(inspect.everyApiKeyValid({ afterRestart: true })).toMatchObject({ ok: true, checked: 3 });
  });

  test('survive a key that is appended to both sets and activated', async () => {
    const sandbox = openKeys();
    appendKey(sandbox, newer[0], 1);
    activateKey(sandbox, newer[0]);
    for (const afterRestart of [false, true])
      expect(sandbox.inspect.everyApiKeyValid({ afterRestart })).toMatchObject({ ok: true });
    await restart(sandbox, { namespace: 'api-keys', name: 'api-keys' });
    expect(sandbox.control.validateKey(sandbox.control.issueKey() ?? '')).toBe(true);
  });
});

describe('worker tokens', () => {
  test('are renewed for three hours, also by a service that was restarted on a new key', async () => {
    const sandbox = openKeys();
    const old = sandbox.control.workerToken();
    appendKey(sandbox, newer[0], 1);
    activateKey(sandbox, newer[0]);
    await restart(sandbox, { namespace: 'nvcf', name: 'nvcf-api' });
    expect(sandbox.control.workerToken(old)).toBeDefined();
    expect(sandbox.inspect.everyWorkerTokenRenewed()).toEqual({ ok: true, checked: 2, problems: [] });
    await pass(sandbox, 181 * MINUTE);
    expect(sandbox.control.workerToken(old)).toBeUndefined();
  });

  test('end with a key that is taken out of `keys` too early', async () => {
    const sandbox = openKeys();
    sandbox.control.workerToken();
    appendKey(sandbox, newer[0], 1);
    activateKey(sandbox, newer[0]);
    expect(sandbox.inspect.everyWorkerTokenRenewed({ afterRestart: true }).ok).toBe(true);
    const data = documentOf(sandbox);
    sandbox.control.editKv({ data: { ...data, keys: encoded(setOf(data, 'keys').slice(0, 1)) } });
    expect(sandbox.inspect.everyWorkerTokenRenewed().ok).toBe(true);
    expect(sandbox.inspect.everyWorkerTokenRenewed({ afterRestart: true }).ok).toBe(false);
    await pass(sandbox, 181 * MINUTE);
    expect(sandbox.inspect.everyWorkerTokenRenewed({ afterRestart: true })).toMatchObject({
      ok: true,
      checked: 0,
    });
  });
});

describe('the migrations Job', () => {
  test('leaves a document that it can read', () => {
    const { control, inspect } = openKeys();
    expect(control.runMigrationsJob()).toEqual({ wrote: false });
    expect(inspect.secret()?.version).toBe(1);
  });

  test('replaces it after a failed read: every secret and every API key is lost with a restart', () => {
    const sandbox = openKeys();
    const before = documentOf(sandbox);
    expect(sandbox.control.runMigrationsJob({ misbehaving: true })).toEqual({ wrote: true, version: 2 });
    const after = documentOf(sandbox);
    expect(setOf(after, 'keys')[0]?.kid).not.toBe(setOf(before, 'keys')[0]?.kid);
    expect(setOf(after, 'keys')[0]?.k).not.toBe(setOf(after, 'private_jwks')[0]?.k);
    expect(sandbox.inspect.everySecretReadable({ afterRestart: true }).ok).toBe(false);
    expect(sandbox.inspect.everyApiKeyValid({ afterRestart: true }).ok).toBe(false);
  });

  test('is refused, as everybody without check-and-set, where that is required', async () => {
    const sandbox = openKeys();
    const { openbao } = sandbox.services;
    await openbao.kvConfigure(await activePod(sandbox), { ...at, casRequired: true }, token, never);
    expect(sandbox.control.runMigrationsJob({ misbehaving: true })).toMatchObject({
      wrote: false,
      refused: expect.stringContaining('check-and-set parameter required'),
    });
    expect(sandbox.control.editKv({ data: { keys: 'x' } })).toHaveProperty('refused');
    expect(sandbox.inspect.secret()?.version).toBe(1);
  });
});

describe('OpenBao goes wrong', () => {
  const data = Secret.fromText('document', '{"a":"b"}');

  test('a read fails once and is not taken for nothing', async () => {
    const sandbox = openKeys();
    const pod = await activePod(sandbox);
    for (const how of ['refused', 'not-done'] as const) {
      sandbox.control.mishap({ at: 'kv-read', how });
      expect(await sandbox.services.openbao.kvRead(pod, at, token, never)).toMatchObject({ state: 'failed' });
    }
    expect(await sandbox.services.openbao.kvRead(pod, at, token, never)).toMatchObject({
      state: 'found',
      version: 1,
    });
  });

  test.each([
    ['lost', 2],
    ['not-done', 1],
  ] as const)('a write whose answer is %s leaves version %i', async (how, version) => {
    const sandbox = openKeys();
    sandbox.control.mishap({ at: 'kv-write', how });
    const write = sandbox.services.openbao.kvWrite(
      await activePod(sandbox),
      { ...at, cas: 1, data },
      token,
      never,
    );
    await expect(write).rejects.toMatchObject({ outcome: 'unknown' });
    expect(sandbox.inspect.secret()?.version).toBe(version);
  });

  test('the clock of its servers dates its versions and its answers', async () => {
    const sandbox = openKeys();
    const pod = await activePod(sandbox);
    sandbox.control.skewClock(3_600_000);
    const { openbao, clock } = sandbox.services;
    await openbao.kvWrite(pod, { ...at, cas: 1, data }, token, never);
    const read = await openbao.kvRead(pod, at, token, never);
    const created = read.state === 'found' ? Date.parse(read.createdTime) : 0;
    expect(created - clock.now()).toBeGreaterThan(3_590_000);
    const { serverTime = 0 } = await openbao.node(pod, never);
    expect(serverTime * 1000 - clock.now()).toBeGreaterThan(3_590_000);
  });

  test('its active server steps down and another one takes over', async () => {
    const sandbox = openKeys();
    const { pod } = await activePod(sandbox);
    sandbox.control.stepDown();
    await pass(sandbox, 5_000);
    const next = await activePod(sandbox);
    expect(next.pod).not.toBe('');
    expect(next.pod).not.toBe(pod);
  });

  test('ESS keeps its keys while nobody answers, and reads the document when somebody does', async () => {
    const sandbox = openKeys();
    appendKey(sandbox, newer[0], 1);
    for (const index of [0, 1, 2]) sandbox.control.seal(namespace, `openbao-server-${index}`);
    await pass(sandbox, 30 * MINUTE);
    expect(sandbox.inspect.loaded()[0]?.kids).toHaveLength(1);
    for (const index of [0, 1, 2])
      await sandbox.services.kubernetes.delete(
        { kind: kinds.pods, namespace, name: `openbao-server-${index}` },
        {},
      );
    await pass(sandbox, 20 * MINUTE);
    expect(sandbox.inspect.loaded()[0]?.kids).toHaveLength(2);
  });
});
