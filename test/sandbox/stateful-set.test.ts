import { describe, expect, test } from 'vitest';
import { kinds } from '../../src/services/kubernetes.ts';
import { at, get, openLab, pass, podsOf, ref, restart, until, workload } from './rig.ts';

const { statefulSets, daemonSets, pods } = kinds;
const settled = (replicas: number) => (set: readonly unknown[]) => {
  const [object] = set as Parameters<typeof at>[0][];
  return (
    at(object, 'status', 'observedGeneration') === at(object, 'metadata', 'generation') &&
    (at(object, 'status', 'readyReplicas') ?? 0) === replicas &&
    at(object, 'status', 'replicas') === replicas &&
    (at(object, 'status', 'updatedReplicas') ?? 0) === replicas
  );
};

async function started(spec: Record<string, never> | object = {}) {
  const lab = await openLab();
  await lab.services.kubernetes.create(workload('StatefulSet', { replicas: 3, spec: { ...spec } }));
  await until(lab, statefulSets, settled(3));
  return lab;
}

async function hashes(lab: Awaited<ReturnType<typeof openLab>>): Promise<readonly (string | undefined)[]> {
  return (await podsOf(lab)).map(({ metadata }) => metadata.labels?.['controller-revision-hash']);
}

describe('a stateful set', () => {
  test('starts its pods in order, each after the one before is ready', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(workload('StatefulSet', { replicas: 3 }));
    const seen: string[] = [];
    await until(lab, pods, (all) => {
      const names = all.map(({ metadata }) => metadata.name).join(' ');
      if (seen.at(-1) !== names) seen.push(names);
      return all.length === 3;
    });
    expect(seen.filter((names) => names !== '')).toEqual(['app-0', 'app-0 app-1', 'app-0 app-1 app-2']);
  });

  test('starts them together when it is parallel', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(
      workload('StatefulSet', { replicas: 3, spec: { podManagementPolicy: 'Parallel' } }),
    );
    const sizes = new Set<number>();
    await until(lab, pods, (all) => {
      sizes.add(all.length);
      return all.length === 3;
    });
    expect([...sizes]).toEqual([0, 3]);
  });

  test('rolls from the highest ordinal down, one at a time', async () => {
    const lab = await started();
    await restart(lab, statefulSets);
    const gone: string[] = [];
    await until(lab, pods, (all) => {
      const leaving = all.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
      expect(leaving.length).toBeLessThanOrEqual(1);
      const name = leaving[0]?.metadata.name;
      if (name !== undefined && gone.at(-1) !== name) gone.push(name);
      return gone.length === 3 && all.length === 3 && leaving.length === 0;
    });
    expect(gone).toEqual(['app-2', 'app-1', 'app-0']);
  });

  test('leaves what is below its partition alone', async () => {
    const lab = await started();
    await lab.services.kubernetes.patch(ref(statefulSets, 'app'), {
      type: 'merge',
      body: { spec: { updateStrategy: { rollingUpdate: { partition: 2 } } } },
    });
    await restart(lab, statefulSets);
    await pass(lab, 60_000);
    const set = await get(lab, statefulSets, 'app');
    const [current, update] = [at(set, 'status', 'currentRevision'), at(set, 'status', 'updateRevision')];
    expect(current).not.toBe(update);
    expect(await hashes(lab)).toEqual([current, current, update]);
    await lab.services.kubernetes.delete(ref(pods, 'app-0'), {});
    await pass(lab, 60_000);
    expect((await hashes(lab))[0]).toBe(current);
  });

  test('on delete: a deleted pod comes back new, and the current revision stays what it was', async () => {
    const lab = await started({ updateStrategy: { type: 'OnDelete' } });
    const before = at(await get(lab, statefulSets, 'app'), 'status', 'currentRevision');
    await restart(lab, statefulSets);
    await pass(lab, 60_000);
    expect(new Set(await hashes(lab))).toEqual(new Set([before]));
    for (const name of ['app-0', 'app-1', 'app-2']) {
      await lab.services.kubernetes.delete(ref(pods, name), {});
      await pass(lab, 30_000);
    }
    const set = await get(lab, statefulSets, 'app');
    expect(at(set, 'status', 'updatedReplicas')).toBe(3);
    expect(at(set, 'status', 'currentRevision')).toBe(before);
  });

  test('shrinks from the top, and a template of old gives its old revision again', async () => {
    const lab = await started();
    const first = at(await get(lab, statefulSets, 'app'), 'status', 'updateRevision');
    await restart(lab, statefulSets);
    await until(lab, statefulSets, settled(3));
    await lab.services.kubernetes.patch(ref(statefulSets, 'app'), {
      type: 'merge',
      body: { spec: { replicas: 1, template: { metadata: { annotations: { restarted: null } } } } },
    });
    const [set] = await until(lab, statefulSets, settled(1));
    expect(at(set, 'status', 'updateRevision')).toBe(first);
    expect((await podsOf(lab)).map(({ metadata }) => metadata.name)).toEqual(['app-0']);
  });

  test('refuses changes of what cannot change', async () => {
    const lab = await started();
    const change = lab.services.kubernetes.patch(ref(statefulSets, 'app'), {
      type: 'merge',
      body: { spec: { serviceName: 'other' } },
    });
    await expect(change).rejects.toMatchObject({ status: 422, reason: 'Invalid' });
  });
});

describe('a daemon set', () => {
  test('has a pod on every node and replaces them one by one', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(workload('DaemonSet'));
    const ready = (count: number) =>
      until(
        lab,
        daemonSets,
        ([set]) =>
          at(set, 'status', 'numberAvailable') === count &&
          at(set, 'status', 'updatedNumberScheduled') === count &&
          at(set, 'status', 'observedGeneration') === at(set, 'metadata', 'generation'),
      );
    await ready(3);
    const nodes = (await podsOf(lab)).map((pod) => at(pod, 'spec', 'nodeName'));
    expect([...nodes].sort()).toEqual(['sandbox-node-1', 'sandbox-node-2', 'sandbox-node-3']);
    const old = new Set((await podsOf(lab)).map(({ metadata }) => metadata.uid));
    await restart(lab, daemonSets);
    let fewest = 3;
    await until(lab, daemonSets, ([set]) => {
      fewest = Math.min(fewest, Number(at(set, 'status', 'numberAvailable') ?? 0));
      return (
        at(set, 'status', 'updatedNumberScheduled') === 3 &&
        at(set, 'status', 'numberAvailable') === 3 &&
        at(set, 'status', 'observedGeneration') === 2
      );
    });
    expect(fewest).toBe(2);
    expect((await podsOf(lab)).filter(({ metadata }) => old.has(metadata.uid))).toEqual([]);
  });
});
