import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { KubernetesObject, V1Job, V1Secret } from '@kubernetes/client-node';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Connection, connect, listObjects } from './api.ts';
import { versionsOf } from './charts/files.ts';
import { helm } from './charts/helm.ts';
import { chartRegistry, digestOf, moveTag } from './charts/registry.ts';
import { ensureUp, readMasterKeys, reset } from './control.ts';

interface Listed {
  name: string;
  namespace: string;
  revision: string;
  status: string;
  chart: string;
}

interface Service {
  namespace: string;
  release: string;
  chart: string;
}

const inventory = path.resolve(import.meta.dirname, '../../runbooks/services.yaml');
const services = Object.values(
  (parse(readFileSync(inventory, 'utf8')) as { services: Record<string, Service> }).services,
);
let admin: Connection;

beforeAll(async () => {
  admin = connect((await ensureUp()).kubeconfig);
  await reset();
});

async function listed(): Promise<Listed[]> {
  return JSON.parse(await helm('list', '--all-namespaces', '--all', '--output', 'json')) as Listed[];
}

function upgrade(release: string, namespace: string, chart: string, version: string, ...more: string[]) {
  const reference = `${chartRegistry}/${chart}`;
  const flags = ['--namespace', namespace, '--version', version, '--reset-then-reuse-values', '--wait'];
  return helm('upgrade', release, reference, ...flags, ...more);
}

describe('the releases', () => {
  test('are those of the service inventory, each at its first revision', async () => {
    const found = (await listed()).map(({ name, namespace, revision, status, chart }) => [
      namespace,
      name,
      chart.replace(/-v?[\d.]+$/, ''),
      revision,
      status,
    ]);
    const wanted = services.map(({ namespace, release, chart }) => [
      namespace,
      release,
      chart,
      '1',
      'deployed',
    ]);
    expect(found.sort()).toEqual(wanted.sort());
  });

  test('are what the workloads of the control plane belong to', async () => {
    const lists = await Promise.all(
      ['Deployment', 'StatefulSet'].map((kind) =>
        listObjects<KubernetesObject>(admin, 'apps/v1', kind).then((items) => items),
      ),
    );
    const known = new Set(services.map(({ namespace, release }) => `${namespace}/${release}`));
    const owners = lists.flat().map(({ metadata }) => {
      const { 'meta.helm.sh/release-name': name, 'meta.helm.sh/release-namespace': namespace } =
        metadata?.annotations ?? {};
      return `${namespace}/${name}`;
    });
    expect(owners.length).toBeGreaterThan(services.length);
    expect(new Set(owners)).toEqual(known);
  });
});

describe('reset', () => {
  test('leaves the first revision alone, with its objects, values and published charts', async () => {
    const before = await listed();
    const { patch, unready } = versionsOf('1.4.2');
    const published = await digestOf('helm-nvcf-notary-service', patch);
    await upgrade('notary-service', 'nvcf', 'helm-nvcf-notary-service', patch, '--set', 'env.ADDED=yes');
    expect(await helm('get', 'manifest', 'notary-service', '--namespace', 'nvcf')).toContain('ADDED');
    await moveTag('helm-nvcf-notary-service', { from: unready, to: patch });
    await helm('uninstall', 'grpc-proxy', '--namespace', 'nvcf', '--wait');

    await reset();

    expect(await listed()).toEqual(before);
    expect(await digestOf('helm-nvcf-notary-service', patch)).toBe(published);
    const secrets = await listObjects<V1Secret>(admin, 'v1', 'Secret', 'nvcf');
    const kept = secrets.filter(({ type }) => type === 'helm.sh/release.v1');
    expect(kept.every(({ metadata }) => metadata?.name?.endsWith('.v1'))).toBe(true);
    const { spec, status } = await admin.objects.read<KubernetesObject & { spec: object; status: object }>({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'notary-service', namespace: 'nvcf' },
    });
    expect(JSON.stringify(spec)).not.toContain('ADDED');
    expect(status).toMatchObject({ readyReplicas: 1 });
  });
});

describe('an upgrade of OpenBao', () => {
  const chart = 'helm-nvcf-openbao-server';
  const { patch, brokenHook } = versionsOf('0.30.25');
  afterEach(reset);

  test('runs the migrations Job, which leaves the keys alone when it can read them', async () => {
    const before = await readMasterKeys();
    await upgrade('openbao-server', 'vault-system', chart, patch);
    const jobs = await listObjects<V1Job>(admin, 'batch/v1', 'Job', 'vault-system');
    expect(jobs.map(({ metadata, status }) => [metadata?.name, status?.succeeded])).toEqual([
      ['openbao-server-migrations', 1],
    ]);
    expect(await readMasterKeys()).toEqual(before);
  });

  test('destroys the keys when its Job cannot read them at that moment, and Helm calls that a success', async () => {
    const before = await readMasterKeys();
    await upgrade('openbao-server', 'vault-system', chart, patch, '--set', 'migrations.readFails=true');
    const after = await readMasterKeys();
    expect(after.version).toBe(before.version + 1);
    expect(after.fields.keys).not.toBe(before.fields.keys);
    expect(await helm('status', 'openbao-server', '--namespace', 'vault-system')).toContain(
      'STATUS: deployed',
    );
  });

  test('fails with a Job that fails', async () => {
    await expect(upgrade('openbao-server', 'vault-system', chart, brokenHook)).rejects.toThrow(
      'post-upgrade hooks failed',
    );
  });
});
