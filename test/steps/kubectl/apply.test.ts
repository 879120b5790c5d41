import { describe, expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { KubectlApplyWith } from '../../../src/generated/types.ts';
import { kinds } from '../../../src/services/kubernetes.ts';
import { apply } from '../../../src/steps/kubectl/apply.ts';
import { putWorkload } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';

const manifest = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'limits', namespace: 'nvcf' },
  data: { max: '200' },
};
const input: KubectlApplyWith = { manifest };
const ref = { kind: kinds.configMaps, namespace: 'nvcf', name: 'limits' };
const secretRef = { kind: kinds.secrets, namespace: 'nvcf', name: 'registry' };
const secret = {
  manifest: {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'registry', namespace: 'nvcf' },
    type: 'Opaque',
  },
  secretData: { token: Secret.fromText('token', 'canary-7f3a') },
} as unknown as KubectlApplyWith;

async function undo(
  rig: ReturnType<typeof stepRig>,
  wanted: KubectlApplyWith,
  before: never,
  outputs?: never,
) {
  if (typeof apply.undo !== 'function') throw new Error('no undo');
  await apply.undo(wanted, before, outputs, rig.ctx);
}

describe('an object that does not exist', () => {
  test('is created, observed as ours, and deleted by undo', async () => {
    const rig = stepRig();
    const before = await apply.capture(input, rig.ctx);
    expect(before.witnesses[0]?.description).toBe('ConfigMap nvcf/limits does not exist');
    expect(await apply.observe(input, before, rig.ctx)).toMatchObject({ state: 'not-applied' });
    const outputs = await apply.run(input, rig.ctx);
    expect(outputs).toMatchObject({ object: 'ConfigMap nvcf/limits', created: true });
    expect(rig.cluster.read(ref).metadata.annotations).toEqual({ 'runbook.io/op': 'op-1' });
    expect(await apply.observe(input, before, rig.ctx)).toMatchObject({
      state: 'applied',
      outputs: { created: true },
    });
    await undo(rig, input, before as never, outputs as never);
    expect(rig.cluster.all(kinds.configMaps)).toEqual([]);
    expect(await apply.observe(input, before, rig.ctx)).toMatchObject({ state: 'not-applied' });
  });

  test('that somebody else created is a conflict, and is never deleted', async () => {
    const rig = stepRig();
    const before = await apply.capture(input, rig.ctx);
    rig.cluster.put(kinds.configMaps, {
      metadata: { name: 'limits', namespace: 'nvcf' },
      data: { max: '1' },
    });
    expect(await apply.observe(input, before, rig.ctx)).toMatchObject({ state: 'conflict' });
    await expect(undo(rig, input, before as never)).rejects.toMatchObject({ code: 'conflict' });
    expect(rig.cluster.all(kinds.configMaps)).toHaveLength(1);
  });
});

describe('an object that exists', () => {
  function existing() {
    const rig = stepRig();
    rig.cluster.put(kinds.configMaps, {
      metadata: { name: 'limits', namespace: 'nvcf' },
      data: { max: '100', kept: '1' },
    });
    return rig;
  }

  test('gets the fields of the manifest; undo puts back those and no others', async () => {
    const rig = existing();
    const before = await apply.capture(input, rig.ctx);
    expect(await apply.predict(input, rig.ctx)).toMatchObject({
      diff: [{ path: 'data.max', before: '100', after: '200' }],
    });
    const outputs = await apply.run(input, rig.ctx);
    expect(rig.cluster.read(ref).data).toEqual({ max: '200', kept: '1' });
    await rig.cluster.patch(ref, { type: 'merge', body: { data: { kept: 'changed by others' } } });
    await undo(rig, input, before as never, outputs as never);
    expect(rig.cluster.read(ref).data).toEqual({ max: '100', kept: 'changed by others' });
  });

  test('is observed: not-applied, applied, conflict, unknown', async () => {
    const rig = existing();
    const before = await apply.capture(input, rig.ctx);
    const look = () => apply.observe(input, before, rig.ctx);
    expect(await look()).toMatchObject({ state: 'not-applied' });
    await apply.run(input, rig.ctx);
    expect(await look()).toMatchObject({ state: 'applied' });
    await rig.cluster.patch(ref, { type: 'merge', body: { data: { max: '5' } } });
    expect(await look()).toMatchObject({ state: 'conflict' });
    rig.cluster.hooks = {
      before: (verb) => {
        if (verb === 'get') throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });

  test('of a workload is in-progress until its pods have followed', async () => {
    const { ctx, cluster } = stepRig();
    putWorkload(cluster);
    const metadata = { labels: { app: 'api', team: 'a' } };
    const wanted = {
      manifest: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'api', namespace: 'nvcf' },
        spec: { template: { metadata } },
      },
    };
    const before = await apply.capture(wanted, ctx);
    await apply.run({ ...wanted, wait: false }, ctx);
    expect(await apply.observe(wanted, before, ctx)).toMatchObject({ state: 'in-progress' });
  });

  test('fields of another manager are a conflict with a hint, or unpredictable with force', async () => {
    const rig = existing();
    rig.cluster.hooks = {
      before: (verb) => {
        if (verb.endsWith('apply')) throw failure(409, 'Conflict', 'conflict with "helm": .data.max');
      },
    };
    await expect(apply.predict(input, rig.ctx)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('helm'),
    });
    expect(await apply.predict({ ...input, force: true }, rig.ctx)).toMatchObject({ predictable: false });
  });
});

describe('a Secret', () => {
  test('gets its values, which show nowhere', async () => {
    const rig = stepRig();
    const predicted = await apply.predict(secret, rig.ctx);
    const before = await apply.capture(secret, rig.ctx);
    const outputs = await apply.run(secret, rig.ctx);
    expect(rig.cluster.read(secretRef).data).toEqual({
      token: Buffer.from('canary-7f3a').toString('base64'),
    });
    const observed = await apply.observe(secret, before, rig.ctx);
    expect(observed.state).toBe('applied');
    const shown = JSON.stringify([
      predicted,
      before,
      outputs,
      observed,
      rig.progress,
      rig.checkpoints,
      apply.describe(secret),
    ]);
    expect(shown).not.toContain('canary-7f3a');
    expect(shown).not.toContain(Buffer.from('canary-7f3a').toString('base64'));
    expect(shown).toContain('«masked»');
  });

  test('with other values is not applied; with the same, nothing changes', async () => {
    const rig = stepRig();
    const put = (text: string) =>
      rig.cluster.put(kinds.secrets, {
        metadata: { name: 'registry', namespace: 'nvcf' },
        type: 'Opaque',
        data: { token: Buffer.from(text).toString('base64') },
      });
    put('other');
    const before = await apply.capture(secret, rig.ctx);
    expect(await apply.observe(secret, before, rig.ctx)).toMatchObject({ state: 'not-applied' });
    expect(await apply.predict(secret, rig.ctx)).toMatchObject({
      changes: true,
      diff: [{ path: 'data.token', before: '«masked»', after: '«masked»' }],
    });
    put('canary-7f3a');
    expect(await apply.predict(secret, rig.ctx)).toMatchObject({ changes: false, diff: [] });
    await expect(undo(rig, secret, before as never)).rejects.toMatchObject({ code: 'not-recorded' });
  });

  test('has no values in its manifest, and no other kind has secretData', () => {
    const inline = { manifest: { ...secret.manifest, stringData: { token: 'x' } } };
    expect(apply.check?.(inline)).toMatchObject([{ path: ['manifest', 'stringData'] }]);
    expect(apply.check?.({ ...input, secretData: { a: 'b' } })).toMatchObject([{ path: ['secretData'] }]);
  });
});

test('a namespaced kind without a namespace is refused', async () => {
  const rig = stepRig();
  const nowhere = { manifest: { ...manifest, metadata: { name: 'limits' } } };
  await expect(apply.run(nowhere, rig.ctx)).rejects.toMatchObject({
    code: 'invalid-target',
    outcome: 'not-applied',
  });
  expect(rig.cluster.writes).toEqual([]);
});
