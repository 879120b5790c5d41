import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { type Answer, type Answers, failureOf, inPod, pod, serve } from '../fakes/openbao-server.ts';

const never = () => new AbortController().signal;
const token = Secret.fromText('token', 's.hunter2\n');
const at = { mount: 'services/all/kv', path: 'encryption/keys/stored_data' };
const data = '/v1/services/all/kv/data/encryption/keys/stored_data';
const metadata = '/v1/services/all/kv/metadata/encryption/keys/stored_data';
const mountInfo = '/v1/sys/internal/ui/mounts/services/all/kv';

function engine(type: string, version: string | undefined): Answer {
  const options = version === undefined ? null : { version };
  return [200, { data: { type, options, uuid: 'm1', path: 'services/all/kv/' } }];
}
const versioned: Answers = { [mountInfo]: engine('kv', '2') };

const created = { created_time: '2026-11-24T14:52:46Z', custom_metadata: null };
const living = { ...created, deletion_time: '', destroyed: false, version: 3 };
const fields = '{"n":12345678901234567890,"x": "\\u003cé}\\"]", "deep":{"data":[1,{"a":"}"}]}}';

async function read(answers: Answers, version?: number) {
  await using server = await serve(answers);
  const result = await inPod(server).kvRead(pod, { ...at, ...(version && { version }) }, token, never());
  if (result.state === 'failed') expect(result.error.message).not.toContain('hunter2');
  return { result, asked: server.asked };
}

describe('reading a secret', () => {
  test('gives version, time and the fields to the last digit', async () => {
    const body = `{"request_id":"r","data": {"metadata":${JSON.stringify(living)}, "data":${fields}},"auth":null}`;
    const { result, asked } = await read({ [data]: [200, body] });
    if (result.state !== 'found') throw new Error(result.state);
    expect(result).toMatchObject({ version: 3, createdTime: '2026-11-24T14:52:46Z' });
    expect(result.data.revealText((text) => text)).toBe(fields);
    expect(asked.map(({ method, url }) => [method, url])).toEqual([['GET', data]]);
    expect(asked[0]?.headers['x-vault-token']).toBe('s.hunter2');
  });

  test('of an older version asks for it', async () => {
    const answer: Answer = [200, { data: { data: { x: '1' }, metadata: { ...living, version: 2 } } }];
    expect((await read({ [`${data}?version=2`]: answer }, 2)).result).toMatchObject({ version: 2 });
    const { result, asked } = await read({}, -1);
    expect(result.state).toBe('failed');
    expect(asked).toEqual([]);
  });

  test.each([
    ['absent', { errors: [] }, { reason: 'absent' }],
    [
      'deleted',
      { data: { data: null, metadata: { ...living, deletion_time: '2026-11-24T15:00:00Z' } } },
      { reason: 'deleted', version: 3 },
    ],
    [
      'destroyed',
      { data: { data: null, metadata: { ...living, destroyed: true } } },
      { reason: 'destroyed', version: 3 },
    ],
  ] as const)('that is %s is told as such', async (_, body, expected) => {
    const { result } = await read({ ...versioned, [data]: [404, body] });
    expect(result).toEqual({ state: 'not-found', ...expected });
  });

  test.each<[string, Answers, string]>([
    ['a proxy', { [data]: [404, '<html>404</html>'] }, '404'],
    ['a JSON API', { [data]: [404, { error: 'not found' }] }, '404'],
    ['no mount', { [data]: [404, { errors: ['no handler for route "x".'] }] }, 'no handler for route'],
    ['a wrong path', { [data]: [404, { data: null, warnings: ['Invalid path'] }] }, '404'],
    ['a living version', { [data]: [404, { data: { data: null, metadata: living } }] }, '404'],
    ['an unversioned engine', { [mountInfo]: engine('kv', '1') }, 'version 1'],
    ['an engine without options', { [mountInfo]: engine('kv', undefined) }, 'version 1'],
    ['another engine', { [mountInfo]: engine('transit', undefined) }, 'type transit'],
    [
      'an unknown mount',
      { [mountInfo]: [403, { errors: ['preflight capability check returned 403'] }] },
      'has no mount',
    ],
    ['a mount that cannot be asked', { [mountInfo]: [500, { errors: ['internal'] }] }, 'internal'],
  ])('a 404 of %s is a failure, not "absent"', async (_, answers, text) => {
    const { result } = await read(answers);
    if (result.state !== 'failed') throw new Error(result.state);
    expect(result.error.message).toContain(text);
    expect(result.error.message).toContain('vault-system/openbao-server-0');
  });

  test.each<[string, Answer]>([
    ['without metadata', [200, { data: { data: { x: '1' } } }]],
    ['without data', [200, { data: { metadata: living } }]],
    ['that is no JSON', [200, '<html>']],
    ['of an unversioned engine', [200, { data: { x: '1' } }]],
    ['without an end', 'reset'],
  ])('an answer %s is a failure', async (_, answer) => {
    expect((await read({ [data]: answer })).result.state).toBe('failed');
  });

  test('for every status and body, only a true 404 is "not found" and only a whole 200 is "found"', async () => {
    const whole = { data: { data: { x: '1' }, metadata: living } };
    const bodies = fc.oneof(
      fc.constantFrom('', '{}', '[]', 'null', '{"errors":[]}', '{"errors":null}', JSON.stringify(whole)),
      fc.json(),
      fc
        .record({ errors: fc.array(fc.string(), { minLength: 1, maxLength: 2 }) })
        .map((body) => JSON.stringify(body)),
    );
    // 1xx have no body of their own, and 204 and 304 none at all.
    const statuses = fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 304);
    await fc.assert(
      fc.asyncProperty(statuses, bodies, async (status, body) => {
        const { result } = await read({ ...versioned, [data]: [status, body] });
        if (result.state === 'not-found') expect([status, body]).toEqual([404, '{"errors":[]}']);
        if (result.state === 'found') expect([status, body]).toEqual([200, JSON.stringify(whole)]);
      }),
      { numRuns: 150 },
    );
  });

  test.each(['', '/a', 'a/', 'a//b', 'a/../b', '.', 'a\nb'])(
    'the path %j is refused unasked',
    async (path) => {
      await using server = await serve({});
      const result = await inPod(server).kvRead(pod, { mount: 'kv', path }, token, never());
      if (result.state !== 'failed') throw new Error(result.state);
      expect(result.error.message).toContain('is no path');
      expect(server.asked).toEqual([]);
    },
  );

  test('a path is encoded, segment by segment', async () => {
    await using server = await serve({});
    await inPod(server).kvRead(pod, { mount: 'kv', path: 'a b/ü?x#%/c' }, token, never());
    expect(server.asked[0]?.url).toBe('/v1/kv/data/a%20b/%C3%BC%3Fx%23%25/c');
  });
});

describe('reading metadata', () => {
  test('gives the versions, oldest first', async () => {
    const entry = { created_time: 't', deletion_time: '', destroyed: false };
    await using server = await serve({
      [metadata]: [
        200,
        {
          data: {
            cas_required: true,
            current_version: 11,
            oldest_version: 2,
            max_versions: 0,
            delete_version_after: '0s',
            versions: { 10: { ...entry, destroyed: true }, 11: entry, 2: { ...entry, deletion_time: 'd' } },
          },
        },
      ],
    });
    expect(await inPod(server).kvMetadata(pod, at, token, never())).toEqual({
      state: 'found',
      metadata: {
        currentVersion: 11,
        oldestVersion: 2,
        casRequired: true,
        maxVersions: 0,
        deleteVersionAfter: '0s',
        versions: [
          { version: 2, createdTime: 't', deletionTime: 'd', destroyed: false },
          { version: 10, createdTime: 't', deletionTime: '', destroyed: true },
          { version: 11, createdTime: 't', deletionTime: '', destroyed: false },
        ],
      },
    });
  });

  test.each<[string, Answers, string]>([
    ['nothing there', versioned, 'not-found'],
    ['no mount', { [metadata]: [404, { errors: ['no handler for route'] }] }, 'failed'],
    ['an unversioned engine', { [mountInfo]: engine('kv', '1') }, 'failed'],
    ['no permission', { [metadata]: [403, { errors: ['permission denied'] }] }, 'failed'],
    ['something else', { [metadata]: [200, { data: { keys: [] } }] }, 'failed'],
  ])('%s', async (_, answers, state) => {
    await using server = await serve(answers);
    expect(await inPod(server).kvMetadata(pod, at, token, never())).toMatchObject({ state });
  });
});

describe('writing', () => {
  const content = '{"keys":"canary-1234567","big":12345678901234567890}';
  const value = Secret.fromText('value', content);

  async function write(
    answer: Answer | undefined,
    given: { readonly data?: Secret; readonly cas?: number } = {},
  ) {
    await using server = await serve({ ...versioned, ...(answer && { [`POST ${data}`]: answer }) });
    const call = inPod(server).kvWrite(pod, { ...at, cas: 2, data: value, ...given }, token, never());
    const result = await call.catch((error: unknown) =>
      failureOf(Promise.reject(error), ['hunter2', 'canary']),
    );
    return { result, asked: server.asked };
  }

  test('expects a version, sends the value as it is, and gives the new version', async () => {
    const { result, asked } = await write([200, { data: { ...living, version: 3 } }]);
    expect(result).toBe(3);
    const [mount, sent, ...more] = asked;
    expect([mount?.url, sent?.method, sent?.url, more]).toEqual([mountInfo, 'POST', data, []]);
    expect(sent?.body).toBe(`{"options":{"cas":2},"data":${content}}`);
    expect(sent?.headers['content-type']).toBe('application/json');
  });

  test.each<[string, Answer, object]>([
    [
      'another version there',
      [400, { errors: ['check-and-set parameter did not match the current version'] }],
      { outcome: 'not-applied', casMismatch: true, casRequired: false, retryable: false },
    ],
    [
      'check-and-set required',
      [400, { errors: ['check-and-set parameter required for this call'] }],
      { outcome: 'not-applied', casMismatch: false, casRequired: true, retryable: false },
    ],
    ['refused', [403, { errors: ['permission denied'] }], { outcome: 'not-applied', casMismatch: false }],
    ['failing', [500, { errors: ['internal'] }], { outcome: 'unknown', retryable: true }],
    ['sealed', [503, { errors: ['Vault is sealed'] }], { outcome: 'not-applied', retryable: true }],
    [
      'without a leader',
      [500, { errors: ['local node not active but active cluster node not found'] }],
      { outcome: 'not-applied', retryable: true },
    ],
    ['sent elsewhere', [307, ''], { outcome: 'not-applied', retryable: true }],
    ['behind a proxy that is out of patience', [504, '<html>'], { outcome: 'unknown', retryable: true }],
    ['an engine that keeps no versions', [204, ''], { outcome: 'unknown' }],
    ['without an answer', 'reset', { outcome: 'unknown', retryable: true, casMismatch: false }],
  ])('%s', async (_, answer, expected) => {
    expect((await write(answer)).result).toMatchObject(expected);
  });

  test('an error that repeats what was sent is withheld', async () => {
    for (const echoed of ['bad value "canary-1234567"', 'near `ary-1234567\\n`', '12345678901234567000'])
      expect((await write([400, { errors: [echoed] }])).result).toMatchObject({
        message: expect.stringContaining('withheld'),
      });
  });

  test('a mount that keeps no versions is never written to', async () => {
    await using server = await serve({ [mountInfo]: engine('kv', '1') });
    const openbao = inPod(server);
    const failures = [
      openbao.kvWrite(pod, { ...at, cas: 0, data: value }, token, never()),
      openbao.kvConfigure(pod, { ...at, casRequired: true }, token, never()),
      openbao.kvUndelete(pod, { ...at, versions: [1] }, token, never()),
    ].map((call) => failureOf(call));
    for (const failure of await Promise.all(failures))
      expect(failure).toMatchObject({
        outcome: 'not-applied',
        message: expect.stringContaining('version 1'),
      });
    expect(server.asked.map(({ method }) => method)).toEqual(['GET', 'GET', 'GET']);
  });

  test.each([
    ['no object', { data: Secret.fromText('value', '"canary"') }],
    ['no JSON', { data: Secret.fromText('value', '{canary') }],
    ['no version', { cas: -1 }],
    ['half a version', { cas: 1.5 }],
  ])('%s is refused unasked', async (_, given) => {
    const { result, asked } = await write(undefined, given);
    expect(result).toMatchObject({ outcome: 'not-applied', retryable: false });
    expect(asked).toEqual([]);
  });

  test('settings are patched: what is not given stays', async () => {
    await using server = await serve({ ...versioned, [`PATCH ${metadata}`]: [204, ''] });
    await inPod(server).kvConfigure(pod, { ...at, casRequired: true }, token, never());
    await inPod(server).kvConfigure(pod, { ...at, maxVersions: 30 }, token, never());
    const sent = server.asked.filter(({ method }) => method === 'PATCH');
    expect(sent.map(({ body }) => JSON.parse(body))).toEqual([{ cas_required: true }, { max_versions: 30 }]);
    expect(sent[0]?.headers['content-type']).toBe('application/merge-patch+json');
  });

  test('deleted versions are brought back by number', async () => {
    const undelete = '/v1/services/all/kv/undelete/encryption/keys/stored_data';
    await using server = await serve({ ...versioned, [`POST ${undelete}`]: [204, ''] });
    await inPod(server).kvUndelete(pod, { ...at, versions: [2, 3] }, token, never());
    expect(JSON.parse(server.asked.at(-1)?.body ?? '')).toEqual({ versions: [2, 3] });
  });
});
