import { describe, expect, test } from 'vitest';
import { type Kind, kinds } from '../../src/services/kubernetes.ts';
import {
  at,
  configMap,
  deploymentManifest,
  failureOf,
  type KubernetesWorld,
  podManifest,
  read,
  refOf,
} from './kubernetes-setup.ts';

/** Reading, writing and refusing single objects. */
export function objectsContract(world: () => KubernetesWorld): void {
  describe('objects', () => {
    test('a missing object reads as undefined, and only that', async () => {
      const { kubernetes } = world();
      expect(await kubernetes.get(refOf(world(), kinds.configMaps, 'nothing'))).toBeUndefined();
      const widgets: Kind = {
        group: 'none.example',
        version: 'v1',
        plural: 'widgets',
        kind: 'Widget',
        namespaced: true,
      };
      const failure = await failureOf(kubernetes.get(refOf(world(), widgets, 'nothing')));
      expect(failure).toMatchObject({ status: 404, outcome: 'not-applied' });
    });

    test('a created object is read back with uid, version and type', async () => {
      const created = await world().kubernetes.create(configMap(world(), 'fresh', { a: '1' }));
      expect(created).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } });
      expect(created.metadata.uid).not.toBe('');
      expect(await read(world(), kinds.configMaps, 'fresh')).toEqual(created);
    });

    test('what exists cannot be created again', async () => {
      await world().kubernetes.create(configMap(world(), 'twice', {}));
      const failure = await failureOf(world().kubernetes.create(configMap(world(), 'twice', {})));
      expect(failure).toMatchObject({ status: 409, reason: 'AlreadyExists', outcome: 'not-applied' });
    });

    test('lists by namespace, labels and fields, with the type on every item', async () => {
      const { kubernetes, namespace } = world();
      for (const [name, tier] of [
        ['listed-a', 'front'],
        ['listed-b', 'back'],
      ] as const) {
        const manifest = configMap(world(), name, {});
        await kubernetes.create({ ...manifest, metadata: { name, namespace, labels: { tier } } });
      }
      const names = async (options: { labelSelector?: string; fieldSelector?: string }) =>
        (await kubernetes.list(kinds.configMaps, { namespace, ...options })).map(
          ({ metadata }) => metadata.name,
        );
      expect(await names({ labelSelector: 'tier' })).toEqual(['listed-a', 'listed-b']);
      expect(await names({ labelSelector: 'tier in (front),tier!=back' })).toEqual(['listed-a']);
      expect(await names({ fieldSelector: 'metadata.name=listed-b' })).toEqual(['listed-b']);
      expect(await names({ labelSelector: 'tier=none' })).toEqual([]);
      const [item] = await kubernetes.list(kinds.configMaps, { namespace, labelSelector: 'tier=back' });
      expect(item).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    });

    test('empty names, namespaces and selectors are refused before any call', async () => {
      const { kubernetes, namespace } = world();
      const calls = [
        () => kubernetes.get({ kind: kinds.pods, namespace: '', name: 'a' }),
        () => kubernetes.get({ kind: kinds.pods, name: 'a' }),
        () => kubernetes.get({ kind: kinds.pods, namespace, name: ' ' }),
        () => kubernetes.delete({ kind: kinds.pods, namespace, name: '' }, {}),
        () => kubernetes.delete({ kind: kinds.pods, namespace, name: '../x' }, {}),
        () => kubernetes.list(kinds.pods, { namespace: '' }),
        () => kubernetes.list(kinds.pods, { namespace, labelSelector: '' }),
        () => kubernetes.list(kinds.pods, { namespace, fieldSelector: ' ' }),
      ];
      for (const call of calls) {
        const failure = await failureOf((async () => call())());
        expect(failure).toMatchObject({ status: undefined, outcome: 'not-applied', retryable: false });
      }
    });

    test('an invalid object is refused and nothing is left of it', async () => {
      const manifest = deploymentManifest(world(), 'invalid', { spec: { replicas: -1 } });
      const failure = await failureOf(world().kubernetes.create(manifest));
      expect(failure).toMatchObject({ status: 422, reason: 'Invalid', outcome: 'not-applied' });
      expect(failure.message).toContain('replicas');
      expect(await world().kubernetes.get(refOf(world(), kinds.deployments, 'invalid'))).toBeUndefined();
    });
  });

  describe('deleting', () => {
    test('refuses another uid and another version, and deletes with the right ones', async () => {
      const { kubernetes } = world();
      const { metadata } = await kubernetes.create(configMap(world(), 'doomed', {}));
      const ref = refOf(world(), kinds.configMaps, 'doomed');
      const otherUid = await failureOf(
        kubernetes.delete(ref, { uid: '00000000-0000-0000-0000-000000000000' }),
      );
      expect(otherUid).toMatchObject({ status: 409, reason: 'Conflict', outcome: 'not-applied' });
      expect(await failureOf(kubernetes.delete(ref, { resourceVersion: '1' }))).toMatchObject({
        status: 409,
      });
      await kubernetes.delete(ref, { uid: metadata.uid, resourceVersion: metadata.resourceVersion });
      expect(await kubernetes.get(ref)).toBeUndefined();
    });

    test('what is missing cannot be deleted', async () => {
      const failure = await failureOf(
        world().kubernetes.delete(refOf(world(), kinds.configMaps, 'never'), {}),
      );
      expect(failure).toMatchObject({ status: 404, reason: 'NotFound', outcome: 'not-applied' });
    });
  });

  describe('dry runs', () => {
    test('patch, apply and delete tell what would be and change nothing', async () => {
      const { kubernetes } = world();
      const before = await kubernetes.create(configMap(world(), 'dry', { a: '1' }));
      const ref = refOf(world(), kinds.configMaps, 'dry');
      const patched = await kubernetes.dryRunPatch(ref, { type: 'merge', body: { data: { a: '2' } } });
      expect(patched.data).toEqual({ a: '2' });
      const applied = await kubernetes.dryRunApply(configMap(world(), 'dry-new', { b: '1' }));
      expect(applied.data).toEqual({ b: '1' });
      await kubernetes.dryRunDelete(ref);
      expect(await kubernetes.get(ref)).toEqual(before);
      expect(await kubernetes.get(refOf(world(), kinds.configMaps, 'dry-new'))).toBeUndefined();
    });

    test('fails as the real change would', async () => {
      const missing = refOf(world(), kinds.configMaps, 'dry-missing');
      const { kubernetes } = world();
      const patch = { type: 'merge', body: { data: {} } } as const;
      expect(await failureOf(kubernetes.dryRunPatch(missing, patch))).toMatchObject({ status: 404 });
      expect(await failureOf(kubernetes.dryRunDelete(missing))).toMatchObject({ status: 404 });
      const invalid = deploymentManifest(world(), 'dry-invalid', { spec: { replicas: -1 } });
      expect(await failureOf(kubernetes.dryRunApply(invalid))).toMatchObject({ status: 422 });
    });

    test('shows the defaults that the server would fill in', async () => {
      const shown = await world().kubernetes.dryRunApply(deploymentManifest(world(), 'dry-defaults'));
      expect(at(shown, 'spec', 'strategy', 'type')).toBe('RollingUpdate');
      expect(at(shown, 'spec', 'revisionHistoryLimit')).toBe(10);
    });
  });

  describe('kinds', () => {
    test.each([
      'deployment',
      'deployments',
      'deploy',
      'Deployment',
      'deployments.apps',
      'Deployments.v1.apps',
    ])('%s is a Deployment', async (name) => {
      expect(await world().kubernetes.kind(name)).toEqual(kinds.deployments);
    });

    test.each([
      ['sts', kinds.statefulSets],
      ['ds', kinds.daemonSets],
      ['po', kinds.pods],
      ['svc', kinds.services],
    ])('%s is known', async (name, kind) => {
      expect(await world().kubernetes.kind(name)).toEqual(kind);
    });

    test('an unknown kind is refused by name', async () => {
      const failure = await failureOf(world().kubernetes.kind('gadget'));
      expect(failure.message).toContain('"gadget"');
      expect(failure.outcome).toBe('not-applied');
    });
  });

  test('a pod manifest without namespace is refused', async () => {
    const { metadata: _, ...manifest } = podManifest(world(), 'nowhere');
    const failure = await failureOf(
      world().kubernetes.create({ ...manifest, metadata: { name: 'nowhere' } }),
    );
    expect(failure).toMatchObject({ outcome: 'not-applied' });
    expect(failure.message).toContain('namespace');
  });
}
