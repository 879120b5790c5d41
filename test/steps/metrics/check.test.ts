import { expect, test } from 'vitest';
import type { MetricsCheckWith } from '../../../src/generated/types.ts';
import { check } from '../../../src/steps/metrics/check.ts';
import { FakeHttp } from '../../fakes/fake-http.ts';
import { settled } from '../../fakes/manual-clock.ts';
import { expectTold } from '../../fakes/pods-refused.ts';
import { putPod } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';

const input: MetricsCheckWith = {
  namespace: 'ess',
  selector: 'app=ess',
  port: 9464,
  metric: 'errors_total',
  compare: '<=',
  threshold: 5,
};

function rig(bodies: Readonly<Record<string, string>>) {
  const http = new FakeHttp();
  const made = { ...stepRig({ http }), http };
  for (const [name, body] of Object.entries(bodies)) {
    putPod(made.cluster, { name, namespace: 'ess', labels: { app: 'ess' } });
    http.answers.set(name, body);
  }
  return made;
}

test('compares the sum of the matching series of every pod', async () => {
  const { ctx, http } = rig({
    a: 'errors_total{kind="x"} 2\nerrors_total{kind="y"} 3\n',
    b: 'errors_total 1\n',
  });
  expect(await check.run(input, ctx)).toEqual({
    ok: true,
    pods: [
      { pod: 'a', ok: true, value: 5, series: 2, error: '' },
      { pod: 'b', ok: true, value: 1, series: 1, error: '' },
    ],
    min: 1,
    max: 5,
    sum: 6,
  });
  expect(http.requests[0]).toMatchObject({
    url: 'http://localhost:9464/metrics',
    through: { namespace: 'ess', pod: 'a', port: 9464 },
  });
  expect((await check.run({ ...input, labels: { kind: 'y' }, mustPass: false }, ctx)).pods[0]).toMatchObject({
    value: 3,
    series: 1,
  });
  expect((await check.run({ ...input, aggregate: 'max' }, ctx)).pods[0]?.value).toBe(3);
});

test.each([
  ['<', 2, false],
  ['<=', 2, true],
  ['==', 2, true],
  ['!=', 2, false],
  ['>=', 2, true],
  ['>', 2, false],
  ['>', 1.5, true],
] as const)('2 %s %s is %s', async (compare, threshold, ok) => {
  const { ctx } = rig({ a: 'errors_total 2' });
  expect((await check.run({ ...input, compare, threshold, mustPass: false }, ctx)).ok).toBe(ok);
});

test('a pod that fails is named with its value', async () => {
  const { ctx } = rig({ a: 'errors_total 2', b: 'errors_total 9' });
  await expect(check.run(input, ctx)).rejects.toMatchObject({
    code: 'check-failed',
    details: ['b: 9'],
    message: '1 of 2 pods fail: errors_total <= 5.',
  });
});

test('a pod without the series fails, or counts as zero; an unreachable one always fails', async () => {
  const { ctx, http, cluster } = rig({ a: 'other 1' });
  expect((await check.run({ ...input, mustPass: false }, ctx)).pods[0]).toMatchObject({
    ok: false,
    error: 'it has no such series',
  });
  expect((await check.run({ ...input, missing: 'zero' }, ctx)).pods[0]).toMatchObject({
    ok: true,
    value: 0,
    series: 0,
  });
  putPod(cluster, { name: 'b', namespace: 'ess', labels: { app: 'ess' } });
  http.answers.set('a', { status: 404 });
  const outputs = await check.run({ ...input, missing: 'zero', mustPass: false }, ctx);
  expect(outputs.pods.map(({ ok, error }) => [ok, error])).toEqual([
    [false, 'status 404 at /metrics'],
    [false, 'connection refused'],
  ]);
});

test('a rate is the growth per second between two reads; a counter that restarted counts from zero', async () => {
  const { ctx, clock, http } = rig({ a: 'errors_total 100', b: 'errors_total 100' });
  const run = check.run({ ...input, over: '10s', mustPass: false }, ctx);
  await settled();
  http.answers.set('a', 'errors_total 150');
  http.answers.set('b', 'errors_total 20');
  await clock.advance(10_000);
  const { pods } = await run;
  expect(pods.map(({ value }) => value)).toEqual([5, 2]);
});

test('an infinite value is no number to compare with', async () => {
  const { ctx } = rig({ a: 'errors_total +Inf' });
  expect((await check.run({ ...input, mustPass: false }, ctx)).pods[0]).toMatchObject({
    ok: false,
    value: 0,
    error: 'its value is infinite',
  });
});

test('bad targets are refused, and nothing matching is an error', async () => {
  const { ctx } = rig({ a: '' });
  for (const wrong of [{ namespace: '' }, { selector: ' ' }, { metric: 'a b' }, { over: '0s' }]) {
    expect(check.check?.({ ...input, ...wrong })).toHaveLength(1);
    await expect(check.run({ ...input, ...wrong }, ctx)).rejects.toMatchObject({ code: 'invalid-input' });
  }
  await expect(check.run({ ...input, selector: 'app=x' }, ctx)).rejects.toMatchObject({ code: 'no-match' });
});

test('a list of pods that is refused, or has no answer, is told in the words of every other step', async () => {
  const { ctx, cluster } = rig({ a: '' });
  await expectTold(cluster, 'ess', () => check.run(input, ctx));
});
