import { describe, expect, test } from 'vitest';
import { KubernetesError, type KubernetesObject, kinds } from '../../src/services/kubernetes.ts';
import {
  configMap,
  deploymentManifest,
  eventually,
  failureOf,
  type KubernetesWorld,
  named,
  podManifest,
  read,
  refOf,
} from './kubernetes-setup.ts';

/** Races, following and rights: what runs of several operators rely on. */
export function coordinationContract(world: () => KubernetesWorld): void {
  describe('leases', () => {
    const lease = (name: string, holderIdentity: string) => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: world().namespace },
      spec: { holderIdentity, leaseDurationSeconds: 30, renewTime: '2026-01-01T00:00:00.000000Z' },
    });

    test('exactly one of several creators wins', async () => {
      const tries = ['a', 'b', 'c', 'd'].map((holder) => world().kubernetes.create(lease('raced', holder)));
      const results = await Promise.allSettled(tries);
      const won = results.filter((result) => result.status === 'fulfilled');
      expect(won).toHaveLength(1);
      const kept = await read(world(), kinds.leases, 'raced');
      expect(won[0]?.value.spec).toEqual(kept.spec);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ reason: 'AlreadyExists' });
      }
    });

    test('exactly one of several takers of the same version wins', async () => {
      const held = await world().kubernetes.create(lease('taken', 'nobody'));
      const ref = refOf(world(), kinds.leases, 'taken');
      const { resourceVersion } = held.metadata;
      const take = (holderIdentity: string) =>
        world().kubernetes.patch(ref, { type: 'merge', body: { spec: { holderIdentity } }, resourceVersion });
      const results = await Promise.allSettled(['a', 'b', 'c', 'd'].map(take));
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      const lost = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
      expect(lost.every((reason) => reason instanceof KubernetesError && reason.status === 409)).toBe(true);
    });
  });

  describe('following', () => {
    test('yields all matches now, and the whole set after each change', async () => {
      const { kubernetes, namespace } = world();
      const labelled = (name: string, data: Record<string, string>) => ({
        ...configMap(world(), name, data),
        metadata: { name, namespace, labels: { followed: 'yes' } },
      });
      await kubernetes.create(labelled('seen-1', { v: '1' }));
      const steps: (() => Promise<unknown>)[] = [
        () => kubernetes.create(labelled('seen-2', { v: '1' })),
        () => kubernetes.create(configMap(world(), 'unseen', {})),
        () =>
          kubernetes.patch(refOf(world(), kinds.configMaps, 'seen-1'), {
            type: 'merge',
            body: { data: { v: '2' } },
          }),
        () => kubernetes.delete(refOf(world(), kinds.configMaps, 'seen-2'), {}),
        // Leaving the selector looks like a deletion.
        () =>
          kubernetes.patch(refOf(world(), kinds.configMaps, 'seen-1'), {
            type: 'merge',
            body: { metadata: { labels: { followed: null } } },
          }),
      ];
      const stop = new AbortController();
      const seen: string[] = [];
      const options = { namespace, labelSelector: 'followed=yes' };
      for await (const set of kubernetes.follow(kinds.configMaps, options, stop.signal)) {
        seen.push(set.map(({ metadata, data }) => `${metadata.name}=${data?.v}`).join(' '));
        const step = steps.shift();
        if (step === undefined) stop.abort();
        else await step();
        // The second creation does not match, so the next change has to come from the step after it.
        if (steps.length === 3) await steps.shift()?.();
      }
      expect(seen).toEqual(['seen-1=1', 'seen-1=1 seen-2=1', 'seen-1=2 seen-2=1', 'seen-1=2', '']);
    });

    test('ends at once with a signal that was aborted before', async () => {
      const { kubernetes, namespace } = world();
      for await (const _ of kubernetes.follow(kinds.pods, { namespace }, AbortSignal.abort())) {
        throw new Error('nothing may come');
      }
    });

    test('ends when the consumer leaves', async () => {
      const { kubernetes, namespace } = world();
      const stop = new AbortController();
      let count = 0;
      for await (const _ of kubernetes.follow(kinds.configMaps, { namespace }, stop.signal)) {
        count += 1;
        break;
      }
      expect(count).toBe(1);
      expect(stop.signal.aborted).toBe(false);
    });

    test('a recreated object comes with its new uid', async () => {
      const { kubernetes } = world();
      const first = await kubernetes.create(configMap(world(), 'again', {}));
      const ref = refOf(world(), kinds.configMaps, 'again');
      const replace = async () => {
        await kubernetes.delete(ref, {});
        return (await kubernetes.create(configMap(world(), 'again', {}))).metadata.uid;
      };
      let replaced: Promise<string> | undefined;
      const [last] = await eventually(world(), { kind: kinds.configMaps, ...named('again') }, ([found]) => {
        replaced ??= replace();
        return found !== undefined && found.metadata.uid !== first.metadata.uid;
      });
      // The watch may be faster than the answer of the creation.
      expect(last?.metadata.uid).toBe(await replaced);
    });

    test('goes on after the API server broke all watches and forgot their history', async () => {
      const { kubernetes, interrupt } = world();
      await kubernetes.create(configMap(world(), 'survivor', { v: '1' }));
      const ref = refOf(world(), kinds.configMaps, 'survivor');
      let interrupted: Promise<KubernetesObject> | undefined;
      const [last] = await eventually(
        world(),
        { kind: kinds.configMaps, ...named('survivor') },
        ([found]) => {
          interrupted ??= interrupt().then(() =>
            kubernetes.patch(ref, { type: 'merge', body: { data: { v: '2' } } }),
          );
          return found?.data?.v === '2';
        },
      );
      expect(last?.metadata.resourceVersion).toBe((await interrupted)?.metadata.resourceVersion);
    });
  });

  describe('rights', () => {
    const access = (verb: string, resource: string) => ({
      system: 'kubernetes' as const,
      verb,
      group: '',
      resource,
      namespace: world().namespace,
    });

    test('are told before they are needed, in the order asked', async () => {
      const restricted = await world().restricted();
      const answers = await restricted.canI([
        access('get', 'pods'),
        access('delete', 'pods'),
        access('list', 'pods'),
        access('get', 'pods/log'),
        access('get', 'secrets'),
      ]);
      expect(answers.map(({ allowed }) => allowed)).toEqual([true, false, true, false, false]);
      expect(await world().kubernetes.canI([access('delete', 'pods')])).toMatchObject([{ allowed: true }]);
    });

    test('that are missing are a 403 which changed nothing', async () => {
      const restricted = await world().restricted();
      const { namespace } = world();
      expect(await restricted.list(kinds.pods, { namespace })).toBeInstanceOf(Array);
      const calls = [
        () => restricted.create(configMap(world(), 'forbidden', {})),
        () => restricted.list(kinds.secrets, { namespace }),
        () => restricted.apply(deploymentManifest(world(), 'forbidden')),
        () => restricted.dryRunApply(podManifest(world(), 'forbidden')),
      ];
      for (const call of calls) {
        expect(await failureOf(call())).toMatchObject({
          status: 403,
          reason: 'Forbidden',
          outcome: 'not-applied',
          retryable: false,
        });
      }
      expect(await world().kubernetes.get(refOf(world(), kinds.configMaps, 'forbidden'))).toBeUndefined();
    });

    test('the caller and the cluster have names', async () => {
      const { kubernetes } = world();
      expect(await kubernetes.whoAmI()).not.toBe('');
      const restricted = await world().restricted();
      expect(await restricted.whoAmI()).not.toBe(await kubernetes.whoAmI());
      const identity = await kubernetes.identity();
      const system = await kubernetes.get({ kind: kinds.namespaces, name: 'kube-system' });
      expect(identity.uid).toBe(system?.metadata.uid);
      expect(identity.version).toMatch(/^v\d+\.\d+/u);
    });
  });
}
