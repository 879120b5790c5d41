import { describe, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { activateKey, appendKey, documentOf, encoded, jwk, newer, openKeys, setOf } from './keys-rig.ts';
import { never, pass } from './rig.ts';

const MINUTE = 60_000;
const [first, second] = newer;
const deployments = {
  ess: { namespace: 'ess', name: 'ess-api-deployment' },
  'api-keys': { namespace: 'api-keys', name: 'api-keys' },
  'nvcf-api': { namespace: 'nvcf', name: 'nvcf-api' },
} as const;

async function patch(sandbox: Sandbox, service: keyof typeof deployments, spec: object): Promise<void> {
  const ref = { kind: kinds.deployments, ...deployments[service] };
  await sandbox.services.kubernetes.patch(ref, { type: 'merge', body: { spec: { ...spec } } });
  await pass(sandbox, 5 * MINUTE);
}

const restart = (sandbox: Sandbox, service: keyof typeof deployments, mark = '1') =>
  patch(sandbox, service, { template: { metadata: { annotations: { restarted: mark } } } });

const loadedBy = (sandbox: Sandbox, kind: string) =>
  sandbox.inspect.loaded().filter((loaded) => loaded.kind === kind);

async function logOf(sandbox: Sandbox, pod: string, namespace = 'ess', container = 'helm-nvcf-ess-api') {
  let text = '';
  const options = { container, tailLines: 40 };
  for await (const chunk of sandbox.services.kubernetes.logs({ namespace, pod }, options, never))
    text += chunk;
  return text;
}

describe('ESS loads the document again', () => {
  test('within fifteen minutes, each replica at a time of its own, and says so in its log', async () => {
    const sandbox = openKeys();
    await patch(sandbox, 'ess', { replicas: 3 });
    const [old = ''] = loadedBy(sandbox, 'ess')[0]?.kids ?? [];
    const written = sandbox.services.clock.now();
    appendKey(sandbox, first, 1);
    const seen = new Map<string, number>();
    for (let minute = 1; minute <= 15 * 6; minute += 1) {
      await pass(sandbox, MINUTE / 6);
      for (const { pod, kids } of loadedBy(sandbox, 'ess'))
        if (kids.includes(first) && !seen.has(pod)) seen.set(pod, sandbox.services.clock.now() - written);
    }
    expect(seen.size).toBe(3);
    expect(new Set(seen.values()).size).toBe(3);
    for (const pod of seen.keys()) {
      const lines = await logOf(sandbox, pod);
      expect(lines).toContain('reloading master encryption key');
      expect(lines).toContain(`Loaded masterKey. Current kid: ${old}\n`);
      expect(lines).toContain(`Loaded 2 allMasterKeys. Kids: [${old}, ${first}]\n`);
    }
  });

  test('at once when it is restarted', async () => {
    const sandbox = openKeys();
    appendKey(sandbox, first, 1);
    await restart(sandbox, 'ess');
    expect(loadedBy(sandbox, 'ess').map(({ kids }) => kids.at(-1))).toEqual([first]);
  });

  test('a follower of the log sees the lines when they come', async () => {
    const sandbox = openKeys();
    appendKey(sandbox, first, 1);
    const begun = sandbox.services.clock.now();
    const [{ pod } = { pod: '' }] = loadedBy(sandbox, 'ess');
    const target = { namespace: 'ess', pod };
    const options = { container: 'helm-nvcf-ess-api', follow: true, tailLines: 0 };
    let text = '';
    for await (const chunk of sandbox.services.kubernetes.logs(target, options, never)) {
      text += chunk;
      if (text.includes(first)) break;
    }
    expect(sandbox.services.clock.now() - begun).toBeLessThanOrEqual(15 * MINUTE);
  });

  test('also those of the very moment that it saw last', async () => {
    const sandbox = openKeys();
    const [{ pod } = { pod: '' }] = loadedBy(sandbox, 'ess');
    sandbox.control.setCurrentKid('nvcf', 'no-such-kid');
    const options = { container: 'helm-nvcf-ess-api', follow: true, tailLines: 1 };
    let errors = 0;
    for await (const chunk of sandbox.services.kubernetes.logs({ namespace: 'ess', pod }, options, never)) {
      errors += chunk.split('MissingKeyException').length - 1;
      if (errors === 2) break;
      // No time passes between two of them.
      sandbox.control.writeSecret({ path: 'functions/f/a', value: 'v' });
    }
    expect(errors).toBe(2);
  });

  test('the metric tells which key is the current one, with its age', async () => {
    const sandbox = openKeys();
    const [{ pod, current } = { pod: '', current: '' }] = loadedBy(sandbox, 'ess');
    const metrics = await sandbox.services.http.request(
      { method: 'GET', url: 'http://pod/metrics', through: { namespace: 'ess', pod, port: 9464 } },
      never,
    );
    const masked = `${current?.slice(0, 3)}\\*\\*\\*${current?.slice(-3)}`;
    const [, age] =
      new RegExp(`^rotation_mek_delta\\{kid="${masked}"\\} (\\d+)$`, 'm').exec(metrics.body) ?? [];
    expect(Number(age) / 86_400_000).toBeCloseTo(100, 1);
    expect(metrics.body).toContain('nek_v2_decryption_get_errors_total 0');
  });
});

describe('API Keys and NVCF API load the document when they start', () => {
  test.each(['api-keys', 'nvcf-api'] as const)('%s', async (service) => {
    const sandbox = openKeys();
    appendKey(sandbox, first, 1);
    await pass(sandbox, 60 * MINUTE);
    expect(loadedBy(sandbox, service).flatMap(({ kids }) => kids)).not.toContain(first);
    await restart(sandbox, service);
    const [{ pod, kids, current } = { pod: '', kids: [] as readonly string[], current: '' }] = loadedBy(
      sandbox,
      service,
    );
    expect(kids).toHaveLength(2);
    expect(kids.at(-1)).toBe(first);
    const { namespace } = deployments[service];
    const container = service === 'nvcf-api' ? 'helm-nvcf-api' : 'helm-nvcf-api-keys';
    expect(await logOf(sandbox, pod, namespace, container)).toContain(
      `Loaded private JWKs. Kids: [${kids.join(', ')}]. Current kid: ${current}\n`,
    );
  });
});

describe('a bad document', () => {
  const refused = {
    'whose first kid is no UUIDv1': (keys: readonly unknown[]) => [
      jwk('5b1d9d20-17f1-41f1-8c4a-0123456789ab', 1),
      ...keys,
    ],
    'with an element that is no octet key': (keys: readonly unknown[]) => [...keys, { kty: 'RSA', kid: 'x' }],
    'with its first kid twice over other bytes': (keys: readonly unknown[]) => [
      ...keys,
      { ...(keys[0] as object), k: Buffer.alloc(32, 9).toString('base64url') },
    ],
  };

  test.each(Object.entries(refused))('%s leaves ESS without keys until it is mended', async (_, spoil) => {
    const sandbox = openKeys();
    const good = documentOf(sandbox);
    sandbox.control.editKv({ data: { ...good, keys: encoded(spoil(setOf(good, 'keys'))) } });
    await pass(sandbox, 16 * MINUTE);
    const [{ pod, current } = { pod: '', current: '' }] = loadedBy(sandbox, 'ess');
    expect(current).toBeUndefined();
    expect(await logOf(sandbox, pod)).toMatch(/error during properties refresh - /);
    expect(sandbox.control.writeSecret({ path: 'functions/f/a', value: 'v' })).toBe(500);
    expect(sandbox.inspect.everySecretReadable().ok).toBe(false);
    sandbox.control.editKv({ data: good });
    await pass(sandbox, 16 * MINUTE);
    expect(sandbox.control.writeSecret({ path: 'functions/f/a', value: 'v' })).toBe(200);
  });

  test('as a bare array breaks the template: the file and the keys stay as they were', async () => {
    const sandbox = openKeys();
    const good = documentOf(sandbox);
    const before = loadedBy(sandbox, 'ess');
    const bare = Buffer.from(JSON.stringify(setOf(good, 'keys'))).toString('base64');
    sandbox.control.editKv({ data: { ...good, keys: bare } });
    await pass(sandbox, 30 * MINUTE);
    expect(loadedBy(sandbox, 'ess')).toEqual(before);
  });

  test('keeps a starting ESS from becoming ready', async () => {
    const sandbox = openKeys();
    const good = documentOf(sandbox);
    const keys = encoded([jwk('5b1d9d20-17f1-41f1-8c4a-0123456789ab', 1)]);
    sandbox.control.editKv({ data: { ...good, keys } });
    await restart(sandbox, 'ess');
    const pods = await sandbox.services.kubernetes.list(kinds.pods, { namespace: 'ess' });
    const restarts = pods.map(
      (pod) => (pod.status as { containerStatuses: { restartCount: number }[] }).containerStatuses[0],
    );
    expect(pods).toHaveLength(2);
    expect(restarts.some((status) => (status?.restartCount ?? 0) > 0)).toBe(true);
  });
});

test('a service that starts while OpenBao is sealed waits for it', async () => {
  const sandbox = openKeys();
  for (const at of [0, 1, 2]) sandbox.control.seal('vault-system', `openbao-server-${at}`);
  expect(sandbox.inspect.secret()).toBeUndefined();
  await restart(sandbox, 'api-keys');
  const ready = async () => {
    const pods = await sandbox.services.kubernetes.list(kinds.pods, {
      namespace: 'api-keys',
      labelSelector: 'app.kubernetes.io/name=helm-nvcf-api-keys',
    });
    return pods.map(
      (pod) => (pod.status as { containerStatuses: { ready: boolean }[] }).containerStatuses[0]?.ready,
    );
  };
  expect((await ready()).sort()).toEqual([false, true]);
  for (const at of [0, 1, 2])
    await sandbox.services.kubernetes.delete(
      { kind: kinds.pods, namespace: 'vault-system', name: `openbao-server-${at}` },
      {},
    );
  await pass(sandbox, 10 * MINUTE);
  expect(await ready()).toEqual([true]);
});

test('an activated key is the current one of every service once all have loaded it', async () => {
  const sandbox = openKeys();
  appendKey(sandbox, second, 1);
  activateKey(sandbox, second);
  await pass(sandbox, 15 * MINUTE);
  await restart(sandbox, 'api-keys');
  await restart(sandbox, 'nvcf-api');
  expect(sandbox.inspect.loaded().map(({ kind, current }) => [kind, current])).toEqual([
    ['ess', second],
    ['api-keys', second],
    ['nvcf-api', second],
  ]);
});
