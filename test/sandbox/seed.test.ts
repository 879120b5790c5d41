import { readFileSync } from 'node:fs';
import { Decrypter, Encrypter } from 'age-encryption';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { InputSpec } from '../../src/engine/read/runbook.ts';
import { Secret } from '../../src/engine/secret.ts';
import { epochOf } from '../../src/sandbox/epoch.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { type KubernetesObject, kinds } from '../../src/services/kubernetes.ts';
import type { ServiceEntry } from '../../src/services/service-directory.ts';
import { at, conditionOf, never } from './rig.ts';

const inventory = Object.entries(
  (
    parse(readFileSync('runbooks/services.yaml', 'utf8')) as {
      services: Record<string, Omit<ServiceEntry, 'name'>>;
    }
  ).services,
).map(([name, entry]): ServiceEntry => ({ name, ...entry }));
const sandbox = openSandbox({ seed: 42, inventory });
const { kubernetes, http, clock, directory } = sandbox.services;

describe('the seeded control plane', () => {
  test('has every service of the inventory under its names', async () => {
    const found = await directory.all();
    expect(found).toHaveLength(13);
    expect(found.filter(({ present }) => !present)).toEqual([]);
  });

  test.each(inventory.map((entry) => [entry.name, entry] as const))(
    '%s has its pods, ready and not restarted',
    async (_, entry) => {
      const pods = await kubernetes.list(kinds.pods, {
        namespace: entry.namespace,
        labelSelector: entry.selector,
      });
      const replicas = (entry as ServiceEntry & { replicas: number }).replicas;
      expect(pods).toHaveLength(replicas);
      for (const pod of pods) {
        expect(conditionOf(pod, 'Ready')).toMatchObject({ status: 'True' });
        expect(at(pod, 'status', 'containerStatuses', 0, 'restartCount')).toBe(0);
        const containers = at(pod, 'spec', 'containers') as readonly { name: string }[];
        expect(containers.map(({ name }) => name)).toContain(entry.container);
      }
    },
  );

  test('restarts as its charts say: OpenBao by hand, the other sets by themselves', async () => {
    const sets = await kubernetes.list(kinds.statefulSets, {});
    const strategies = sets.map((set) => [set.metadata.name, at(set, 'spec', 'updateStrategy', 'type')]);
    expect(Object.fromEntries(strategies)).toEqual({
      cassandra: 'RollingUpdate',
      nats: 'RollingUpdate',
      'openbao-server': 'OnDelete',
    });
  });

  test('can do without the operator of a compute cluster', async () => {
    const without = openSandbox({ seed: 42, inventory, nvcaOperator: false });
    const found = await without.services.directory.all();
    expect(found.flatMap(({ present, entry }) => (present ? [] : [entry.name]))).toEqual(['nvca-operator']);
  });

  test('begins at the moment of its seed, a day after it was set up', async () => {
    expect(new Date(epochOf(0)).toISOString()).toBe('2026-01-05T09:00:00.000Z');
    expect(clock.now()).toBe(epochOf(42));
    const deployment = await kubernetes.get({ kind: kinds.deployments, namespace: 'nvcf', name: 'nvcf-api' });
    expect(Date.parse(deployment?.metadata.creationTimestamp ?? '')).toBe(epochOf(42) - 86_400_000);
  });

  test('is named after its kube-system namespace, which differs between seeds', async () => {
    const other = openSandbox({ seed: 43 });
    const uids = await Promise.all(
      [sandbox, other].map(async ({ services }) => (await services.kubernetes.identity()).uid),
    );
    expect(new Set(uids).size).toBe(2);
  });
});

describe('its servers over HTTP', () => {
  test.each([
    ['http://api.nvcf:8080/health', 200],
    ['http://notary.nvcf.svc:8080/health', 200],
    ['http://grpc.nvcf.svc.cluster.local:10081/health', 200],
    ['http://api-keys.api-keys:8080/health', 200],
    ['http://nats-headless.nats-system:8222/healthz?js-server-only', 200],
    ['http://openbao-server-active.vault-system:8200/v1/sys/health', 200],
    ['http://openbao-server-standby.vault-system:8200/v1/sys/health', 429],
    ['http://openbao-server-standby.vault-system:8200/v1/sys/health?standbyok=true', 200],
    ['http://api.nvcf:8080/nothing', 404],
  ])('%s answers %i', async (url, status) => {
    expect(await http.request({ method: 'GET', url }, never)).toMatchObject({ status });
  });

  test.each(['http://nowhere.nvcf:8080/', 'http://example.com/', 'http://api.nvcf:9/'])(
    '%s is not reached',
    async (url) => {
      await expect(http.request({ method: 'GET', url }, never)).rejects.toThrow(/does not resolve|refused/);
    },
  );

  test('metrics of a pod grow with time, and start again with it', async () => {
    const through = async () => {
      const [pod] = await kubernetes.list(kinds.pods, {
        namespace: 'ess',
        fieldSelector: 'status.phase=Running',
      });
      return { namespace: 'ess', pod: pod?.metadata.name ?? '', port: 9464 };
    };
    const requests = async () => {
      const answer = await http.request(
        { method: 'GET', url: 'http://pod/metrics', through: await through() },
        never,
      );
      return Number(/^http_requests_total\{status="200"\} (\d+)$/m.exec(answer.body)?.[1]);
    };
    const before = await requests();
    await clock.sleep(60_000, never);
    expect(await requests()).toBeGreaterThan(before + 100);
    const { namespace, pod: name } = await through();
    await kubernetes.delete({ kind: kinds.pods, namespace, name }, {});
    await clock.sleep(120_000, never);
    expect(await requests()).toBeLessThan(2_000);
  });

  test('health is bad until the server is up', async () => {
    const pods = (): Promise<readonly KubernetesObject[]> =>
      kubernetes.list(kinds.pods, { namespace: 'sis' });
    const [old] = await pods();
    await kubernetes.delete({ kind: kinds.pods, namespace: 'sis', name: old?.metadata.name ?? '' }, {});
    await clock.sleep(10_000, never);
    const young = (await pods()).find(({ metadata }) => metadata.uid !== old?.metadata.uid);
    const through = { namespace: 'sis', pod: young?.metadata.name ?? '', port: 8181 };
    const health = () =>
      http.request({ method: 'GET', url: 'http://pod/actuator/health/readiness', through }, never);
    expect((await health()).status).toBe(503);
    await clock.sleep(60_000, never);
    expect((await health()).status).toBe(200);
  });
});

describe('inputs that nobody gave', () => {
  const spec = (given: Partial<InputSpec> & Pick<InputSpec, 'type'>): InputSpec => ({
    description: '',
    required: true,
    ...given,
  });

  test('are plausible, and only those that are missing', () => {
    expect(
      sandbox.inputs({
        service: spec({ type: 'service' }),
        replicas: spec({ type: 'integer', min: 2 }),
        wait: spec({ type: 'duration' }),
        mode: spec({ type: 'enum', values: ['fast', 'slow'] }),
        services: spec({ type: 'list', of: 'service' }),
        named: spec({ type: 'string', examples: ['blue'] }),
        given: spec({ type: 'string', default: 'x' }),
        optional: { type: 'string', description: '' },
      }),
    ).toEqual({
      service: 'nvcf-api',
      replicas: 2,
      wait: '5m',
      mode: 'fast',
      services: ['nvcf-api'],
      named: 'blue',
    });
  });

  test('backups are encrypted to a pair that fits, even when nobody has to say to whom', async () => {
    const inputs = sandbox.inputs({
      ageIdentity: spec({ type: 'secret', from: { file: '/keys/identity.txt' } }),
      ageRecipients: { type: 'list', of: 'string', description: '' },
      recipients: spec({ type: 'list', of: 'string', default: ['age1x'] }),
    });
    expect(Object.keys(inputs).sort()).toEqual(['ageIdentity', 'ageRecipients']);
    const identity = (inputs.ageIdentity as Secret).revealText((value) => value);
    const encrypter = new Encrypter();
    for (const recipient of inputs.ageRecipients as readonly string[]) encrypter.addRecipient(recipient);
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    expect(await decrypter.decrypt(await encrypter.encrypt('hello'), 'text')).toBe('hello');
  });

  test('secrets are those of the simulated cluster', () => {
    const kubernetesSource = {
      kubernetes: { namespace: 'vault-system', name: 'openbao-server-root-token', key: 'root_token' },
    };
    const inputs = sandbox.inputs({
      fromSecret: spec({ type: 'secret', from: kubernetesSource }),
      token: spec({ type: 'secret', from: { env: 'BAO_TOKEN' }, required: false }),
      password: spec({ type: 'secret', from: { prompt: 'Password' } }),
    });
    const text = (name: string) => (inputs[name] as Secret).revealText((value) => value);
    expect(inputs.token).toBeInstanceOf(Secret);
    expect([text('fromSecret'), text('token'), text('password')]).toEqual([
      's.sandbox-root-42',
      's.sandbox-root-42',
      'sandbox-password',
    ]);
  });
});
