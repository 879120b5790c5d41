import { describe, expect, test } from 'vitest';
import type { KubectlPatchWith } from '../../../src/generated/types.ts';
import { kinds } from '../../../src/services/kubernetes.ts';
import { patch } from '../../../src/steps/kubectl/patch.ts';
import { putWorkload, rollOut } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';

const ref = { kind: kinds.configMaps, namespace: 'nvcf', name: 'limits' };
const target = { kind: 'ConfigMap', name: 'limits', namespace: 'nvcf' } as const;
const input = { ...target, type: 'merge', patch: { data: { max: '200', added: 'x', gone: null } } } as const;

function ready() {
  const rig = stepRig();
  rig.cluster.put(kinds.configMaps, {
    metadata: { name: 'limits', namespace: 'nvcf', annotations: { team: 'a' } },
    data: { max: '100', gone: '1', kept: 'yes' },
  });
  return { ...rig, data: () => rig.cluster.read(ref).data };
}

test('patches the fields it names, with our mark, and puts them back', async () => {
  const { ctx, cluster, data } = ready();
  const before = await patch.capture(input, ctx);
  const outputs = await patch.run(input, ctx);
  expect(data()).toEqual({ max: '200', added: 'x', kept: 'yes' });
  expect(cluster.read(ref).metadata.annotations).toEqual({ team: 'a', 'runbook.io/op': 'op-1' });
  expect(outputs).toMatchObject({
    object: 'ConfigMap nvcf/limits',
    changed: ['data.max', 'data.added', 'data.gone'],
    verdict: 'not-awaited',
  });
  if (typeof patch.undo !== 'function') throw new Error('no undo');
  await patch.undo(input, before, outputs, ctx);
  expect(data()).toEqual({ max: '100', gone: '1', kept: 'yes' });
  expect(cluster.read(ref).metadata.annotations).toEqual({ team: 'a' });
});

test('a JSON patch works the same way, on an object without annotations too', async () => {
  const { ctx, cluster, data } = ready();
  cluster.put(kinds.configMaps, { metadata: { name: 'limits', namespace: 'nvcf' }, data: { max: '100' } });
  const operations = [{ op: 'replace', path: '/data/max', value: '300' }];
  const wanted = { ...target, type: 'json', operations } as unknown as KubectlPatchWith;
  const before = await patch.capture(wanted, ctx);
  await patch.run(wanted, ctx);
  expect(data()).toEqual({ max: '300' });
  expect(await patch.observe(wanted, before, ctx)).toMatchObject({ state: 'applied' });
  if (typeof patch.undo !== 'function') throw new Error('no undo');
  await patch.undo(wanted, before, undefined, ctx);
  expect(data()).toEqual({ max: '100' });
});

test('a patch that reaches into the pod template waits for the pods', async () => {
  const { ctx, cluster } = stepRig();
  putWorkload(cluster);
  cluster.hooks = { afterWrite: (object) => rollOut(cluster, object) };
  const change = {
    kind: 'Deployment',
    name: 'api',
    namespace: 'nvcf',
    patch: { spec: { template: { metadata: { labels: { team: 'a' } } } } },
  };
  const before = await patch.capture(change, ctx);
  expect(await patch.run(change, ctx)).toMatchObject({ verdict: 'complete', generation: 2 });
  expect(await patch.observe(change, before, ctx)).toMatchObject({
    state: 'applied',
    outputs: { verdict: 'complete' },
  });
  if (typeof patch.undo !== 'function') throw new Error('no undo');
  await patch.undo(change, before, undefined, ctx);
  const deployment = { kind: kinds.deployments, namespace: 'nvcf', name: 'api' };
  expect(cluster.read(deployment).spec?.template).toMatchObject({ metadata: { labels: { app: 'api' } } });
  expect(JSON.stringify(cluster.read(deployment).spec?.template)).not.toContain('team');
});

test('a Secret is never patched', async () => {
  const { ctx } = ready();
  for (const kind of ['Secret', 'secrets', 'secret'])
    await expect(patch.run({ ...input, kind }, ctx)).rejects.toMatchObject({
      code: 'invalid-input',
      hint: expect.stringContaining('secretData'),
    });
});

test('predicts exactly the fields that change', async () => {
  const { ctx, cluster } = ready();
  const predicted = await patch.predict(input, ctx);
  expect(predicted).toMatchObject({
    predictable: true,
    changes: true,
    diff: expect.arrayContaining([
      { path: 'data.max', before: '100', after: '200' },
      { path: 'data.added', after: 'x' },
      { path: 'data.gone', before: '1' },
    ]),
  });
  expect(predicted.predictable && predicted.diff).toHaveLength(3);
  expect(cluster.writes).toEqual([]);
});

test('a webhook that allows no dry run makes it unpredictable, not failed', async () => {
  const { ctx, cluster } = ready();
  cluster.hooks = {
    before: (verb) => {
      if (verb === 'dry-run-patch') throw failure(400, 'BadRequest', 'webhook does not support dry run');
    },
  };
  expect(await patch.predict(input, ctx)).toMatchObject({
    predictable: false,
    why: expect.stringContaining('dry run'),
  });
  const before = await patch.capture(input, ctx);
  expect(await patch.observe(input, before, ctx)).toMatchObject({ state: 'not-applied' });
  await patch.run(input, ctx);
  expect(await patch.observe(input, before, ctx)).toMatchObject({ state: 'applied' });
});

test.each([
  ['a patch and operations', { ...input, operations: [{ op: 'test', path: '/x' } as const] }],
  ['no patch', { ...target }],
  [
    'operations of a merge patch',
    { ...target, type: 'merge', operations: [{ op: 'remove', path: '/x' }] } as never,
  ],
])('%s is refused before anything is asked', async (_, written) => {
  const wrong = written as unknown as KubectlPatchWith;
  const { ctx, cluster } = ready();
  await expect(patch.run(wrong, ctx)).rejects.toMatchObject({ code: 'invalid-input' });
  expect(cluster.calls).toEqual([]);
  expect(patch.check?.(wrong)).toHaveLength(1);
});

describe('observe', () => {
  test('tells not-applied, applied, in-progress, conflict and unknown', async () => {
    const { ctx, cluster } = ready();
    const before = await patch.capture(input, ctx);
    const look = () => patch.observe(input, before, ctx);
    expect(await look()).toMatchObject({ state: 'not-applied' });
    await patch.run(input, ctx);
    expect(await look()).toMatchObject({ state: 'applied' });
    await cluster.patch(ref, { type: 'merge', body: { data: { max: '999' } } });
    expect(await look()).toMatchObject({
      state: 'conflict',
      evidence: expect.stringContaining('by this step, then'),
    });
    cluster.remove(ref);
    expect(await look()).toMatchObject({ state: 'conflict' });
    cluster.hooks = {
      before: (verb) => {
        if (verb === 'get') throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });

  test('in-progress while pods follow', async () => {
    const { ctx, cluster } = stepRig();
    putWorkload(cluster);
    const change = {
      kind: 'Deployment',
      name: 'api',
      namespace: 'nvcf',
      patch: { spec: { template: { metadata: { labels: { team: 'a' } } } } },
    };
    const before = await patch.capture(change, ctx);
    await patch.run({ ...change, wait: false }, ctx);
    expect(await patch.observe(change, before, ctx)).toMatchObject({ state: 'in-progress' });
  });
});
