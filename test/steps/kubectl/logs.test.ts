import { expect, test } from 'vitest';
import { logs } from '../../../src/steps/kubectl/logs.ts';
import { settled } from '../../fakes/manual-clock.ts';
import { putPod } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';

const input = { namespace: 'nvcf', selector: 'app=api' };

function ready(lines: Readonly<Record<string, readonly string[]>>) {
  const rig = stepRig();
  for (const name of Object.keys(lines)) putPod(rig.cluster, { name, labels: { app: 'api' } });
  rig.cluster.hooks = { log: (pod) => lines[pod] ?? [] };
  return rig;
}

test('reads every pod, the newest lines of each', async () => {
  const { ctx } = ready({ b: ['one', 'two', 'three'], a: ['red \u001b[31m'] });
  const outputs = await logs.run({ ...input, tail: 2 }, ctx);
  expect(outputs.pods).toEqual([
    { pod: 'a', container: 'main', lines: ['red \u001b[31m'], count: 1, truncated: false },
    { pod: 'b', container: 'main', lines: ['two', 'three'], count: 2, truncated: false },
  ]);
  expect(outputs).toMatchObject({ lines: 3, podsWithLines: 2 });
});

test('keeps and counts the lines that match', async () => {
  const { ctx } = ready({ a: ['Loaded key 1', 'other', 'Loaded key 22'], b: ['other'] });
  expect(await logs.run({ ...input, match: 'Loaded' }, ctx)).toMatchObject({ lines: 2, podsWithLines: 1 });
  const outputs = await logs.run({ ...input, match: 'key \\d\\d$', regex: true }, ctx);
  expect(outputs.pods[0]?.lines).toEqual(['Loaded key 22']);
});

test('long logs and long lines are cut, and say so', async () => {
  const { ctx } = ready({ a: Array.from({ length: 2500 }, (_, index) => `line ${index}`) });
  const [pod] = (await logs.run({ ...input, tail: 10000 }, ctx)).pods;
  expect([pod?.lines.length, pod?.count, pod?.truncated, pod?.lines.at(-1)]).toEqual([
    2000,
    2500,
    true,
    'line 2499',
  ]);
  const { ctx: long } = ready({ a: ['x'.repeat(20_000)] });
  expect((await logs.run(input, long)).pods[0]?.lines[0]).toHaveLength(8193);
});

test('follows for a time', async () => {
  const { ctx, clock } = ready({ a: ['one'] });
  const run = logs.run({ ...input, follow: '30s' }, ctx);
  await settled();
  expect(clock.sleeping).toBe(1);
  await clock.advance(30_000, 10_000);
  expect((await run).lines).toBe(1);
});

test('follows until every pod has a match, and no longer', async () => {
  const { ctx } = ready({ a: ['ready'], b: ['no', 'ready'] });
  expect(await logs.run({ ...input, follow: '15m', match: 'ready' }, ctx)).toMatchObject({
    podsWithLines: 2,
    lines: 2,
  });
});

test('a container has to be named when there are several and none is the default', async () => {
  const { ctx, cluster } = stepRig();
  putPod(cluster, { name: 'two', containers: ['main', 'vault-agent'] });
  const one = { namespace: 'nvcf', pod: 'two' };
  await expect(logs.run(one, ctx)).rejects.toMatchObject({
    code: 'container-needed',
    hint: 'Write container: one of main, vault-agent.',
  });
  expect((await logs.run({ ...one, container: 'vault-agent' }, ctx)).pods[0]?.container).toBe('vault-agent');
  await expect(logs.run({ ...one, container: 'agent' }, ctx)).rejects.toMatchObject({
    message: expect.stringContaining("no container 'agent'"),
  });
});

test('either a pod or a selector', async () => {
  const { ctx } = ready({ a: [] });
  await expect(logs.run({ namespace: 'nvcf' }, ctx)).rejects.toMatchObject({ code: 'invalid-input' });
  expect(logs.check?.({ namespace: 'nvcf', pod: 'a', selector: 'b' })).toHaveLength(1);
});
