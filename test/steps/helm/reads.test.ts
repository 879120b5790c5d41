import { describe, expect, test } from 'vitest';
import { diff } from '../../../src/steps/helm/diff.ts';
import { history } from '../../../src/steps/helm/history.ts';
import { list } from '../../../src/steps/helm/list.ts';
import { status } from '../../../src/steps/helm/status.ts';
import { byHand, helmRig, invocation, versions } from '../../fakes/helm-steps.ts';

const at = { namespace: 'nvcf', release: 'invocation-service' };

describe('helm.list', () => {
  test('shows every release, pending and failed ones by name', async () => {
    const rig = await helmRig();
    const all = await list.run({}, rig.ctx);
    expect(all.count).toBe(13);
    expect(all).toMatchObject({ pending: [], failed: [], summary: '13 releases' });
    const going = byHand(rig, versions.good).catch(() => undefined);
    await rig.pass(1_000);
    rig.sandbox.control.killHelm();
    await going;
    const nvcf = await list.run({ namespace: 'nvcf' }, rig.ctx);
    expect(nvcf.releases.map(({ release }) => release)).toEqual([
      'api',
      'grpc-proxy',
      'invocation-service',
      'notary-service',
    ]);
    expect(nvcf.pending).toEqual(['nvcf/invocation-service']);
    expect(nvcf.summary).toContain('nvcf/invocation-service pending');
  });

  test('a namespace that does not exist is not an empty one', async () => {
    const rig = await helmRig();
    await expect(list.run({ namespace: 'nowhere' }, rig.ctx)).rejects.toMatchObject({
      code: 'namespace-not-found',
    });
    rig.sandbox.control.deny({ resource: 'secrets' });
    await expect(list.run({ namespace: 'nvcf' }, rig.ctx)).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('helm.status and helm.history', () => {
  test('show a release, its objects and its revisions, and where a rollback leads', async () => {
    const rig = await helmRig();
    expect(await history.run(at, rig.ctx)).toMatchObject({
      newest: 1,
      deployed: 1,
      previous: 0,
      previousVersion: '',
    });
    await byHand(rig, versions.good);
    expect(await status.run(at, rig.ctx)).toMatchObject({
      revision: 2,
      status: 'deployed',
      pending: false,
      chartVersion: '1.5.7',
      objects: ['Service nvcf/invocation', 'Deployment nvcf/invocation-service'],
    });
    expect(await status.run({ ...at, revision: 1 }, rig.ctx)).toMatchObject({ status: 'superseded' });
    expect(await history.run(at, rig.ctx)).toMatchObject({
      newest: 2,
      deployed: 2,
      chartVersion: '1.5.7',
      previous: 1,
      previousVersion: '1.5.6',
    });
    const run = { signal: rig.ctx.signal, onStart: async () => undefined, timeout: 60_000 };
    await rig.helm.rollback({ ...at, revision: 1 }, run);
    // What is deployed came with revision 1: the one before it is 2.
    expect(await history.run(at, rig.ctx)).toMatchObject({ newest: 3, previous: 2 });
  });

  test('a missing release, or an impossible name, is an error', async () => {
    const rig = await helmRig();
    for (const type of [status, history]) {
      await expect(type.run({ ...at, release: 'ghost' }, rig.ctx)).rejects.toMatchObject({
        code: 'release-missing',
      });
      await expect(type.run({ ...at, release: '--all' }, rig.ctx)).rejects.toMatchObject({
        code: 'invalid-target',
      });
    }
  });
});

describe('helm.diff', () => {
  test('shows a patch object by object', async () => {
    const rig = await helmRig();
    const seen = await diff.run({ ...invocation, version: versions.good, reuse: true }, rig.ctx);
    expect(seen).toMatchObject({
      changes: true,
      step: 'patch',
      fromVersion: '1.5.6',
      toVersion: '1.5.7',
      fromAppVersion: '1.0.0',
      toAppVersion: '1.0.1',
      jobs: [],
      statefulSets: [],
      values: [],
      added: 0,
      removed: 0,
      changed: 1,
    });
    expect(seen.objects).toMatchObject([{ object: 'Deployment nvcf/invocation-service', change: 'changed' }]);
    expect(seen.objects[0]?.fields).toContain(
      'spec.template.spec.containers[helm-nvcf-invocation-service].image: nvcf/invocation-service:1.0.0 → nvcf/invocation-service:1.0.1',
    );
    expect(seen.digest).toMatch(/^sha256:/);
  });

  test('tells how far a version goes, which Jobs run, and what is stateful', async () => {
    const rig = await helmRig();
    const minor = await diff.run({ ...invocation, version: versions.minor, reuse: true }, rig.ctx);
    expect(minor.step).toBe('minor');
    const same = await diff.run({ ...invocation, version: versions.installed, reuse: true }, rig.ctx);
    expect(same).toMatchObject({ step: 'none', changes: false, objects: [] });
    const chart = 'oci://registry.sandbox/nvcf/helm-nvcf-cassandra';
    const cassandra = {
      namespace: 'cassandra-system',
      release: 'cassandra',
      chart,
      version: '0.20.2',
      reuse: true,
    };
    expect(await diff.run(cassandra, rig.ctx)).toMatchObject({
      jobs: ['cassandra-initialize-cluster', 'cassandra-migrations'],
      statefulSets: ['cassandra'],
    });
  });

  test('never shows a value of a Secret or of the values file', async () => {
    const rig = await helmRig();
    const values =
      'replicaCount: 1\naccountBootstrap: {registryCredential: canary-credential}\nextra: canary-extra\n';
    await rig.files.create('v.yaml', Buffer.from(values));
    const api = { namespace: 'nvcf', release: 'api', chart: 'oci://registry.sandbox/nvcf/helm-nvcf-api' };
    const seen = await diff.run({ ...api, version: '1.25.2', values: 'v.yaml' }, rig.ctx);
    expect(seen.values.join('\n')).toContain('accountBootstrap.registryCredential: «masked» → «masked»');
    expect(JSON.stringify(seen)).not.toMatch(/canary|Y2FuYXJ5/);
    expect(seen.objects.map(({ object }) => object)).toContain(
      'Secret nvcf/nvcf-api-account-bootstrap-secret',
    );
  });
});
