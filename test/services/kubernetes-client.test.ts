import { describe, expect, test } from 'vitest';
import { KubernetesError, kinds, type ObjectRef } from '../../src/services/kubernetes.ts';
import { type FakeAnswer, type FakeRequest, startFakeApiServer, status } from '../fakes/fake-apiserver.ts';

const ref: ObjectRef = { kind: kinds.deployments, namespace: 'nvcf', name: 'api' };
const object = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'api', namespace: 'nvcf', uid: 'u1', resourceVersion: '7' },
};
const patch = { type: 'merge', body: { spec: { replicas: 2 } } } as const;

async function failureOf(call: Promise<unknown>): Promise<KubernetesError> {
  const failure = await call.then(
    (value) => value,
    (cause: unknown) => cause,
  );
  if (failure instanceof KubernetesError) return failure;
  throw new Error(`expected a failure, got ${JSON.stringify(failure)}`);
}

/** Answers one after the other; the last one stays. */
function inTurn(...answers: readonly FakeAnswer[]) {
  let next = 0;
  return (): FakeAnswer => answers[Math.min(next++, answers.length - 1)] ?? {};
}

describe('a failed write', () => {
  test.each([
    [400, 'BadRequest'],
    [401, 'Unauthorized'],
    [403, 'Forbidden'],
    [404, 'NotFound'],
    [409, 'Conflict'],
    [422, 'Invalid'],
    [429, 'TooManyRequests'],
  ])('%i changed nothing', async (code, reason) => {
    await using server = await startFakeApiServer(() => status(code, reason, { message: 'because' }));
    const failure = await failureOf(server.kubernetes.patch(ref, patch));
    expect(failure).toMatchObject({ status: code, reason, outcome: 'not-applied' });
    expect(failure.message).toContain('patch Deployment nvcf/api');
    expect(failure.message).toContain('because');
    expect(server.requests).toHaveLength(1);
  });

  test.each([500, 502, 503, 504])('%i leaves the outcome unknown, and is not repeated', async (code) => {
    await using server = await startFakeApiServer(() => ({ status: code, body: 'upstream trouble' }));
    const failure = await failureOf(server.kubernetes.patch(ref, patch));
    expect(failure).toMatchObject({ status: code, outcome: 'unknown', retryable: true });
    expect(server.requests).toHaveLength(1);
  });

  test('a connection that breaks after the request was sent leaves the outcome unknown', async () => {
    await using server = await startFakeApiServer(() => 'reset');
    const failure = await failureOf(server.kubernetes.patch(ref, patch));
    expect(failure).toMatchObject({
      status: undefined,
      reason: 'Unreachable',
      outcome: 'unknown',
      retryable: true,
    });
    expect(failure.message).toContain('may have taken effect');
    expect(server.requests).toHaveLength(1);
  });

  test('an answer that does not come leaves the outcome unknown', async () => {
    await using server = await startFakeApiServer(() => 'silence');
    const kubernetes = server.connect({ limits: { writeAnswer: 50 } });
    const failure = await failureOf(kubernetes.delete(ref, {}));
    expect(failure).toMatchObject({ reason: 'Unreachable', outcome: 'unknown' });
    expect(failure.message).toContain('no answer within 0.05 s');
  });

  test('an answer cut in the middle leaves the outcome unknown', async () => {
    await using server = await startFakeApiServer(() => (response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"kind":', () => response.socket?.resetAndDestroy());
    });
    expect(await failureOf(server.kubernetes.patch(ref, patch))).toMatchObject({ outcome: 'unknown' });
  });

  test('an answer of something else than the API server leaves the outcome unknown', async () => {
    await using server = await startFakeApiServer(() => ({ body: '<html>Sign in</html>' }));
    const failure = await failureOf(server.kubernetes.patch(ref, patch));
    expect(failure).toMatchObject({ reason: 'Unreachable', outcome: 'unknown' });
    expect(failure.message).toContain('no JSON');
  });

  test('a refused connection changed nothing', async () => {
    await using server = await startFakeApiServer(() => ({}));
    await server.stop();
    const failure = await failureOf(server.kubernetes.patch(ref, patch));
    expect(failure).toMatchObject({ reason: 'Unreachable', outcome: 'not-applied', retryable: true });
    expect(failure.message).toContain('refused');
  });
});

describe('a read', () => {
  test('undefined is only a 404 of that very object', async () => {
    const about = (name: string) => status(404, 'NotFound', { details: { name, kind: 'deployments' } });
    await using server = await startFakeApiServer(
      inTurn(about('api'), about('other'), { status: 404, body: 'nope' }),
    );
    expect(await server.kubernetes.get(ref)).toBeUndefined();
    expect(await failureOf(server.kubernetes.get(ref))).toMatchObject({ status: 404 });
    expect(await failureOf(server.kubernetes.get(ref))).toMatchObject({ status: 404 });
  });

  test('waits as long as Retry-After says', async () => {
    const busy: FakeAnswer = { status: 429, headers: { 'retry-after': '7' }, body: {} };
    await using server = await startFakeApiServer(inTurn(busy, { body: object }));
    expect(await server.kubernetes.get(ref)).toEqual(object);
    expect(server.clock.sleeps).toEqual([7000]);
  });

  test('does not wait for ever: a long Retry-After is handed on', async () => {
    await using server = await startFakeApiServer(() => ({
      status: 429,
      headers: { 'retry-after': '600' },
      body: {},
    }));
    expect(await failureOf(server.kubernetes.get(ref))).toMatchObject({ status: 429, retryAfter: 600_000 });
    expect(server.clock.sleeps).toEqual([]);
  });

  test('outlives a short restart of the API server, and gives up on a long one', async () => {
    await using server = await startFakeApiServer(
      inTurn({ status: 503 }, 'reset', { status: 500 }, { body: object }, { status: 503 }),
    );
    expect(await server.kubernetes.get(ref)).toEqual(object);
    expect(await failureOf(server.kubernetes.get(ref))).toMatchObject({
      status: 503,
      outcome: 'not-applied',
    });
    expect(server.requests).toHaveLength(8);
  });

  test.each([401, 403, 400])('%i is not repeated', async (code) => {
    await using server = await startFakeApiServer(() => ({ status: code, body: {} }));
    expect(await failureOf(server.kubernetes.get(ref))).toMatchObject({ status: code, retryable: false });
    expect(server.requests).toHaveLength(1);
  });

  test('an API server that never answered is reported at once', async () => {
    await using server = await startFakeApiServer(() => ({}));
    await server.stop();
    const failure = await failureOf(server.kubernetes.get(ref));
    expect(failure.message).toContain(server.url);
    expect(failure.message).toContain('refused');
    expect(server.clock.sleeps).toEqual([]);
  });

  test('lists all pages from the current state, never from a cache', async () => {
    const page = (request: FakeRequest): FakeAnswer => {
      const token = request.query.get('continue');
      const name = token === null ? 'a' : 'b';
      const metadata = { resourceVersion: '9', ...(token === null ? { continue: 'more' } : {}) };
      return { body: { metadata, items: [{ metadata: { name, uid: name, resourceVersion: '1' } }] } };
    };
    await using server = await startFakeApiServer(page);
    const items = await server.kubernetes.list(kinds.pods, {
      namespace: 'nvcf',
      labelSelector: 'a=b,c in (d)',
    });
    expect(items.map(({ kind, apiVersion, metadata }) => `${apiVersion} ${kind} ${metadata.name}`)).toEqual([
      'v1 Pod a',
      'v1 Pod b',
    ]);
    expect(server.requests.map(({ query }) => query.get('resourceVersion'))).toEqual([null, null]);
    expect(server.requests[0]?.path).toBe('/api/v1/namespaces/nvcf/pods');
    expect(server.requests[0]?.query.get('labelSelector')).toBe('a=b,c in (d)');
  });

  test('starts a list again when its pages expired', async () => {
    const first = (name: string): FakeAnswer => ({
      body: { metadata: { continue: 'x' }, items: [{ metadata: { name } }] },
    });
    await using server = await startFakeApiServer(
      inTurn(first('old'), status(410, 'Expired'), first('new'), { body: { metadata: {}, items: [] } }),
    );
    const items = await server.kubernetes.list(kinds.pods, {});
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['new']);
  });
});

describe('what is sent', () => {
  test('names group, version and plural, the field manager, and nothing secret in the URL', async () => {
    await using server = await startFakeApiServer(() => ({ body: object }));
    await server.kubernetes.patch(ref, { ...patch, resourceVersion: '7' });
    const [request] = server.requests;
    expect(request).toMatchObject({
      method: 'PATCH',
      path: '/apis/apps/v1/namespaces/nvcf/deployments/api',
      body: '{"spec":{"replicas":2},"metadata":{"resourceVersion":"7"}}',
    });
    expect(request?.query.toString()).toBe('fieldManager=runbook');
    expect(request?.headers).toMatchObject({
      authorization: 'Bearer secret-token',
      'content-type': 'application/merge-patch+json',
    });
  });

  test('dry runs say so in the URL, and a dry-run delete has no body that could overrule it', async () => {
    await using server = await startFakeApiServer(() => ({ body: object }));
    await server.kubernetes.dryRunPatch(ref, patch);
    await server.kubernetes.dryRunApply({ ...object, metadata: { name: 'api', namespace: 'nvcf' } });
    await server.kubernetes.dryRunDelete(ref);
    expect(server.requests.map(({ query }) => query.get('dryRun'))).toEqual(['All', 'All', 'All']);
    expect(server.requests[2]).toMatchObject({ method: 'DELETE', body: '' });
  });

  test('a refused Secret is not quoted', async () => {
    const message = 'error decoding: ...|{"data":{"token":"aHVudGVyMg=="}}|...';
    await using server = await startFakeApiServer(() => status(400, 'BadRequest', { message }));
    const manifest = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'n' } };
    const failure = await failureOf(server.kubernetes.create(manifest));
    expect(failure.message).not.toContain('aHVudGVyMg');
    expect(failure.message).toContain('create Secret n/s: 400 BadRequest');
  });
});
