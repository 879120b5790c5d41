import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import type { Lent } from './nek-store.ts';
import { failureOf, never, newNamespace, newRow, scanned } from './nek-store-setup.ts';

export function refusalsContract(lend: () => Lent): void {
  describe('health', () => {
    test('tells of every node, the copies, durable writes and the schema', async () => {
      const { session, world } = lend();
      const health = await session.health(never());
      expect(health.nodes.map(({ pod }) => pod).sort()).toEqual([...world.pods].sort());
      for (const node of health.nodes) {
        expect(node.up).toBe(true);
        expect(node.address).toMatch(/^[0-9a-f.:]+$/u);
        expect(node.schemaVersion).not.toBe('');
      }
      expect(new Set(health.nodes.map(({ address }) => address)).size).toBe(world.pods.length);
      expect({ ...health, nodes: [] }).toEqual({
        nodes: [],
        schemaAgreed: true,
        quorum: true,
        replicationFactor: world.replicationFactor,
        durableWrites: true,
        schemaProblems: [],
      });
    });
  });

  describe('a session', () => {
    test('is not opened with wrong credentials, and says neither of them', async () => {
      const { world } = lend();
      const wrong = {
        ...world.target,
        username: Secret.fromText('username', 'somebody-else'),
        password: Secret.fromText('password', 'not-the-right-one'),
      };
      const failure = await failureOf(world.store.open(wrong, never()));
      expect(failure).toMatchObject({
        reason: 'unauthenticated',
        outcome: 'not-applied',
        retryable: false,
      });
      expect(failure.message).toContain(world.target.namespace);
      for (const text of [failure.message, String(failure.cause), JSON.stringify(failure)]) {
        expect(text).not.toContain('somebody-else');
        expect(text).not.toContain('not-the-right-one');
      }
    });

    test('is not opened where no pod is', async () => {
      const { world } = lend();
      const selector = 'app.kubernetes.io/name=no-such-app';
      const failure = await failureOf(world.store.open({ ...world.target, selector }, never()));
      expect(failure).toMatchObject({ reason: 'unreachable', outcome: 'not-applied' });
      expect(failure.message).toContain(world.target.namespace);
      expect(failure.message).toContain(selector);
    });

    test('is not opened in a datacenter that does not exist', async () => {
      const { world } = lend();
      const failure = await failureOf(world.store.open({ ...world.target, datacenter: 'atlantis' }, never()));
      expect(failure).toMatchObject({ reason: 'refused', outcome: 'not-applied', retryable: false });
      expect(failure.message).toContain('atlantis');
    });

    test('that was aborted is not opened', async () => {
      const { world } = lend();
      await failureOf(world.store.open(world.target, AbortSignal.abort()));
    });

    test('on an absent keyspace says so, and neither reads nor writes', async () => {
      const { world } = lend();
      const target = { ...world.target, keyspace: 'no_such_keyspace' };
      const session = await world.store.open(target, never());
      const row = newRow({ namespace: newNamespace() });
      const health = await session.health(never());
      expect(health).toMatchObject({ quorum: false, replicationFactor: 0, durableWrites: false });
      expect(health.schemaProblems).toHaveLength(1);
      expect(health.schemaProblems[0]).toContain('no_such_keyspace');
      for (const call of [
        () => session.partition(row, never()),
        () => session.rows([row], never()),
        () => session.statusWriteTime(row, never()),
        () => scanned(session, new Set(), 10),
        () => session.insert([row], {}, never()),
      ]) {
        const failure = await failureOf(call());
        expect(failure).toMatchObject({ reason: 'schema', outcome: 'not-applied', retryable: false });
        expect(failure.message).toContain('no_such_keyspace');
      }
      session.close();
    });

    test('with a keyspace that is no name is refused', async () => {
      const { world } = lend();
      const failure = await failureOf(
        world.store.open({ ...world.target, keyspace: 'a"; DROP KEYSPACE b' }, never()),
      );
      expect(failure).toMatchObject({ reason: 'refused', outcome: 'not-applied', retryable: false });
    });

    test('can be closed twice, and opened again', async () => {
      const { world } = lend();
      const first = await world.store.open(world.target, never());
      const second = await world.store.open(world.target, never());
      first.close();
      first.close();
      const namespace = newNamespace();
      expect(await second.partition({ namespace }, never())).toEqual([]);
      second.close();
      const third = await world.store.open(world.target, never());
      expect(await third.partition({ namespace }, never())).toEqual([]);
      third.close();
    });

    test('that was closed does nothing any more', async () => {
      const { world } = lend();
      const session = await world.store.open(world.target, never());
      session.close();
      const failure = await failureOf(session.insert([newRow({ namespace: newNamespace() })], {}, never()));
      expect(failure).toMatchObject({ reason: 'refused', outcome: 'not-applied' });
    });
  });
}
