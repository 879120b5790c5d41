import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { KubernetesError } from '../../src/services/kubernetes.ts';
import { type NekSession, NekStoreError } from '../../src/services/nek-store.ts';
import { type CqlAnswer, codes, startFakeCassandra } from '../fakes/fake-cassandra.ts';
import { credentials, never, podsOf, rig, row, stored } from '../fakes/nek-store-rig.ts';
import { testCertificate, testKey } from '../fakes/tls-pair.ts';

const other = { ...row, kid: 'kid-2' };
const nothing: CqlAnswer = { columns: { namespace: 'text' }, rows: [] };

async function failureOf(call: Promise<unknown>): Promise<NekStoreError> {
  const failure = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(failure instanceof NekStoreError)) throw new Error(`expected a failure, got ${String(failure)}`);
  for (const text of [failure.message, String(failure.cause), JSON.stringify(failure)])
    for (const secret of [credentials.user, credentials.password, row.encryptedKey])
      expect(text).not.toContain(secret);
  return failure;
}

describe('a write', () => {
  const answers: readonly (readonly [string, CqlAnswer, Partial<NekStoreError>])[] = [
    ['whose answer was lost', 'cut', { reason: 'unreachable', outcome: 'unknown', retryable: true }],
    [
      'that timed out',
      { error: codes.writeTimeout, message: 'Operation timed out' },
      { reason: 'timeout', outcome: 'unknown', retryable: true },
    ],
    [
      'without enough nodes',
      { error: codes.unavailable, message: 'Cannot achieve consistency level LOCAL_QUORUM' },
      { reason: 'no-quorum', outcome: 'not-applied', retryable: true },
    ],
    [
      'at an overloaded node',
      { error: codes.overloaded, message: 'Too many in flight hints' },
      { reason: 'refused', outcome: 'unknown', retryable: true },
    ],
    [
      'at a failing node',
      { error: codes.serverError, message: `java.lang.NullPointerException for ${row.encryptedKey}` },
      { reason: 'refused', outcome: 'unknown', retryable: true },
    ],
    [
      'without the permission',
      { error: codes.unauthorized, message: 'User ess_role has no MODIFY permission on <table ess_api.x>' },
      { reason: 'forbidden', outcome: 'not-applied', retryable: false },
    ],
    [
      'whose permission cannot be looked up',
      {
        error: codes.unauthorized,
        message: 'Unable to perform authorization of permissions: Cannot achieve consistency level LOCAL_ONE',
      },
      { reason: 'no-quorum', outcome: 'not-applied', retryable: true },
    ],
    [
      'that is too large',
      { error: codes.invalid, message: 'Batch too large' },
      { reason: 'refused', outcome: 'not-applied', retryable: false },
    ],
    [
      'into a table that is gone',
      { error: codes.invalid, message: 'table encryption_keys does not exist' },
      { reason: 'schema', outcome: 'not-applied', retryable: false },
    ],
  ];
  test.each(answers)('%s is sent once, and its outcome told', async (_, answer, expected) => {
    await using world = await rig(() => answer);
    const session = await world.open();
    for (const rows of [[row], [row, other]]) {
      const failure = await failureOf(session.insert(rows, {}, never()));
      expect(failure).toMatchObject(expected);
      expect(failure.message).toContain('ess_api.encryption_keys_by_kid_and_encrypted_at');
      expect(failure.message).toMatch(/cassandra-system\/cassandra-[012]|system_auth/u);
    }
    const executed = world.cassandra.executed();
    expect(executed).toHaveLength(2);
    expect(executed[0]).toMatch(/^INSERT INTO "ess_api"\.encryption_keys_by_kid_and_encrypted_at /u);
    expect(executed[1]).toBe('BATCH 2');
  });

  test('that is stopped while a node works on it may have taken effect', async () => {
    const abort = new AbortController();
    await using world = await rig(() => {
      abort.abort();
      return 'silence';
    });
    const session = await world.open();
    const failure = await failureOf(session.insert([row], {}, abort.signal));
    expect(failure).toMatchObject({ reason: 'aborted', outcome: 'unknown' });
    expect(world.cassandra.executed()).toHaveLength(1);
  });

  test('that no node is there for was not sent', async () => {
    await using world = await rig(() => 'done');
    const session = await world.open();
    for (const node of world.cassandra.nodes) await node.stop();
    const failures: NekStoreError[] = [];
    for (let attempt = 0; attempt < 5; attempt++)
      failures.push(await failureOf(session.insert([row], {}, never())));
    expect(failures.at(-1)).toMatchObject({ reason: 'unreachable', outcome: 'not-applied', retryable: true });
    expect(failures.at(-1)?.message).toMatch(/cassandra-0.*cassandra-1.*cassandra-2/u);
    expect(world.cassandra.executed()).toEqual([]);
  });
});

describe('a read', () => {
  const troubles: readonly (readonly [string, CqlAnswer])[] = [
    ['breaks the connection', 'cut'],
    ['lacks its neighbours', { error: codes.unavailable, message: 'Cannot achieve consistency level' }],
    ['times out', { error: codes.readTimeout, message: 'Operation timed out' }],
    ['is overloaded', { error: codes.overloaded, message: 'Request queue is full' }],
  ];
  test.each(troubles)('is repeated at the next node when one %s', async (_, trouble) => {
    let asked = 0;
    await using world = await rig(() => {
      asked += 1;
      return asked === 1 ? trouble : stored;
    });
    const session = await world.open();
    const rows = await session.partition({ namespace: 'ns-1' }, never());
    expect(rows).toEqual([{ ...row, encryptedKey: null, currentKid: null }]);
    expect(world.cassandra.nodes.map(({ executed }) => executed.length).sort()).toEqual([0, 1, 1]);
  });

  test('fails when no node can answer it, and names one', async () => {
    await using world = await rig(() => ({
      error: codes.unavailable,
      message: 'Cannot achieve LOCAL_QUORUM',
    }));
    const session = await world.open();
    const failure = await failureOf(session.partition({ namespace: 'ns-1' }, never()));
    expect(failure).toMatchObject({ reason: 'no-quorum', outcome: 'not-applied', retryable: true });
    expect(failure.message).toMatch(/pod cassandra-system\/cassandra-[012]/u);
    // Six attempts, each at every node.
    expect(world.cassandra.executed()).toHaveLength(18);
  });
});

describe('a scan', () => {
  const scanned = async (session: NekSession) => {
    let rows = 0;
    for await (const page of session.scan({}, never())) rows += page.rows.length;
    return rows;
  };

  test('asks again for a page that failed for a moment, and gives each row once', async () => {
    let asked = 0;
    const trouble = {
      error: codes.unauthorized,
      message: 'Unable to perform authorization: Operation timed out',
    };
    await using world = await rig(() => {
      asked += 1;
      if (asked % 3 === 0) return trouble;
      return asked === 1 ? stored : nothing;
    });
    expect(await scanned(await world.open())).toBe(1);
    expect(asked).toBeGreaterThan(32);
  });

  test('goes on when every connection broke', async () => {
    let asked = 0;
    await using world = await rig(() => {
      asked += 1;
      return asked > 5 && asked < 15 ? 'cut' : nothing;
    });
    expect(await scanned(await world.open())).toBe(0);
  });

  test('fails at last, and at once when asking again is of no use', async () => {
    const answers = [
      [{ error: codes.unavailable, message: 'Cannot achieve consistency level' }, 'no-quorum'],
      [{ error: codes.unauthorized, message: 'User has no SELECT permission' }, 'forbidden'],
    ] as const;
    for (const [answer, reason] of answers) {
      await using world = await rig(() => answer);
      const failure = await failureOf(scanned(await world.open()));
      expect(failure).toMatchObject({ reason, outcome: 'not-applied' });
      expect(world.cassandra.executed().length > 10).toBe(failure.retryable);
    }
  });
});

describe('a session', () => {
  test('is refused with a wrong password, which no message repeats', async () => {
    await using world = await rig(() => stored);
    const failure = await failureOf(world.open({ password: Secret.fromText('p', 'another-password') }));
    expect(failure).toMatchObject({ reason: 'unauthenticated', retryable: false });
    expect(failure.message).not.toContain('another-password');
  });

  test('goes on with pods that came back under other names and addresses', async () => {
    await using world = await rig(() => stored);
    const session = await world.open();
    expect(await session.partition({ namespace: 'ns-1' }, never())).toHaveLength(1);
    const ips = ['10.1.0.1', '10.1.0.2', '10.1.0.3'];
    await using next = await startFakeCassandra({ ...credentials, ips, answer: () => stored });
    for (const node of world.cassandra.nodes) await node.stop();
    world.pods.pods = next.nodes.map((node) => ({ ...node, name: `new-${node.name}` }));
    world.pods.reach = podsOf(next).reach;
    expect(await session.partition({ namespace: 'ns-1' }, never())).toHaveLength(1);
    expect(next.executed()).toHaveLength(1);
  });

  test('says once what stands in the way to every pod', async () => {
    await using world = await rig(() => stored);
    const session = await world.open();
    world.pods.portForward = ({ pod }) =>
      Promise.reject(
        new KubernetesError(
          `Cannot reach port 9042 of Pod cassandra-system/${pod}: no answer from https://10.0.0.1: the connection was refused. — Check that the API server runs.`,
          { reason: 'Unreachable', outcome: 'not-applied', retryable: true },
        ),
      );
    for (const stream of world.pods.streams) stream.destroy();
    const failures: NekStoreError[] = [];
    for (let attempt = 0; attempt < 5; attempt++)
      failures.push(await failureOf(session.partition({ namespace: 'ns-1' }, never())));
    expect(failures.at(-1)?.message).toMatch(
      /no node can be reached \(pod cassandra-system\/cassandra-0, pod cassandra-system\/cassandra-1, pod cassandra-system\/cassandra-2: no answer from https:\/\/10\.0\.0\.1: the connection was refused\)\. — Check that the API server runs\.$/u,
    );
  });

  test('is not opened without the right to reach pods', async () => {
    await using world = await rig(() => stored);
    world.pods.portForward = () =>
      Promise.reject(
        new KubernetesError('Cannot reach port 9042: 403 Forbidden. — Ask for this verb in a Role.', {
          status: 403,
          reason: 'Forbidden',
          outcome: 'not-applied',
          retryable: false,
        }),
      );
    const failure = await failureOf(world.open());
    expect(failure).toMatchObject({ reason: 'forbidden', retryable: false });
    expect(failure.message).toMatch(/403 Forbidden\. — Ask for this verb in a Role\.$/u);
  });

  test('asks a node again that was down when the connections were made', async () => {
    await using world = await rig(() => nothing);
    const { reach } = world.pods;
    world.pods.reach = (pod, port) =>
      pod.name === 'cassandra-2' ? { host: '127.0.0.1', port: 1 } : reach(pod, port);
    const session = await world.open();
    const up = async () => (await session.health(never())).nodes.map((node) => node.up);
    expect(await up()).toEqual([true, true, false]);
    world.pods.reach = reach;
    expect(await up()).toEqual([true, true, true]);
  });

  test('counts a member of the ring that no pod has as down, and one with a former address once', async () => {
    await using world = await rig(() => nothing);
    const session = await world.open();
    const nodes = async () =>
      (await session.health(never())).nodes.map(({ pod, address, up }) => [pod, address, up]);
    const [first, second, third] = world.pods.pods;
    if (first === undefined || second === undefined || third === undefined) throw new Error('three pods');
    world.pods.pods = [first, second, { ...third, ip: '10.0.0.33', phase: 'Pending' }];
    expect(await nodes()).toEqual([
      ['cassandra-0', '10.0.0.1', true],
      ['cassandra-1', '10.0.0.2', true],
      ['cassandra-2', '10.0.0.33', true],
    ]);
    world.pods.pods = [first, second];
    expect(await nodes()).toEqual([
      ['cassandra-0', '10.0.0.1', true],
      ['cassandra-1', '10.0.0.2', true],
      ['', '10.0.0.3', false],
    ]);
  });

  test('speaks TLS where the nodes do, and only with the one whose certificate was named', async () => {
    const tls = { cert: testCertificate, key: testKey };
    await using world = await rig(() => stored, { tls });
    const session = await world.open({ tls: { serverName: 'cassandra.test', ca: testCertificate } });
    expect(await session.partition({ namespace: 'ns-1' }, never())).toHaveLength(1);
    for (const wrong of [
      { serverName: 'somebody-else.test', ca: testCertificate },
      { serverName: 'cassandra.test' },
    ]) {
      const failure = await failureOf(world.open({ tls: wrong }));
      expect(failure).toMatchObject({ reason: 'unreachable', outcome: 'not-applied' });
      expect(failure.message).toMatch(/certificate|altnames/iu);
    }
    expect(world.cassandra.executed()).toHaveLength(1);
  });
});
