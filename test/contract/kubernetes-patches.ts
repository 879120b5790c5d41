import { describe, expect, test } from 'vitest';
import { kinds } from '../../src/services/kubernetes.ts';
import {
  at,
  configMap,
  deploymentManifest,
  failureOf,
  type KubernetesWorld,
  read,
  refOf,
} from './kubernetes-setup.ts';

/** The three patch types, optimistic concurrency and server-side apply. */
export function patchesContract(world: () => KubernetesWorld): void {
  describe('patches', () => {
    test('a strategic patch merges containers by name, a merge patch replaces the list', async () => {
      const { kubernetes, nextImage } = world();
      await kubernetes.create(deploymentManifest(world(), 'merging', { replicas: 0 }));
      const ref = refOf(world(), kinds.deployments, 'merging');
      const env = [{ name: 'ADDED', value: 'yes' }];
      const strategic = await kubernetes.patch(ref, {
        type: 'strategic',
        body: { spec: { template: { spec: { containers: [{ name: 'main', env }] } } } },
      });
      const containers = ['spec', 'template', 'spec', 'containers'] as const;
      expect(at(strategic, ...containers, 0)).toMatchObject({ name: 'main', image: world().image, env });
      const merged = await kubernetes.patch(ref, {
        type: 'merge',
        body: { spec: { template: { spec: { containers: [{ name: 'other', image: nextImage }] } } } },
      });
      expect(at(merged, ...containers, 0)).toMatchObject({ name: 'other', image: nextImage });
      expect(at(merged, ...containers, 0, 'env')).toBeUndefined();
      expect(at(merged, ...containers, 1)).toBeUndefined();
    });

    test('null removes a key, and what is not named stays', async () => {
      const { kubernetes } = world();
      await kubernetes.create(configMap(world(), 'keys', { keep: '1', drop: '2' }));
      const ref = refOf(world(), kinds.configMaps, 'keys');
      const patched = await kubernetes.patch(ref, {
        type: 'merge',
        body: { data: { drop: null, add: '3' } },
      });
      expect(patched.data).toEqual({ keep: '1', add: '3' });
    });

    test('a JSON patch tests, adds and removes in order, all or nothing', async () => {
      const { kubernetes } = world();
      await kubernetes.create(configMap(world(), 'ordered', { a: '1' }));
      const ref = refOf(world(), kinds.configMaps, 'ordered');
      const good = await kubernetes.patch(ref, {
        type: 'json',
        body: [
          { op: 'test', path: '/data/a', value: '1' },
          { op: 'add', path: '/data/b', value: '2' },
          { op: 'remove', path: '/data/a' },
        ],
      });
      expect(good.data).toEqual({ b: '2' });
      const failure = await failureOf(
        kubernetes.patch(ref, {
          type: 'json',
          body: [
            { op: 'add', path: '/data/c', value: '3' },
            { op: 'test', path: '/data/b', value: 'other' },
          ],
        }),
      );
      expect(failure).toMatchObject({ status: 422, outcome: 'not-applied' });
      expect((await read(world(), kinds.configMaps, 'ordered')).data).toEqual({ b: '2' });
    });

    test.each(['merge', 'strategic', 'json'] as const)(
      'a %s patch of a stale version is a conflict',
      async (type) => {
        const { kubernetes } = world();
        const name = `stale-${type}`;
        const old = await kubernetes.create(configMap(world(), name, { a: '1' }));
        const ref = refOf(world(), kinds.configMaps, name);
        const moved = await kubernetes.patch(ref, { type: 'merge', body: { data: { a: '2' } } });
        const body =
          type === 'json' ? [{ op: 'replace', path: '/data/a', value: '3' }] : { data: { a: '3' } };
        const patch = { type, body, resourceVersion: old.metadata.resourceVersion };
        expect(await failureOf(kubernetes.patch(ref, patch))).toMatchObject({
          status: 409,
          reason: 'Conflict',
          outcome: 'not-applied',
          retryable: true,
        });
        const current = { ...patch, resourceVersion: moved.metadata.resourceVersion };
        expect((await kubernetes.patch(ref, current)).data).toEqual({ a: '3' });
      },
    );

    test('a patch that changes nothing moves neither version nor generation', async () => {
      const { kubernetes } = world();
      const before = await kubernetes.create(configMap(world(), 'still', { a: '1' }));
      const ref = refOf(world(), kinds.configMaps, 'still');
      const after = await kubernetes.patch(ref, { type: 'merge', body: { data: { a: '1' } } });
      expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    });

    test('a missing object cannot be patched', async () => {
      const ref = refOf(world(), kinds.configMaps, 'unpatched');
      const failure = await failureOf(world().kubernetes.patch(ref, { type: 'merge', body: {} }));
      expect(failure).toMatchObject({ status: 404, reason: 'NotFound', outcome: 'not-applied' });
    });
  });

  describe('server-side apply', () => {
    test('creates, then changes, and removes what it no longer names', async () => {
      const { kubernetes } = world();
      const created = await kubernetes.apply(configMap(world(), 'applied', { a: '1', b: '1' }));
      expect(created.data).toEqual({ a: '1', b: '1' });
      const changed = await kubernetes.apply(configMap(world(), 'applied', { a: '2' }));
      expect(changed.data).toEqual({ a: '2' });
      expect(changed.metadata.uid).toBe(created.metadata.uid);
    });

    test("another manager's field is a conflict that retrying cannot cure, until it is forced", async () => {
      const { kubernetes } = world();
      await kubernetes.create({
        ...configMap(world(), 'owned', { a: '1' }),
      });
      const ref = refOf(world(), kinds.configMaps, 'owned');
      await kubernetes.patch(ref, { type: 'merge', body: { data: { b: '1' } } });
      const failure = await failureOf(kubernetes.apply(configMap(world(), 'owned', { a: '2' })));
      expect(failure).toMatchObject({
        status: 409,
        reason: 'Conflict',
        retryable: false,
        outcome: 'not-applied',
      });
      const forced = await kubernetes.apply(configMap(world(), 'owned', { a: '2' }), { force: true });
      expect(forced.data).toEqual({ a: '2', b: '1' });
    });
  });
}
