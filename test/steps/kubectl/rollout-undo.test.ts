import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import { rolloutUndo } from '../../../src/steps/kubectl/rollout-undo.ts';
import { putWorkload, rollOut } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';

const plurals = {
  Deployment: kinds.deployments,
  StatefulSet: kinds.statefulSets,
  DaemonSet: kinds.daemonSets,
};

/** A workload with three revisions: images main:1, main:2, main:3. */
async function ready(kind: keyof typeof plurals = 'Deployment') {
  const rig = stepRig();
  const ref = { kind: plurals[kind], namespace: 'nvcf', name: 'api' };
  putWorkload(rig.cluster, { kind });
  rig.cluster.hooks = { afterWrite: (object, cluster) => rollOut(cluster, object) };
  for (const image of ['main:2', 'main:3'])
    await rig.cluster.patch(ref, {
      type: 'strategic',
      body: { spec: { template: { spec: { containers: [{ name: 'main', image }] } } } },
    });
  const image = () => JSON.stringify(rig.cluster.read(ref).spec?.template).match(/main:\d/)?.[0];
  return { ...rig, ref, image, input: { kind, name: 'api', namespace: 'nvcf' } as const };
}

describe.each(['Deployment', 'StatefulSet', 'DaemonSet'] as const)('a %s', (kind) => {
  test('goes back to the revision before, and forward again with undo', async () => {
    const { ctx, image, input } = await ready(kind);
    const before = await rolloutUndo.capture(input, ctx);
    const outputs = await rolloutUndo.run(input, ctx);
    expect(image()).toBe('main:2');
    expect(outputs).toMatchObject({ verdict: 'complete', fromRevision: 3, toRevision: 2 });
    expect(await rolloutUndo.observe(input, before, ctx)).toMatchObject({
      state: 'applied',
      outputs: { fromRevision: 3, toRevision: 2 },
    });
    if (typeof rolloutUndo.undo !== 'function') throw new Error('no undo');
    await rolloutUndo.undo(input, before, outputs, ctx);
    expect(image()).toBe('main:3');
    expect(await rolloutUndo.observe(input, before, ctx)).toMatchObject({ state: 'not-applied' });
  });
});

test('goes to a revision by number, without the hash of its ReplicaSet', async () => {
  const { ctx, cluster, ref, image, input } = await ready();
  await rolloutUndo.run({ ...input, toRevision: 1 }, ctx);
  expect(image()).toBe('main:1');
  expect(JSON.stringify(cluster.read(ref).spec?.template)).not.toContain('pod-template-hash');
});

test('predicts the difference of the templates and writes nothing', async () => {
  const { ctx, cluster, input } = await ready();
  const written = cluster.writes.length;
  const predicted = await rolloutUndo.predict(input, ctx);
  expect(predicted).toMatchObject({
    changes: true,
    diff: [{ path: 'spec.template.spec.containers[main].image', before: 'main:3', after: 'main:2' }],
    outputs: { fromRevision: 3, toRevision: 2 },
  });
  expect(cluster.writes).toHaveLength(written);
});

test('a revision that is not kept is an error that names those that are', async () => {
  const { ctx, input } = await ready();
  await expect(rolloutUndo.run({ ...input, toRevision: 9 }, ctx)).rejects.toMatchObject({
    code: 'no-revision',
    hint: 'It keeps the revisions 1, 2, 3.',
    outcome: 'not-applied',
  });
  const { ctx: bare, cluster } = stepRig();
  putWorkload(cluster);
  await expect(rolloutUndo.run(input, bare)).rejects.toMatchObject({ code: 'no-revision' });
});

describe('observe', () => {
  test('not-applied, in-progress, conflict and unknown', async () => {
    const { ctx, cluster, ref, input } = await ready();
    const before = await rolloutUndo.capture(input, ctx);
    const look = () => rolloutUndo.observe(input, before, ctx);
    expect(await look()).toMatchObject({ state: 'not-applied' });
    const { hooks } = cluster;
    cluster.hooks = {};
    await rolloutUndo.run({ ...input, wait: false }, ctx);
    expect(await look()).toMatchObject({ state: 'in-progress' });
    cluster.hooks = hooks;
    await cluster.patch(ref, {
      type: 'merge',
      body: { spec: { template: { metadata: { labels: { a: 'b' } } } } },
    });
    expect(await look()).toMatchObject({ state: 'conflict' });
    cluster.hooks = {
      before: (verb) => {
        if (verb === 'get') throw failure(401, 'Unauthorized', 'expired');
      },
    };
    expect(await look()).toMatchObject({
      state: 'unknown',
      evidence: expect.stringContaining('credentials'),
    });
  });

  test('repeated after a lost answer it goes back once, not twice', async () => {
    const { ctx, cluster, image, input, checkpoints } = await ready();
    await rolloutUndo.run(input, ctx);
    const written = cluster.writes.length;
    const again = await rolloutUndo.run(input, { ...ctx, resumed: checkpoints.at(-1) ?? null });
    expect(again).toMatchObject({ fromRevision: 3, toRevision: 2 });
    expect(image()).toBe('main:2');
    expect(cluster.writes).toHaveLength(written);
  });
});
