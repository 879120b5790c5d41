import { expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { HttpCheckWith } from '../../../src/generated/types.ts';
import { check } from '../../../src/steps/http/check.ts';
import { FakeHttp } from '../../fakes/fake-http.ts';
import { expectTold } from '../../fakes/pods-refused.ts';
import { putPod } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';

const url = 'http://api-keys.api-keys:8080/health';
const through = { namespace: 'ess', selector: 'app=ess', port: 8080 };

function rig() {
  const http = new FakeHttp();
  return { ...stepRig({ http }), http };
}

test('an answer as it should be', async () => {
  const { ctx, http } = rig();
  http.answers.set(url, '{"status":"UP"}');
  expect(await check.run({ url, contains: 'UP' }, ctx)).toEqual({
    ok: true,
    checks: [{ target: url, ok: true, status: 200, body: '{"status":"UP"}', error: '' }],
    status: 200,
    body: '{"status":"UP"}',
  });
});

test.each([
  [{ status: 503, body: 'DOWN' }, {}, 'status 503, expected 200'],
  [{ status: 429 }, { status: [200, 473] }, 'status 429, expected 200 or 473'],
  ['fine', { contains: 'UP' }, 'the body does not contain "UP"'],
  [new Error('certificate has expired'), {}, 'certificate has expired'],
])('%o fails, or is reported', async (answer, more, error) => {
  const { ctx, http } = rig();
  http.answers.set(url, answer);
  await expect(check.run({ url, ...more }, ctx)).rejects.toMatchObject({
    code: 'check-failed',
    retryable: true,
    details: [`${url}: ${error}`],
  });
  expect(await check.run({ url, mustPass: false, ...more }, ctx)).toMatchObject({
    ok: false,
    checks: [{ error }],
  });
});

test('every pod of a selector is asked, without a Service', async () => {
  const { ctx, http, cluster } = rig();
  for (const name of ['b', 'a', 'c']) putPod(cluster, { name, namespace: 'ess', labels: { app: 'ess' } });
  http.answers.set('a', 'ok');
  http.answers.set('b', { status: 500 });
  const outputs = await check.run({ url: 'http://localhost/health', through, mustPass: false }, ctx);
  expect(outputs.checks.map(({ target, ok, status }) => [target, ok, status])).toEqual([
    ['a', true, 200],
    ['b', false, 500],
    ['c', false, 0],
  ]);
  expect(http.requests[0]?.through).toEqual({ namespace: 'ess', pod: 'a', port: 8080 });
  await expect(check.run({ url, through: { ...through, selector: 'app=x' } }, ctx)).rejects.toMatchObject({
    code: 'no-match',
  });
});

test('one that hangs is given up', async () => {
  const { ctx, http, clock } = rig();
  http.answers.set(url, 'hangs');
  const run = check.run({ url, mustPass: false }, ctx);
  await clock.advance(16_000);
  expect((await run).checks[0]?.error).toBe('no answer within 15 s');
});

test('a secret header reaches the request as a secret', async () => {
  const { ctx, http } = rig();
  http.answers.set(url, 'ok');
  const secret = Secret.fromText('token', 'canary-2');
  const outputs = await check.run(
    { url, headers: { authorization: secret } } as unknown as HttpCheckWith,
    ctx,
  );
  expect(http.requests[0]?.headers?.authorization).toBe(secret);
  expect(JSON.stringify([outputs, http.requests])).not.toContain('canary-2');
});

test('an address that is none, or that carries a password, is refused', async () => {
  const { ctx } = rig();
  for (const wrong of ['api-keys:8080', 'ftp://x/', 'http://user:pw@x/']) {
    expect(check.check?.({ url: wrong })).toHaveLength(1);
    await expect(check.run({ url: wrong }, ctx)).rejects.toMatchObject({ code: 'invalid-input' });
  }
  expect(check.check?.({ url, through: { namespace: 'a', port: 1 } })).toMatchObject([{ path: ['through'] }]);
});

test('a long body is cut', async () => {
  const { ctx, http } = rig();
  http.answers.set(url, 'x'.repeat(100_000));
  expect((await check.run({ url }, ctx)).body).toHaveLength(65_536);
});

test('a list of pods that is refused, or has no answer, is told in the words of every other step', async () => {
  const { ctx, cluster } = rig();
  await expectTold(cluster, 'ess', () => check.run({ url, through }, ctx));
});
