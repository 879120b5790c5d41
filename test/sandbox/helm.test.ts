import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { HelmError } from '../../src/services/helm.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import type { ChildIdentity } from '../../src/services/process.ts';
import { at, never, pass } from './rig.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'sandbox-helm-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const release = { namespace: 'nvcf', release: 'invocation-service' };
const target = {
  ...release,
  chart: 'oci://registry.sandbox/nvcf/helm-nvcf-invocation-service',
  version: '1.5.7',
  values: 'reuse' as const,
  operation: 'rb-1',
};
const run = { signal: never, onStart: async () => undefined, timeout: 300_000 };

async function failureOf(call: Promise<unknown>): Promise<HelmError> {
  const failure = await call.then(
    () => new Error('it did not fail'),
    (cause: unknown) => cause,
  );
  if (failure instanceof HelmError) return failure;
  throw failure;
}

describe('releases in the sandbox', () => {
  test('lie in Secrets, packed as Helm packs them', async () => {
    const { services } = openSandbox({ seed: 3 });
    const secret = await services.kubernetes.get({
      kind: kinds.secrets,
      namespace: 'nvcf',
      name: 'sh.helm.release.v1.invocation-service.v1',
    });
    expect(secret).toMatchObject({
      type: 'helm.sh/release.v1',
      metadata: { labels: { owner: 'helm', name: 'invocation-service', status: 'deployed', version: '1' } },
    });
    const packed = Buffer.from(String(at(secret, 'data', 'release')), 'base64').toString();
    const record = JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString());
    expect(record).toMatchObject({
      name: 'invocation-service',
      version: 1,
      chart: { metadata: { name: 'helm-nvcf-invocation-service', version: '1.5.6' } },
    });
    expect(record.manifest).toContain('kind":"Deployment');
  });

  test('are the same for the same seed, and as the workloads are', async () => {
    const list = async (seed: number) => openSandbox({ seed }).services.helm.list({}, never);
    expect(await list(5)).toEqual(await list(5));
    const { services } = openSandbox({ seed: 5 });
    const { objects } = await services.helm.release(release, never);
    const rendered = objects.find(({ kind }) => kind === 'Deployment');
    const live = await services.kubernetes.get({
      kind: kinds.deployments,
      namespace: 'nvcf',
      name: 'invocation-service',
    });
    expect(at(live, 'spec', 'template')).toMatchObject(at(rendered as never, 'spec', 'template') as object);
    expect(at(live, 'metadata', 'labels')).toMatchObject(
      at(rendered as never, 'metadata', 'labels') as object,
    );
  });

  test('stay pending when their client dies with its process, and the client is known to be gone', async () => {
    const first = openSandbox({ seed: 3, dir: folder });
    await pass(first, 60_000);
    let client: ChildIdentity | undefined;
    const onStart = async (identity: ChildIdentity) => {
      client = identity;
    };
    const going = first.services.helm.upgrade(target, { ...run, onStart }).catch(() => undefined);
    await pass(first, 2_000);
    first.control.killHelm();
    await going;
    first.close();

    const second = openSandbox({ seed: 3, dir: folder });
    const history = await second.services.helm.history(release, never);
    expect(history.map(({ status }) => status)).toEqual(['deployed', 'pending-upgrade']);
    expect(second.services.helm.client(client as ChildIdentity)).toBe('ended');
    await second.services.helm.rollback({ ...release, revision: 1 }, run);
    expect((await second.services.helm.history(release, never)).at(-1)).toMatchObject({ status: 'deployed' });
    second.close();
  });

  test('keep what somebody added to a live object, and take away what the chart no longer has', async () => {
    const { services } = openSandbox({ seed: 3 });
    const ref = { kind: kinds.deployments, namespace: 'nvcf', name: 'invocation-service' };
    const container = { name: 'helm-nvcf-invocation-service', env: [{ name: 'BY_HAND', value: '1' }] };
    const body = { spec: { template: { spec: { containers: [container] } } } };
    await services.kubernetes.patch(ref, { type: 'strategic', body });
    const upgradeWith = async (env: string) => {
      const file = Secret.fromText('values', `replicaCount: 1\nenv: ${env}\n`);
      await services.helm.upgrade({ ...target, values: { file } }, run);
      const live = await services.kubernetes.get(ref);
      const list = at(live, 'spec', 'template', 'spec', 'containers', 0, 'env');
      return (list as readonly { readonly name: string }[]).map(({ name }) => name).sort();
    };
    expect(await upgradeWith('{ONE: "1", TWO: "2"}')).toEqual(['BY_HAND', 'ONE', 'TWO']);
    expect(await upgradeWith('{ONE: "1"}')).toEqual(['BY_HAND', 'ONE']);
  });

  test('cannot be reached, read or written when the API server says so', async () => {
    const sandbox = openSandbox({ seed: 3 });
    const { helm } = sandbox.services;
    sandbox.control.deny({ verb: 'create', resource: 'secrets' });
    expect(await failureOf(helm.upgrade(target, run))).toMatchObject({ reason: 'forbidden' });
    sandbox.control.deny({ verb: 'list', resource: 'secrets' });
    expect(await failureOf(helm.history(release, never))).toMatchObject({
      reason: 'forbidden',
      outcome: 'not-applied',
    });
    sandbox.control.allow();
    sandbox.control.outage(3_600_000);
    expect(await failureOf(helm.history(release, never))).toMatchObject({
      reason: 'unreachable',
      retryable: true,
    });
  });

  test('know no chart that the registry does not have', async () => {
    const { services } = openSandbox({ seed: 3 });
    for (const wrong of [{ version: '1.5.99' }, { chart: 'oci://registry.sandbox/nvcf/other' }])
      expect(await failureOf(services.helm.render({ ...target, ...wrong }, never))).toMatchObject({
        reason: 'chart-missing',
      });
  });
});
