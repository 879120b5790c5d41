import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { parseFault } from '../../src/sandbox/faults.ts';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { NekStoreError } from '../../src/services/nek-store.ts';
import { newRow, openKeys, openSession, targetOf } from './keys-rig.ts';
import { never, pass } from './rig.ts';

const key = { namespace: 'nvcf', kid: 'some-kid', encryptedAt: Date.UTC(2026, 0, 1) };

async function failureOf(work: Promise<unknown>): Promise<NekStoreError> {
  const failure: unknown = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(failure).toBeInstanceOf(NekStoreError);
  return failure as NekStoreError;
}

const stored = (sandbox: Sandbox) =>
  sandbox.inspect.nekRows('nvcf').find(({ kid }) => kid === 'some-kid')?.status;

describe('nodes that are down', () => {
  test('one of three changes nothing but the health', async () => {
    const sandbox = openKeys();
    const session = await openSession(sandbox);
    sandbox.control.stopNode('cassandra-1');
    expect(await session.partition({ namespace: 'nvcf' }, never)).toHaveLength(4);
    await session.insert([newRow()], {}, never);
    const { nodes, quorum } = await session.health(never);
    expect(quorum).toBe(true);
    expect(nodes.map(({ up }) => up)).toEqual([true, false, true]);
    expect(nodes[1]?.schemaVersion).toBe('');
  });

  test('two of three leave no quorum: nothing is read, nothing is written, and it says so', async () => {
    const sandbox = openKeys();
    const session = await openSession(sandbox);
    for (const pod of ['cassandra-0', 'cassandra-1']) sandbox.control.stopNode(pod);
    for (const work of [
      session.partition({ namespace: 'nvcf' }, never),
      session.insert([newRow()], {}, never),
    ]) {
      const failure = await failureOf(work);
      expect(failure).toMatchObject({ reason: 'no-quorum', outcome: 'not-applied', retryable: true });
      expect(failure.message).toContain('1 of 3 replicas');
    }
    expect((await session.health(never)).quorum).toBe(false);
    expect(stored(sandbox)).toBeUndefined();
    sandbox.control.startNode('cassandra-0');
    await pass(sandbox, 60_000);
    await session.insert([newRow()], {}, never);
    expect(stored(sandbox)).toBe('PENDING_REENCRYPTION');
  });

  test('a stopped node is a pod that is not ready, and stays so when its pod is replaced', async () => {
    const sandbox = openKeys();
    const { kubernetes } = sandbox.services;
    const ref = { kind: kinds.pods, namespace: 'cassandra-system', name: 'cassandra-2' };
    sandbox.control.stopNode('cassandra-2');
    await kubernetes.delete(ref, {});
    await pass(sandbox, 600_000);
    const ready = async () =>
      (await kubernetes.get(ref))?.status as { containerStatuses: { ready: boolean }[] };
    expect((await ready()).containerStatuses[0]?.ready).toBe(false);
    sandbox.control.startNode('cassandra-2');
    await pass(sandbox, 60_000);
    expect((await ready()).containerStatuses[0]?.ready).toBe(true);
  });

  test('while the API server is away, nothing goes through it', async () => {
    const sandbox = openKeys();
    const session = await openSession(sandbox);
    sandbox.control.outage(60_000);
    const failure = await failureOf(session.insert([newRow()], {}, never));
    expect(failure).toMatchObject({ reason: 'unreachable', outcome: 'not-applied', retryable: true });
    expect(await failureOf(openSession(sandbox))).toMatchObject({ reason: 'unreachable', retryable: true });
    await pass(sandbox, 60_000);
    await session.insert([newRow()], {}, never);
  });

  test('none that is up cannot be reached', async () => {
    const sandbox = openKeys();
    for (const at of [0, 1, 2]) sandbox.control.stopNode(`cassandra-${at}`);
    const failure = await failureOf(openSession(sandbox));
    expect(failure).toMatchObject({ reason: 'unreachable', outcome: 'not-applied', retryable: true });
  });
});

describe('who may come in', () => {
  test('a role of another keyspace reads nothing', async () => {
    const sandbox = openKeys();
    const { username, password } = targetOf(sandbox, 'api_keys_api');
    const session = await openSession(sandbox, { username, password });
    expect(await failureOf(session.partition({ namespace: 'nvcf' }, never))).toMatchObject({
      reason: 'forbidden',
    });
  });

  test('somebody who may not reach the pods is told so', async () => {
    const sandbox = openKeys();
    sandbox.control.deny({ verb: 'create', resource: 'pods/portforward', namespace: 'cassandra-system' });
    const failure = await failureOf(openSession(sandbox));
    expect(failure).toMatchObject({ reason: 'forbidden', outcome: 'not-applied', retryable: false });
    expect(failure.message).toContain('cannot create resource "pods/portforward"');
  });

  test('the right password of another seed is a wrong one', async () => {
    const { password } = targetOf(openKeys({ seed: 6 }));
    expect(await failureOf(openSession(openKeys(), { password }))).toMatchObject({
      reason: 'unauthenticated',
    });
  });

  test('the keyspace of API Keys has no namespace keys', async () => {
    const sandbox = openKeys();
    const session = await openSession(sandbox, targetOf(sandbox, 'api_keys_api'));
    expect(await failureOf(session.partition({ namespace: 'nvcf' }, never))).toMatchObject({
      reason: 'schema',
    });
  });
});

describe('API keys', () => {
  test.each(['keys', 'keys_by_owner_and_service'])('in %s name the kid of the document', async (table) => {
    const sandbox = openKeys();
    const session = await openSession(sandbox, targetOf(sandbox, 'api_keys_api'));
    const column = { table, column: 'key_details' };
    const [own] = sandbox.inspect.loaded().filter(({ kind }) => kind === 'api-keys');
    const counts = await session.jweKids(column, never);
    expect(counts).toHaveLength(1);
    expect(counts[0]?.kid).toBe(own?.current);
    sandbox.control.issueKey();
    expect((await session.jweKids(column, never))[0]?.rows).toBe((counts[0]?.rows ?? 0) + 1);
  });
});

describe('answers that do not come', () => {
  test('a write whose answer is lost is done, and nobody knows', async () => {
    const sandbox = openKeys();
    const session = await openSession(sandbox);
    sandbox.control.mishap({ at: 'nek-insert', how: 'lost' });
    const failure = await failureOf(session.insert([newRow()], {}, never));
    expect(failure).toMatchObject({ reason: 'timeout', outcome: 'unknown', retryable: true });
    expect(stored(sandbox)).toBe('PENDING_REENCRYPTION');
    await session.insert([newRow({ status: 'VALIDATED' })], {}, never);
    expect(stored(sandbox)).toBe('VALIDATED');
  });

  test('a write that never arrives looks the same', async () => {
    const sandbox = openKeys();
    const session = await openSession(sandbox);
    sandbox.control.mishap({ at: 'nek-insert', how: 'not-done' });
    const failure = await failureOf(session.insert([newRow()], {}, never));
    expect(failure).toMatchObject({ reason: 'timeout', outcome: 'unknown' });
    expect(stored(sandbox)).toBeUndefined();
  });

  test('a write that was refused was not done', async () => {
    const sandbox = openKeys();
    const session = await openSession(sandbox);
    sandbox.control.mishap({ at: 'nek-insert', how: 'refused' });
    const failure = await failureOf(session.insert([newRow()], {}, never));
    expect(failure).toMatchObject({ reason: 'refused', outcome: 'not-applied', retryable: true });
    expect(stored(sandbox)).toBeUndefined();
  });

  test('reads fail as often as they were told to', async () => {
    const sandbox = openKeys();
    const session = await openSession(sandbox);
    sandbox.control.mishap({ at: 'nek-read', how: 'not-done', times: 2 });
    for (let time = 0; time < 2; time += 1)
      expect(await failureOf(session.partition({ namespace: 'nvcf' }, never))).toMatchObject({
        reason: 'timeout',
        outcome: 'not-applied',
        retryable: true,
      });
    expect(await session.partition({ namespace: 'nvcf' }, never)).toHaveLength(4);
  });

  test('a planned lost answer meets the insert of its step', async () => {
    const sandbox = openKeys({ faults: [parseFault('nek=lost-answer')] });
    const other = await openSession(sandbox, { instance: 'other' });
    await other.insert([newRow({ kid: 'another' })], {}, never);
    const session = await openSession(sandbox, { instance: 'nek' });
    await session.partition({ namespace: 'nvcf' }, never);
    expect(await failureOf(session.insert([newRow()], {}, never))).toMatchObject({ outcome: 'unknown' });
    expect(stored(sandbox)).toBe('PENDING_REENCRYPTION');
    await session.insert([newRow()], {}, never);
  });

  test('every call takes virtual time', async () => {
    const sandbox = openKeys();
    const session = await openSession(sandbox);
    const begun = sandbox.services.clock.now();
    await session.partition({ namespace: 'nvcf' }, never);
    const read = sandbox.services.clock.now();
    await session.insert([newRow()], {}, never);
    expect(read).toBeGreaterThan(begun);
    expect(sandbox.services.clock.now()).toBeGreaterThan(read);
  });
});

describe('cells', () => {
  test('of two writes with one timestamp the greater value stands, and a deletion over both', async () => {
    const sandbox = openKeys();
    const session = await openSession(sandbox);
    const timestamp = Date.UTC(2027, 0, 1) * 1000;
    await session.insert([newRow({ status: 'b' })], { timestamp }, never);
    await session.insert([newRow({ status: 'a' })], { timestamp }, never);
    expect(stored(sandbox)).toBe('b');
    sandbox.control.updateRow(key, { status: null }, timestamp);
    expect(stored(sandbox)).toBeNull();
  });

  test('an update makes a ghost where there is no row, and the row goes with its last column', async () => {
    const sandbox = openKeys();
    sandbox.control.updateRow(key, { status: 'VALIDATED' });
    const session = await openSession(sandbox);
    expect(await session.rows([key], never)).toMatchObject([{ status: 'VALIDATED', encryptedKey: null }]);
    sandbox.control.updateRow(key, { status: null });
    expect(await session.rows([key], never)).toEqual([]);
    await session.insert([newRow()], {}, never);
    sandbox.control.updateRow(key, {
      status: null,
      createdAt: null,
      encryptedByKid: null,
      encryptedKey: null,
    });
    expect(await session.rows([key], never)).toMatchObject([{ status: null }]);
    sandbox.control.deleteRow(key);
    expect(await session.rows([key], never)).toEqual([]);
  });

  test('rows of a table with a time to live disappear, and the health tells before', async () => {
    const sandbox = openKeys();
    const session = await openSession(sandbox);
    sandbox.control.schema({ timeToLive: 3600 });
    const { schemaProblems } = await session.health(never);
    expect(schemaProblems).toHaveLength(1);
    expect(schemaProblems[0]).toContain('3600');
    await session.insert([newRow()], {}, never);
    expect(stored(sandbox)).toBe('PENDING_REENCRYPTION');
    await pass(sandbox, 3_601_000);
    expect(stored(sandbox)).toBeUndefined();
    expect(sandbox.inspect.nekRows('nvcf')).toHaveLength(4);
  });

  test('the health tells of a schema that differs', async () => {
    const sandbox = openKeys();
    const session = await openSession(sandbox);
    sandbox.control.schema({
      disagreement: true,
      durableWrites: false,
      problems: ['Column status is missing.'],
    });
    expect(await session.health(never)).toMatchObject({
      schemaAgreed: false,
      durableWrites: false,
      schemaProblems: ['Column status is missing.'],
    });
  });
});

test('no message carries a password', async () => {
  const sandbox = openKeys();
  const password = Secret.fromText('password', 'a-wrong-password');
  const failure = await failureOf(openSession(sandbox, { password }));
  expect(JSON.stringify([failure.message, failure, String(failure.cause)])).not.toContain('a-wrong-password');
});
