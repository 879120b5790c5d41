import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import { deletePod } from '../../../src/steps/kubectl/delete-pod.ts';
import { settled } from '../../fakes/manual-clock.ts';
import { putPod } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';

const set = { kind: 'StatefulSet', name: 'bao', uid: 'set-1' };
const input = { namespace: 'vault-system', name: 'bao-1' };
const ref = { kind: kinds.pods, ...input };

/** Three pods of a StatefulSet; `come` lets the successor appear. */
function ready() {
  const rig = stepRig();
  const put = (name: string, uid: string, isReady = true) =>
    putPod(rig.cluster, { name, namespace: 'vault-system', uid, owner: set, ready: isReady });
  for (const index of [0, 1, 2]) put(`bao-${index}`, `old-${index}`);
  return { ...rig, put, come: (isReady = true) => put('bao-1', 'new-1', isReady) };
}

describe('run', () => {
  test('deletes by UID and returns when the pod of the same name is ready again', async () => {
    const { ctx, cluster, come, checkpoints } = ready();
    let finished = false;
    const run = deletePod.run(input, ctx).finally(() => {
      finished = true;
    });
    await settled();
    expect(cluster.writes).toEqual(['delete pods/bao-1']);
    expect(checkpoints).toEqual([{ uid: 'old-1', owner: 'set-1', siblings: ['old-0', 'old-1', 'old-2'] }]);
    come(false);
    await settled();
    expect(finished).toBe(false);
    come();
    expect(await run).toEqual({
      deleted: 'bao-1',
      uid: 'old-1',
      replacement: 'bao-1',
      replacementUid: 'new-1',
    });
  });

  test('repeated after a crash it leaves the successor alone', async () => {
    const { ctx, cluster, come, checkpoints } = ready();
    const first = deletePod.run(input, ctx);
    await settled();
    come();
    await first;
    const again = await deletePod.run(input, { ...ctx, resumed: checkpoints[0] ?? null });
    expect(again.replacementUid).toBe('new-1');
    expect(cluster.writes).toEqual(['delete pods/bao-1']);
  });

  test('a restart of another pod of the set is not taken for the replacement', async () => {
    const { ctx, put, come } = ready();
    const run = deletePod.run(input, ctx);
    await settled();
    put('bao-2', 'fresh-2');
    await settled();
    come();
    expect((await run).replacement).toBe('bao-1');
  });

  test('of a ReplicaSet any new ready pod is the replacement', async () => {
    const { ctx, cluster } = stepRig();
    const owner = { kind: 'ReplicaSet', name: 'api-1', uid: 'rs-1' };
    for (const name of ['api-a', 'api-b']) putPod(cluster, { name, owner });
    cluster.hooks = { afterWrite: () => void putPod(cluster, { name: 'api-c', owner }) };
    expect((await deletePod.run({ namespace: 'nvcf', name: 'api-a' }, ctx)).replacement).toBe('api-c');
  });

  test('a successor that crashes again and again fails it early', async () => {
    const { ctx, cluster } = ready();
    const status = {
      containerStatuses: [
        { name: 'main', ready: false, restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff' } } },
      ],
    };
    cluster.hooks = {
      afterWrite: () =>
        void putPod(cluster, {
          name: 'bao-1',
          namespace: 'vault-system',
          uid: 'new-1',
          owner: set,
          ready: false,
          status,
        }),
    };
    const before = await deletePod.capture(input, ctx);
    await expect(deletePod.run(input, ctx)).rejects.toMatchObject({ code: 'crash-loop' });
    // Nobody waits for it again when the run goes on or back.
    expect(await deletePod.observe(input, before, { ...ctx, operationKey: 'k' })).toMatchObject({
      state: 'in-progress',
      stuck: true,
      evidence: expect.stringContaining('crashes again and again'),
    });
  });

  test('is refused for a pod that nothing would replace, and for one that was replaced meanwhile', async () => {
    const { ctx, cluster } = ready();
    putPod(cluster, { name: 'bare', namespace: 'vault-system' });
    await expect(deletePod.run({ ...input, name: 'bare' }, ctx)).rejects.toMatchObject({
      code: 'unowned-pod',
    });
    await expect(deletePod.run({ ...input, uid: 'older' }, ctx)).rejects.toMatchObject({ code: 'replaced' });
    expect(cluster.writes).toEqual([]);
  });

  test('a pod that is not there is named with those that are', async () => {
    const { ctx, cluster } = ready();
    cluster.put(kinds.namespaces, { metadata: { name: 'vault-system' } });
    await expect(deletePod.run({ ...input, name: 'bao-7' }, ctx)).rejects.toMatchObject({
      code: 'not-found',
      hint: 'There are: bao-0, bao-1, bao-2.',
    });
  });
});

describe('observe', () => {
  async function captured() {
    const rig = ready();
    const before = await deletePod.capture(input, rig.ctx);
    return { ...rig, look: () => deletePod.observe(input, before, rig.ctx) };
  }

  test('not-applied: still the pod it was', async () => {
    expect(await (await captured()).look()).toMatchObject({ state: 'not-applied' });
  });

  test('in-progress: going, gone, or not ready yet', async () => {
    const { cluster, look, come } = await captured();
    cluster.change(ref, (pod) => {
      pod.metadata = { ...pod.metadata, deletionTimestamp: '2027-01-10T08:00:00Z' };
    });
    expect(await look()).toMatchObject({
      state: 'in-progress',
      evidence: expect.stringContaining('being deleted'),
    });
    cluster.remove(ref);
    expect(await look()).toMatchObject({
      state: 'in-progress',
      evidence: expect.stringContaining('not there yet'),
    });
    come(false);
    expect(await look()).toMatchObject({
      state: 'in-progress',
      evidence: expect.stringContaining('not ready yet'),
    });
  });

  test('applied: another pod took its place', async () => {
    const { cluster, look, come } = await captured();
    cluster.remove(ref);
    come();
    expect(await look()).toMatchObject({
      state: 'applied',
      outputs: { uid: 'old-1', replacementUid: 'new-1' },
    });
  });

  test('conflict: its name belongs to somebody else', async () => {
    const { cluster, look } = await captured();
    cluster.remove(ref);
    putPod(cluster, { name: 'bao-1', namespace: 'vault-system', uid: 'x', owner: { ...set, uid: 'set-2' } });
    expect(await look()).toMatchObject({ state: 'conflict' });
  });

  test('unknown: the pods may not be listed', async () => {
    const { cluster, look } = await captured();
    cluster.hooks = {
      before: () => {
        throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });
});
