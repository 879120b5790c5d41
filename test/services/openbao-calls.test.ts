import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { whole } from '../../src/services/openbao-snapshot.ts';
import { startLocalServer } from '../fakes/local-server.ts';
import { type Answer, failureOf, inPod, pod, serve } from '../fakes/openbao-server.ts';
import { archive, snapshotEntries } from '../fakes/snapshot-archive.ts';

const never = () => new AbortController().signal;
const token = Secret.fromText('token', 's.hunter2');

describe('capabilities', () => {
  const path = '/v1/sys/capabilities-self';

  test('come back by path as asked', async () => {
    const data = { 'kv/data/a': ['read', 'update'], 'kv/metadata/a': ['deny'] };
    await using server = await serve({ [path]: [200, { ...data, data }] });
    const asked = Object.keys(data);
    expect(await inPod(server).capabilities(pod, asked, token, never())).toEqual(data);
    expect(JSON.parse(server.asked[0]?.body ?? '')).toEqual({ paths: asked });
  });

  test.each<[string, Answer]>([
    ['refused', [403, { errors: ['permission denied'] }]],
    ['incomplete', [200, { data: {} }]],
    ['failing', [500, { errors: ['internal'] }]],
    ['cut off', 'reset'],
  ])('%s are a failure that changed nothing', async (_, answer) => {
    await using server = await serve({ [path]: answer });
    const failure = await failureOf(inPod(server).capabilities(pod, ['kv/data/a'], token, never()));
    expect(failure.outcome).toBe('not-applied');
  });
});

describe('a token', () => {
  const path = '/v1/auth/token/lookup-self';

  test.each([
    [
      'of the root',
      { policies: ['root'], ttl: 0, expire_time: null },
      { policies: ['root'], ttl: undefined, root: true },
    ],
    [
      'that ends',
      { policies: ['default', 'mek'], ttl: 3599, expire_time: '2026-11-24T15:53:15Z', id: 's.hunter2' },
      { policies: ['default', 'mek'], ttl: 3599, root: false },
    ],
    [
      'that ends now, with policies of its identity',
      { policies: ['a'], identity_policies: ['a', 'b'], ttl: 0, expire_time: '2026-11-24T15:53:15Z' },
      { policies: ['a', 'b'], ttl: 0, root: false },
    ],
  ])('%s', async (_, data, expected) => {
    await using server = await serve({ [path]: [200, { data }] });
    expect(await inPod(server).tokenInfo(pod, token, never())).toEqual(expected);
  });

  test('that tells nothing is a failure', async () => {
    await using server = await serve({ [path]: [200, { data: {} }] });
    await failureOf(inPod(server).tokenInfo(pod, token, never()));
  });
});

describe('signing', () => {
  const path = '/v1/services/ess-api/jwt/sign/nvcf-api';
  const at = { mount: 'services/ess-api/jwt', role: 'nvcf-api' };

  test('gives a secret', async () => {
    await using server = await serve({ [`POST ${path}`]: [200, { data: { token: 'ey.canary.x' } }] });
    const signed = await inPod(server).signJwt(pod, at, token, never());
    expect(String(signed)).not.toContain('canary');
    expect(signed.revealText((text) => text)).toBe('ey.canary.x');
  });

  test.each<[string, Answer]>([
    ['an unknown role', [400, { errors: ['unknown role'] }]],
    ['an empty answer', [204, '']],
    ['no token', [200, { data: {} }]],
  ])('%s is a failure', async (_, answer) => {
    await using server = await serve({ [`POST ${path}`]: answer });
    await failureOf(inPod(server).signJwt(pod, at, token, never()));
  });
});

describe('a raft snapshot', () => {
  const path = '/v1/sys/storage/raft/snapshot';
  const state = Buffer.alloc(300_000, 'state of the cluster, ');
  const snapshot = archive(snapshotEntries(state));

  async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const piece of pieces) chunks.push(piece);
    return Buffer.concat(chunks);
  }

  async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
    for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
  }

  test('is passed on as it is', async () => {
    await using server = await serve({ [path]: [200, snapshot] });
    expect((await collect(inPod(server).raftSnapshot(pod, token, never()))).equals(snapshot)).toBe(true);
    expect(server.asked[0]?.headers['x-vault-token']).toBe('s.hunter2');
  });

  test.each([1, 7, 512, 100_000])('is recognised in pieces of %i bytes', async (size) => {
    expect((await collect(whole(inPieces(snapshot, size), 'it'))).equals(snapshot)).toBe(true);
  });

  const entries = snapshotEntries(state);
  const without = (name: string) =>
    archive(Object.fromEntries(Object.entries(entries).filter(([key]) => key !== name)));
  test.each([
    ['nothing', Buffer.alloc(0), 'no gzip'],
    ['a stream cut in the middle', snapshot.subarray(0, snapshot.length / 2), 'breaks off'],
    ['a stream without its last byte', snapshot.subarray(0, -1), 'breaks off'],
    ['a page', Buffer.from('<html>hello</html>'), 'no gzip'],
    ['no checksums', without('SHA256SUMS'), 'checksums are missing'],
    ['no sealed checksums', without('SHA256SUMS.sealed'), 'checksums are missing'],
    ['no state', without('state.bin'), 'state.bin'],
    ['another state', archive({ ...entries, 'state.bin': 'other' }), 'state.bin'],
    ['other metadata', archive({ ...entries, 'meta.json': '{}' }), 'meta.json'],
  ])('%s is none', async (_, bytes, text) => {
    await using server = await serve({ [path]: [200, bytes] });
    const failure = await failureOf(collect(inPod(server).raftSnapshot(pod, token, never())));
    expect(failure).toMatchObject({ outcome: 'not-applied', message: expect.stringContaining(text) });
  });

  test('of a standby is refused with where to go', async () => {
    await using server = await serve({ [path]: [307, ''] });
    const failure = await failureOf(collect(inPod(server).raftSnapshot(pod, token, never())));
    expect(failure).toMatchObject({ status: 307, message: expect.stringContaining('ask the active one') });
  });

  test('that breaks off is a failure, and one that is left is closed', async () => {
    await using server = await startLocalServer((_, response) => {
      response.writeHead(200);
      response.write(snapshot.subarray(0, 100), () => response.socket?.resetAndDestroy());
    });
    const failure = await failureOf(collect(inPod(server).raftSnapshot(pod, token, never())));
    expect(failure.message).toContain('the connection broke');

    let left = (): void => undefined;
    const closed = new Promise<void>((resolve) => {
      left = resolve;
    });
    await using endless = await startLocalServer((_, response) => {
      response.on('close', left);
      response.writeHead(200);
      response.write(snapshot.subarray(0, 100));
    });
    for await (const _ of inPod(endless).raftSnapshot(pod, token, never())) break;
    await closed;
  });
});

describe('the mount', () => {
  const path = 'services/all/kv';
  const mountInfo = `/v1/sys/internal/ui/mounts/${path}`;
  const engine = { data: { type: 'kv', options: { version: '2' }, uuid: 'm1', path: `${path}/` } };

  test('tells its engine and its identity', async () => {
    await using server = await serve({ [mountInfo]: [200, engine] });
    const mount = await inPod(server).mount(pod, path, token, never());
    expect(mount).toEqual({ type: 'kv', version: '2', uuid: 'm1' });
  });

  test('is not the mount that a path lies in', async () => {
    await using server = await serve({ [`${mountInfo}/data`]: [200, engine] });
    const failure = await failureOf(inPod(server).mount(pod, `${path}/data`, token, never()));
    expect(failure.message).toContain('a path in the mount services/all/kv');
  });

  test('that is not there has the status 403', async () => {
    const answer: Answer = [403, { errors: ['preflight capability check returned 403, please ensure …'] }];
    await using server = await serve({ [mountInfo]: answer });
    expect(await failureOf(inPod(server).mount(pod, path, token, never()))).toMatchObject({
      status: 403,
    });
  });
});
