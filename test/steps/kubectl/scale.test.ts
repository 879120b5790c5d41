import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import { scale } from '../../../src/steps/kubectl/scale.ts';
import { settled } from '../../fakes/manual-clock.ts';
import { putWorkload, rollOut, type WorkloadOptions } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';

const input = { kind: 'Deployment', name: 'api', namespace: 'nvcf', replicas: 0 } as const;
const ref = { kind: kinds.deployments, namespace: 'nvcf', name: 'api' };
const kept = 'runbook.io/replicas-before';

function ready(options: WorkloadOptions = { replicas: 3 }) {
  const rig = stepRig();
  putWorkload(rig.cluster, options);
  rig.cluster.hooks = { afterWrite: (object, cluster) => rollOut(cluster, object) };
  return rig;
}

describe('run', () => {
  test('scales, remembers the count found, and waits until the pods are gone', async () => {
    const { ctx, cluster } = ready();
    const outputs = await scale.run({ ...input, remember: true }, ctx);
    expect(outputs).toEqual({
      workload: 'Deployment nvcf/api',
      previous: 3,
      replicas: 0,
      ready: 0,
      autoscaler: '',
    });
    expect(cluster.read(ref).spec?.replicas).toBe(0);
    expect(cluster.read(ref).metadata.annotations?.[kept]).toBe('3');
    expect(cluster.all(kinds.pods)).toEqual([]);
  });

  test('a pod that is still ending is awaited', async () => {
    const { ctx, cluster, progress } = ready();
    let finished = false;
    const [pod] = cluster.all(kinds.pods);
    cluster.hooks = {
      afterWrite(object) {
        rollOut(cluster, object);
        if (pod !== undefined)
          cluster.put(kinds.pods, { metadata: { name: 'old', namespace: 'nvcf', labels: { app: 'api' } } });
      },
    };
    const run = scale.run(input, ctx).then(() => {
      finished = true;
    });
    await settled();
    expect(finished).toBe(false);
    expect(progress.at(-1)?.text).toBe('1 pods still to end');
    cluster.remove({ kind: kinds.pods, namespace: 'nvcf', name: 'old' });
    await run;
  });

  test('remembering twice keeps the count from before the outage', async () => {
    const { ctx, cluster } = ready();
    await scale.run({ ...input, replicas: 1, remember: true }, ctx);
    await scale.run({ ...input, remember: true }, { ...ctx, operationKey: 'op-2' });
    expect(cluster.read(ref).metadata.annotations?.[kept]).toBe('3');
  });

  test('restore puts back what was remembered, once', async () => {
    const { ctx, cluster } = ready();
    await scale.run({ ...input, remember: true }, ctx);
    const restored = await scale.run({ ...input, replicas: 'restore' }, { ...ctx, operationKey: 'op-2' });
    expect(restored).toMatchObject({ previous: 0, replicas: 3, ready: 3 });
    expect(cluster.read(ref).metadata.annotations).not.toHaveProperty([kept]);
    const again = scale.run({ ...input, replicas: 'restore' }, { ...ctx, operationKey: 'op-3' });
    await expect(again).rejects.toMatchObject({ code: 'nothing-remembered', outcome: 'not-applied' });
  });

  test('never takes a StatefulSet to zero that nobody confirmed', async () => {
    const { ctx, cluster } = ready({ kind: 'StatefulSet', name: 'nats', replicas: 3 });
    const nats = { kind: 'StatefulSet', name: 'nats', namespace: 'nvcf', replicas: 0 } as const;
    for (const ask of [scale.run, scale.capture, scale.predict])
      await expect(ask(nats, ctx)).rejects.toMatchObject({ code: 'outage-refused', outcome: 'not-applied' });
    expect(cluster.writes).toEqual([]);
    expect(await scale.run({ ...nats, allowOutage: true }, ctx)).toMatchObject({ replicas: 0 });
  });
});

describe('predict', () => {
  test('shows the count and names the autoscaler', async () => {
    const { ctx, cluster } = ready();
    cluster.put(kinds.horizontalPodAutoscalers, {
      metadata: { name: 'api', namespace: 'nvcf' },
      spec: { scaleTargetRef: { kind: 'Deployment', name: 'api' } },
    });
    const predicted = await scale.predict({ ...input, replicas: 5 }, ctx);
    expect(predicted).toMatchObject({
      changes: true,
      diff: [{ path: 'spec.replicas', before: 3, after: 5 }],
      outputs: { previous: 3, replicas: 5 },
    });
    expect(predicted.notes?.[0]).toMatch(/HorizontalPodAutoscaler api/);
    expect(await scale.predict({ ...input, replicas: 3 }, ctx)).toMatchObject({ changes: false, diff: [] });
    expect(cluster.writes).toEqual([]);
  });
});

describe('observe and undo', () => {
  async function captured(options?: WorkloadOptions) {
    const rig = ready(options);
    const before = await scale.capture({ ...input, remember: true }, rig.ctx);
    const look = () => scale.observe({ ...input, remember: true }, before, rig.ctx);
    return { ...rig, before, look };
  }

  test('applied, with the outputs of the run', async () => {
    const { ctx, look } = await captured();
    const outputs = await scale.run({ ...input, remember: true }, ctx);
    expect(await look()).toMatchObject({ state: 'applied', outputs: { ...outputs } });
  });

  test('not-applied before, and again after undo, which takes the memory away too', async () => {
    const { ctx, cluster, look, before } = await captured();
    expect(await look()).toMatchObject({ state: 'not-applied' });
    const outputs = await scale.run({ ...input, remember: true }, ctx);
    if (typeof scale.undo !== 'function') throw new Error('no undo');
    await scale.undo({ ...input, remember: true }, before, outputs, ctx);
    expect(await look()).toMatchObject({ state: 'not-applied' });
    expect(cluster.read(ref).spec?.replicas).toBe(3);
    expect(cluster.read(ref).metadata.annotations).not.toHaveProperty([kept]);
  });

  test('in-progress while the pods follow', async () => {
    const { cluster, look } = await captured();
    cluster.hooks = {};
    await cluster.patch(ref, {
      type: 'merge',
      body: { metadata: { annotations: { 'runbook.io/op': 'op-1' } }, spec: { replicas: 0 } },
    });
    expect(await look()).toMatchObject({ state: 'in-progress' });
  });

  test('conflict when somebody else scales', async () => {
    const { ctx, cluster, look } = await captured();
    await scale.run({ ...input, remember: true }, ctx);
    await cluster.patch(ref, { type: 'merge', body: { spec: { replicas: 7 } } });
    expect(await look()).toMatchObject({ state: 'conflict' });
    cluster.remove(ref);
    expect(await look()).toMatchObject({ state: 'conflict', evidence: expect.stringContaining('deleted') });
  });

  test('unknown when it may not be read', async () => {
    const { cluster, look } = await captured();
    cluster.hooks = {
      before: (verb) => {
        if (verb === 'get') throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });
});
