import { describe, expect, test } from 'vitest';
import { type KubernetesObject, kinds } from '../../src/services/kubernetes.ts';
import {
  at,
  deploymentManifest,
  eventually,
  failureOf,
  isReady,
  type KubernetesWorld,
  named,
  podManifest,
  podsOf,
  read,
  refOf,
  settle,
  settled,
  startPod,
  statefulSetManifest,
} from './kubernetes-setup.ts';

const restart = (value: string) =>
  ({
    type: 'strategic',
    body: { spec: { template: { metadata: { annotations: { 'runbook.io/op': value } } } } },
  }) as const;

/** What controllers do: rollouts, revisions, scaling, strategies, terminating pods. */
export function workloadsContract(world: () => KubernetesWorld): void {
  describe('deployments', () => {
    test('the status lags behind a change: its observed generation tells which one it is about', async () => {
      const { kubernetes } = world();
      const before = await settle(world(), deploymentManifest(world(), 'lagging'));
      const ref = refOf(world(), kinds.deployments, 'lagging');
      const patched = await kubernetes.patch(ref, restart('1'));
      expect(patched.metadata.generation).toBe((before.metadata.generation ?? 0) + 1);
      // The answer of the write still carries the old rollout's "complete".
      expect(at(patched, 'status', 'observedGeneration')).toBe(before.metadata.generation);
      expect(at(patched, 'status', 'readyReplicas')).toBe(1);
      const after = await settled(world(), kinds.deployments, 'lagging');
      expect(at(after, 'status', 'observedGeneration')).toBe(patched.metadata.generation);
    });

    test('each template gets a ReplicaSet with a revision, and an old template its old one again', async () => {
      const { kubernetes, namespace } = world();
      const first = await settle(world(), deploymentManifest(world(), 'revised'));
      const ref = refOf(world(), kinds.deployments, 'revised');
      await kubernetes.patch(ref, restart('1'));
      const second = await settled(world(), kinds.deployments, 'revised');
      expect(revision(second)).toBe('2');
      const sets = await kubernetes.list(kinds.replicaSets, { namespace, labelSelector: 'app=revised' });
      expect(sets.map((set) => [revision(set), at(set, 'spec', 'replicas')]).sort()).toEqual([
        ['1', 0],
        ['2', 1],
      ]);
      for (const set of sets) {
        expect(set.metadata.ownerReferences).toMatchObject([
          { kind: 'Deployment', name: 'revised', uid: first.metadata.uid, controller: true },
        ]);
      }
      await kubernetes.patch(ref, {
        type: 'strategic',
        body: { spec: { template: { metadata: { annotations: { 'runbook.io/op': null } } } } },
      });
      const third = await settled(world(), kinds.deployments, 'revised');
      expect(revision(third)).toBe('3');
      expect(
        await kubernetes.list(kinds.replicaSets, { namespace, labelSelector: 'app=revised' }),
      ).toHaveLength(2);
    });

    test('a restart replaces the pods, and a repeated patch with the same key does not', async () => {
      const { kubernetes } = world();
      await settle(world(), deploymentManifest(world(), 'restarted', { replicas: 2 }));
      const before = new Set((await podsOf(world(), 'restarted')).map(({ metadata }) => metadata.uid));
      const ref = refOf(world(), kinds.deployments, 'restarted');
      const once = await kubernetes.patch(ref, restart('key-1'));
      await settled(world(), kinds.deployments, 'restarted');
      const pods = await eventually(
        world(),
        { kind: kinds.pods, labelSelector: 'app=restarted' },
        (all) => all.length === 2 && all.every(isReady),
      );
      expect(pods.filter(({ metadata }) => before.has(metadata.uid))).toEqual([]);
      const twice = await kubernetes.patch(ref, restart('key-1'));
      expect(twice.metadata.generation).toBe(once.metadata.generation);
    });

    test('the scale subresource sets replicas and reads them back', async () => {
      const { kubernetes } = world();
      await settle(world(), deploymentManifest(world(), 'scaled'));
      const ref = refOf(world(), kinds.deployments, 'scaled');
      const scale = await kubernetes.patch(ref, {
        type: 'merge',
        subresource: 'scale',
        body: { spec: { replicas: 3 } },
      });
      expect(scale).toMatchObject({ kind: 'Scale', spec: { replicas: 3 } });
      await settled(world(), kinds.deployments, 'scaled');
      expect(await podsOf(world(), 'scaled')).toHaveLength(3);
      await kubernetes.patch(ref, { type: 'merge', subresource: 'scale', body: { spec: { replicas: 0 } } });
      await settled(world(), kinds.deployments, 'scaled');
      const none = await eventually(
        world(),
        { kind: kinds.pods, labelSelector: 'app=scaled' },
        (pods) => pods.length === 0,
      );
      expect(none).toEqual([]);
    });

    test('a paused deployment takes a new template and does not roll it out', async () => {
      const { kubernetes } = world();
      await settle(world(), deploymentManifest(world(), 'paused'));
      const ref = refOf(world(), kinds.deployments, 'paused');
      await kubernetes.patch(ref, { type: 'merge', body: { spec: { paused: true } } });
      const patched = await kubernetes.patch(ref, restart('1'));
      const query = { kind: kinds.deployments, ...named('paused') };
      const [seen] = await eventually(
        world(),
        query,
        ([found]) => at(found, 'status', 'observedGeneration') === patched.metadata.generation,
      );
      expect(at(seen, 'status', 'updatedReplicas') ?? 0).toBe(0);
      expect(at(seen, 'status', 'readyReplicas')).toBe(1);
    });
  });

  describe('stateful sets', () => {
    test('a rolling update replaces the pods under their names and records revisions', async () => {
      const { kubernetes, namespace } = world();
      await settle(world(), statefulSetManifest(world(), 'rolling', { replicas: 2 }));
      const before = await podsOf(world(), 'rolling');
      expect(before.map(({ metadata }) => metadata.name).sort()).toEqual(['rolling-0', 'rolling-1']);
      await kubernetes.patch(refOf(world(), kinds.statefulSets, 'rolling'), restart('1'));
      const after = await settled(world(), kinds.statefulSets, 'rolling');
      expect(at(after, 'status', 'currentRevision')).toBe(at(after, 'status', 'updateRevision'));
      const revisions = await kubernetes.list(kinds.controllerRevisions, { namespace });
      const own = revisions.filter(({ metadata }) => metadata.ownerReferences?.[0]?.name === 'rolling');
      expect(own.map(({ revision: number }) => number).sort()).toEqual([1, 2]);
      const old = new Set(before.map(({ metadata }) => metadata.uid));
      const pods = await podsOf(world(), 'rolling');
      expect(pods.filter(({ metadata }) => old.has(metadata.uid))).toEqual([]);
    });

    test('OnDelete changes no pod until it is deleted, and then only that one', async () => {
      const { kubernetes } = world();
      const spec = { updateStrategy: { type: 'OnDelete' } };
      await settle(world(), statefulSetManifest(world(), 'manual', { replicas: 2, spec }));
      const before = await read(world(), kinds.pods, 'manual-0');
      const ref = refOf(world(), kinds.statefulSets, 'manual');
      const patched = await kubernetes.patch(ref, restart('1'));
      const [seen] = await eventually(
        world(),
        { kind: kinds.statefulSets, ...named('manual') },
        ([set]) => at(set, 'status', 'observedGeneration') === patched.metadata.generation,
      );
      expect(at(seen, 'status', 'updatedReplicas') ?? 0).toBe(0);
      expect(at(seen, 'status', 'updateRevision')).not.toBe(at(seen, 'status', 'currentRevision'));
      await kubernetes.delete(refOf(world(), kinds.pods, 'manual-1'), {});
      await eventually(
        world(),
        { kind: kinds.statefulSets, ...named('manual') },
        ([set]) => at(set, 'status', 'updatedReplicas') === 1 && at(set, 'status', 'readyReplicas') === 2,
      );
      const hash = 'controller-revision-hash';
      const one = await read(world(), kinds.pods, 'manual-1');
      expect(one.metadata.labels?.[hash]).toBe(at(seen, 'status', 'updateRevision'));
      const zero = await read(world(), kinds.pods, 'manual-0');
      expect(zero.metadata.uid).toBe(before.metadata.uid);
    });
  });

  describe('pods', () => {
    test('a deleted pod is seen terminating before it is gone', async () => {
      const script = "trap '' TERM; echo started; while true; do sleep 1; done";
      const spec = { terminationGracePeriodSeconds: 3 };
      const manifest = podManifest(world(), 'lingering', { script, spec });
      const pod = await startPod(world(), manifest);
      await world().kubernetes.delete(refOf(world(), kinds.pods, 'lingering'), { uid: pod.metadata.uid });
      const terminating = await read(world(), kinds.pods, 'lingering');
      expect(terminating.metadata.deletionTimestamp).toMatch(/^\d{4}-\d\d-\d\dT/u);
      expect(terminating.metadata.uid).toBe(pod.metadata.uid);
      const query = { kind: kinds.pods, ...named('lingering') };
      expect(await eventually(world(), query, (pods) => pods.length === 0)).toEqual([]);
    });

    test('a pod that fails is seen failing, with its exit code', async () => {
      const { kubernetes } = world();
      await kubernetes.create(podManifest(world(), 'failing', { script: 'echo last words; exit 7' }));
      const query = { kind: kinds.pods, ...named('failing') };
      const [pod] = await eventually(world(), query, ([found]) => at(found, 'status', 'phase') === 'Failed');
      expect(at(pod, 'status', 'containerStatuses', 0, 'state', 'terminated', 'exitCode')).toBe(7);
    });

    test('a pod of a missing namespace is refused', async () => {
      const manifest = podManifest({ ...world(), namespace: `${world().namespace}-none` }, 'lost');
      const failure = await failureOf(world().kubernetes.create(manifest));
      expect(failure).toMatchObject({ status: 404, outcome: 'not-applied' });
    });
  });
}

function revision(object: KubernetesObject): string | undefined {
  return object.metadata.annotations?.['deployment.kubernetes.io/revision'];
}
