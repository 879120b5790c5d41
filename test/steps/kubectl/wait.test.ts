import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import { wait } from '../../../src/steps/kubectl/wait.ts';
import { settled } from '../../fakes/manual-clock.ts';
import { putPod } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';

const input = { kind: 'Pod', name: 'a', namespace: 'nvcf' };
const ref = { kind: kinds.pods, namespace: 'nvcf', name: 'a' };

async function outcome(run: Promise<unknown>): Promise<unknown> {
  return await run.catch((error: unknown) => error);
}

test('returns when the condition holds, and not before', async () => {
  const { ctx, cluster, progress } = stepRig();
  putPod(cluster, { name: 'a', ready: false });
  const run = wait.run({ ...input, condition: 'Ready' }, ctx);
  await settled();
  expect(progress.at(-1)?.text).toBe('1 of 1 not there yet: a has False');
  putPod(cluster, { name: 'a', ready: true });
  expect(await run).toEqual({ objects: [{ name: 'a', value: 'True' }], count: 1 });
});

test('waits for a value at a path, on every object that matches', async () => {
  const { ctx, cluster } = stepRig();
  const put = (name: string, active: string) =>
    putPod(cluster, { name, labels: { app: 'bao', 'openbao-active': active } });
  put('a', 'true');
  put('b', 'false');
  const run = wait.run(
    {
      kind: 'Pod',
      namespace: 'nvcf',
      selector: 'app=bao',
      jsonpath: "{.metadata.labels['openbao-active']}",
      value: 'true',
    },
    ctx,
  );
  await settled();
  put('b', 'true');
  expect((await run).count).toBe(2);
});

test('waits until an object is gone; one of the same name that comes after does not count', async () => {
  const { ctx, cluster } = stepRig();
  putPod(cluster, { name: 'a', uid: 'old' });
  const run = wait.run({ ...input, deleted: true }, ctx);
  await settled();
  putPod(cluster, { name: 'a', uid: 'new' });
  expect(await run).toEqual({ objects: [], count: 0 });
  cluster.remove(ref);
  expect(await wait.run({ ...input, deleted: true }, ctx)).toEqual({ objects: [], count: 0 });
});

test('an object that vanishes, and a selector that matches nothing, are errors', async () => {
  const { ctx, cluster } = stepRig();
  putPod(cluster, { name: 'a', ready: false });
  const run = outcome(wait.run({ ...input, condition: 'Ready' }, ctx));
  await settled();
  cluster.remove(ref);
  expect(await run).toMatchObject({ code: 'deleted' });
  const none = wait.run({ kind: 'Pod', namespace: 'nvcf', selector: 'app=x', condition: 'Ready' }, ctx);
  await expect(none).rejects.toMatchObject({ code: 'namespace-not-found' });
});

test('says at its deadline what is missing', async () => {
  const { ctx, cluster, stop, clock } = stepRig();
  putPod(cluster, { name: 'a', ready: false });
  const run = outcome(wait.run({ ...input, condition: 'Ready' }, ctx));
  await clock.advance(700_000, 100_000);
  stop.abort();
  expect(await run).toMatchObject({
    code: 'timeout',
    message: 'Pod nvcf/a: 1 of 1 not there yet: a has False.',
  });
});

describe('check', () => {
  test.each([
    ['nothing to wait for', {}],
    ['two things to wait for', { condition: 'Ready', deleted: true as const }],
    ['no path', { jsonpath: 'status.phase' }],
  ])('%s', async (_, goal) => {
    const { ctx } = stepRig();
    expect(wait.check?.({ ...input, ...goal })).toHaveLength(1);
    await expect(wait.run({ ...input, ...goal }, ctx)).rejects.toMatchObject({ code: 'invalid-input' });
  });
});
