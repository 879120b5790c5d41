import { describe, expect, test } from 'vitest';
import { kinds } from '../../src/services/kubernetes.ts';
import { at, conditionOf, events, get, openLab, pass, podsOf, ref, restart, until, workload } from './rig.ts';

const { deployments, replicaSets, pods } = kinds;
const complete = (replicas: number) => (set: readonly unknown[]) => {
  const [object] = set as Parameters<typeof at>[0][];
  return (
    at(object, 'status', 'observedGeneration') === at(object, 'metadata', 'generation') &&
    (at(object, 'status', 'updatedReplicas') ?? 0) === replicas &&
    (at(object, 'status', 'replicas') ?? 0) === replicas &&
    (at(object, 'status', 'availableReplicas') ?? 0) === replicas
  );
};

describe('a deployment', () => {
  test.each([
    // replicas, maxSurge, maxUnavailable, most pods at once, fewest ready
    [4, '25%', '25%', 5, 3],
    [1, '25%', '25%', 2, 1],
    [10, '25%', '25%', 13, 8],
    [3, 1, 0, 4, 3],
    [3, 0, 1, 3, 2],
    [3, 0, 0, 3, 2],
  ])(
    '%i replicas with surge %s and unavailable %s stay within bounds',
    async (replicas, maxSurge, maxUnavailable, most, fewest) => {
      const lab = await openLab();
      const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } };
      await lab.services.kubernetes.create(workload('Deployment', { replicas, spec: { strategy } }));
      await until(lab, deployments, complete(replicas));
      await restart(lab, deployments);
      let high = 0;
      let low = replicas;
      await until(lab, deployments, (all) => {
        const [found] = all;
        const active = Number(at(found, 'status', 'replicas') ?? 0);
        high = Math.max(high, active);
        low = Math.min(low, Number(at(found, 'status', 'availableReplicas') ?? 0));
        return complete(replicas)(all);
      });
      expect({ high, low }).toEqual({ high: most, low: fewest });
    },
  );

  test('recreates: no new pod before the last old one is gone', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(
      workload('Deployment', { replicas: 2, spec: { strategy: { type: 'Recreate' } } }),
    );
    await until(lab, deployments, complete(2));
    const old = new Set((await podsOf(lab)).map(({ metadata }) => metadata.uid));
    await restart(lab, deployments);
    let mixed = false;
    await until(lab, pods, (all) => {
      const kept = all.filter(({ metadata }) => old.has(metadata.uid)).length;
      if (kept > 0 && kept < all.length) mixed = true;
      return kept === 0 && all.length === 2;
    });
    expect(mixed).toBe(false);
  });

  test('misses its progress deadline when pods never become ready, and says so', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(workload('Deployment', { spec: { progressDeadlineSeconds: 60 } }));
    await until(lab, deployments, complete(1));
    await lab.services.kubernetes.patch(ref(deployments, 'app'), {
      type: 'strategic',
      body: {
        spec: { template: { spec: { containers: [{ name: 'main', image: 'registry/does-not-exist:1' }] } } },
      },
    });
    const started = lab.services.clock.now();
    const [failed] = await until(
      lab,
      deployments,
      ([found]) => conditionOf(found, 'Progressing')?.reason === 'ProgressDeadlineExceeded',
    );
    expect(conditionOf(failed, 'Progressing')).toMatchObject({ status: 'False' });
    expect(conditionOf(failed, 'Available')).toMatchObject({ status: 'True' });
    expect(lab.services.clock.now() - started).toBeGreaterThanOrEqual(59_000);
    expect(lab.services.clock.now() - started).toBeLessThan(63_000);
  });

  test('keeps no more old revisions than its limit', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(workload('Deployment', { spec: { revisionHistoryLimit: 2 } }));
    for (let round = 1; round <= 5; round += 1) {
      await restart(lab, deployments, String(round));
      await until(lab, deployments, complete(1));
    }
    await pass(lab, 5_000);
    const sets = await lab.services.kubernetes.list(replicaSets, { namespace: 'lab' });
    const revisions = sets.map((set) =>
      Number(set.metadata.annotations?.['deployment.kubernetes.io/revision']),
    );
    expect(revisions.sort((a, b) => a - b)).toEqual([3, 4, 5]);
  });

  test('scaled in the middle of a rollout, it grows in proportion and ends at the new size', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(workload('Deployment', { replicas: 4 }));
    await until(lab, deployments, complete(4));
    await lab.services.kubernetes.patch(ref(deployments, 'app'), {
      type: 'strategic',
      body: {
        spec: { template: { spec: { containers: [{ name: 'main', image: 'registry/does-not-exist:1' }] } } },
      },
    });
    await pass(lab, 30_000);
    await lab.services.kubernetes.patch(ref(deployments, 'app'), {
      type: 'merge',
      subresource: 'scale',
      body: { spec: { replicas: 8 } },
    });
    await pass(lab, 30_000);
    const sets = await lab.services.kubernetes.list(replicaSets, { namespace: 'lab' });
    const sizes = sets.map((set) => Number(at(set, 'spec', 'replicas')));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(10);
    expect(Math.min(...sizes)).toBeGreaterThan(1);
    expect(
      Number(at(await get(lab, deployments, 'app'), 'status', 'availableReplicas')),
    ).toBeGreaterThanOrEqual(6);
  });

  test('brings a deleted pod back', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(workload('Deployment'));
    await until(lab, deployments, complete(1));
    const [pod] = await podsOf(lab);
    await lab.services.kubernetes.delete(ref(pods, pod?.metadata.name ?? ''), {});
    const [next] = await until(
      lab,
      pods,
      (all) => all.length === 1 && all[0]?.metadata.uid !== pod?.metadata.uid,
    );
    expect(next?.metadata.name).not.toBe(pod?.metadata.name);
    expect(next?.metadata.name).toMatch(/^app-[a-z0-9]+-[a-z0-9]{5}$/);
  });

  test('counts a pod as available only after minReadySeconds', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(workload('Deployment', { spec: { minReadySeconds: 30 } }));
    const [ready] = await until(lab, deployments, ([found]) => at(found, 'status', 'readyReplicas') === 1);
    expect(at(ready, 'status', 'availableReplicas')).toBeUndefined();
    const since = lab.services.clock.now();
    await until(lab, deployments, complete(1));
    expect(lab.services.clock.now() - since).toBeGreaterThan(28_000);
  });

  test('takes its pods with it, or leaves them as orphans', async () => {
    const lab = await openLab();
    const { kubernetes } = lab.services;
    await kubernetes.create(workload('Deployment'));
    await until(lab, deployments, complete(1));
    await kubernetes.delete(ref(deployments, 'app'), { propagation: 'Orphan' });
    await pass(lab, 10_000);
    expect(await podsOf(lab)).toHaveLength(1);
    expect(await kubernetes.list(replicaSets, { namespace: 'lab' })).toMatchObject([
      { metadata: { ownerReferences: [] } },
    ]);
    await kubernetes.create(workload('Deployment'));
    await pass(lab, 10_000);
    await kubernetes.delete(ref(deployments, 'app'), { propagation: 'Foreground' });
    expect((await get(lab, deployments, 'app')).metadata.deletionTimestamp).toBeDefined();
    await until(lab, deployments, (all) => all.length === 0);
    expect(await kubernetes.list(replicaSets, { namespace: 'lab' })).toHaveLength(1);
  });

  test('tells what it does in events', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(workload('Deployment'));
    await until(lab, deployments, complete(1));
    const [set] = await lab.services.kubernetes.list(replicaSets, { namespace: 'lab' });
    expect(await events(lab, 'app')).toEqual([
      `ScalingReplicaSet: Scaled up replica set ${set?.metadata.name} from 0 to 1`,
    ]);
  });
});
