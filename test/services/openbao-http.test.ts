import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { createOpenBao } from '../../src/services/openbao-http.ts';
import { type Answers, failureOf, inPod, pod, serve } from '../fakes/openbao-server.ts';

const never = () => new AbortController().signal;
const token = Secret.fromText('token', 's.hunter2\n');

const unsealed: Answers = {
  '/v1/sys/seal-status': [200, { initialized: true, sealed: false, version: '2.4.0' }],
  '/v1/sys/health': [200, { server_time_utc: 1_795_000_000 }],
  '/v1/sys/leader': [
    200,
    { is_self: true, leader_address: 'http://10.0.0.1:8200', raft_committed_index: 9, raft_applied_index: 8 },
  ],
};

describe("a pod's state", () => {
  test('of an active node', async () => {
    await using server = await serve(unsealed);
    expect(await inPod(server).node(pod, never())).toEqual({
      pod: 'openbao-server-0',
      initialized: true,
      sealed: false,
      version: '2.4.0',
      active: true,
      leaderAddress: 'http://10.0.0.1:8200',
      raftCommittedIndex: 9,
      raftAppliedIndex: 8,
      serverTime: 1_795_000_000,
    });
    expect(server.requests.every(({ headers }) => headers['x-vault-token'] === undefined)).toBe(true);
  });

  test.each([
    ['standby', 429, { sealed: false }, [200, { is_self: false, leader_address: 'http://other' }], false],
    ['sealed', 503, { sealed: true }, [503, { errors: ['Vault is sealed'] }], true],
    [
      'uninitialised',
      501,
      { sealed: true, initialized: false },
      [500, { errors: ['not initialized'] }],
      true,
    ],
  ] as const)('%s is an answer, whatever its status', async (_, health, seal, leader, sealed) => {
    await using server = await serve({
      '/v1/sys/seal-status': [200, { initialized: true, version: '2', ...seal }],
      '/v1/sys/health': [health, { server_time_utc: 5 }],
      '/v1/sys/leader': leader,
    });
    const node = await inPod(server).node(pod, never());
    expect(node).toMatchObject({ sealed, active: false, serverTime: 5 });
    expect(node.leaderAddress).toBe(sealed ? undefined : 'http://other');
  });

  test('a seal status that cannot be read is no answer', async () => {
    await using server = await serve({
      ...unsealed,
      '/v1/sys/seal-status': [500, { errors: ['storage broken'] }],
    });
    const failure = await failureOf(inPod(server).node(pod, never()));
    expect(failure).toMatchObject({ status: 500, outcome: 'not-applied', retryable: true });
    expect(failure.message).toContain('vault-system/openbao-server-0');
    expect(failure.message).toContain('storage broken');
  });

  test('something else behind the port is told', async () => {
    await using server = await serve({ ...unsealed, '/v1/sys/seal-status': [200, '<html>'] });
    expect((await failureOf(inPod(server).node(pod, never()))).message).toContain('Is it OpenBao?');
  });

  test('every new connection proves that the pod is still the same', async () => {
    await using server = await serve(unsealed);
    const failure = await failureOf(inPod(server, () => 'u2').node(pod, never()));
    expect(failure.message).toContain('was replaced (uid u2)');
    expect(server.requests).toEqual([]);
  });
});

describe('with a token', () => {
  const path = '/v1/sys/storage/raft/configuration';

  test('it travels in a header and the peers come back', async () => {
    const servers = [{ node_id: 'a', address: 'a:8201', leader: true, voter: true }];
    await using server = await serve({ [path]: [200, { data: { config: { servers } } }] });
    expect(await inPod(server).raftPeers(pod, token, never())).toEqual([
      { id: 'a', address: 'a:8201', leader: true, voter: true },
    ]);
    expect(server.requests[0]?.headers['x-vault-token']).toBe('s.hunter2');
    expect(server.requests[0]?.url).toBe(path);
  });

  test('a refusal says what the policy lacks', async () => {
    await using server = await serve({ [path]: [403, { errors: ['1 error: permission denied'] }] });
    const failure = await failureOf(inPod(server).raftPeers(pod, token, never()));
    expect(failure).toMatchObject({ status: 403, retryable: false });
    expect(failure.message).toContain('permission denied');
    expect(failure.message).toContain('sys/storage/raft/configuration');
  });

  test('no raft is told', async () => {
    await using server = await serve({ [path]: [200, { data: {} }] });
    expect((await failureOf(inPod(server).raftPeers(pod, token, never()))).message).toContain('raft');
  });
});

describe('stepping down', () => {
  const path = '/v1/sys/step-down';

  test.each([
    ['accepted', [204, ''], undefined],
    ['refused', [403, { errors: ['permission denied'] }], 'not-applied'],
    ['failing', [500, { errors: ['internal'] }], 'unknown'],
    ['sealed meanwhile', [503, { errors: ['Vault is sealed'] }], 'not-applied'],
    ['without an answer', 'reset', 'unknown'],
  ] as const)('%s', async (_, answer, outcome) => {
    await using server = await serve({ ...unsealed, [path]: answer });
    const call = inPod(server).stepDown(pod, token, never());
    if (outcome === undefined) await call;
    else expect(await failureOf(call)).toMatchObject({ outcome });
    const asked = server.requests.filter(({ url }) => url === path);
    expect(asked.map(({ method }) => method)).toEqual(['PUT']);
  });

  test('is not asked of a standby', async () => {
    await using server = await serve({
      ...unsealed,
      '/v1/sys/leader': [200, { is_self: false, leader_address: 'http://b' }],
    });
    const failure = await failureOf(inPod(server).stepDown(pod, token, never()));
    expect(failure).toMatchObject({ outcome: 'not-applied' });
    expect(failure.message).toContain('The active node is http://b');
    expect(server.requests.some(({ url }) => url === path)).toBe(false);
  });
});

describe('a direct address', () => {
  const kubernetes = {
    portForward: () => Promise.reject(new Error('not used')),
    get: () => Promise.reject(new Error('not used')),
  };

  test('with {pod} reaches each pod', async () => {
    await using server = await serve(
      Object.fromEntries(
        Object.entries(unsealed).map(([path, answer]) => [`/openbao-server-0${path}`, answer]),
      ),
    );
    const openbao = createOpenBao({ kubernetes, address: `${server.url}/{pod}/` });
    expect(await openbao.node(pod, never())).toMatchObject({ active: true });
  });

  test("without it refuses facts about one pod, but answers the cluster's", async () => {
    const servers = [{ node_id: 'a', address: 'x', voter: true }];
    await using server = await serve({
      '/v1/sys/storage/raft/configuration': [200, { data: { config: { servers } } }],
    });
    const openbao = createOpenBao({ kubernetes, address: server.url });
    expect((await failureOf(openbao.node(pod, never()))).message).toContain('{pod}');
    expect((await failureOf(openbao.stepDown(pod, token, never()))).message).toContain('{pod}');
    expect(await openbao.raftPeers(pod, token, never())).toMatchObject([{ id: 'a', leader: false }]);
  });

  test('that is none is refused', async () => {
    const openbao = createOpenBao({ kubernetes, address: 'bao.example:8200' });
    expect((await failureOf(openbao.raftPeers(pod, token, never()))).message).toContain('--openbao-addr');
  });
});
