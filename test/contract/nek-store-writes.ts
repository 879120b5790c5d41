import { describe, expect, test } from 'vitest';
import type { Lent } from './nek-store.ts';
import { asRead, failureOf, instant, never, newNamespace, newRow } from './nek-store-setup.ts';

export function writesContract(lend: () => Lent): void {
  describe('a write', () => {
    test('comes back as it was given', async () => {
      const { session } = lend();
      const namespace = newNamespace();
      const row = newRow({ namespace });
      await session.insert([row], {}, never());
      expect(await session.partition({ namespace }, never())).toEqual([asRead(row)]);
      expect(await session.rows([row], never())).toEqual([asRead(row)]);
    });

    test('keeps any text, and a time uuid in lower case', async () => {
      const { session } = lend();
      const namespace = `${newNamespace()} 'quoted' "twice"; -- \u{1F511} ü`;
      const row = newRow({
        namespace,
        kid: "k'\n",
        status: '',
        createdAt: 'ABCDEF20-17F1-11F1-8C4A-0123456789AB',
      });
      await session.insert([row], {}, never());
      expect(await session.partition({ namespace }, never())).toEqual([
        asRead({ ...row, createdAt: 'abcdef20-17f1-11f1-8c4a-0123456789ab' }),
      ]);
    });

    test('may be fifty rows of one partition', async () => {
      const { session } = lend();
      const namespace = newNamespace();
      const rows = Array.from({ length: 50 }, (_, index) =>
        newRow({ namespace, kid: `kid-${String(index).padStart(2, '0')}` }),
      );
      await session.insert(rows, {}, never());
      expect(await session.partition({ namespace }, never())).toEqual(rows.map((row) => asRead(row)));
    });

    test('of nothing is nothing', async () => {
      await expect(lend().session.insert([], {}, never())).resolves.toBeUndefined();
    });

    test('with the same key replaces the row, and leaves its neighbours alone', async () => {
      const { session } = lend();
      const namespace = newNamespace();
      const pending = newRow({ namespace, encryptedAt: instant + 1, status: 'PENDING_REENCRYPTION' });
      const neighbour = newRow({ namespace });
      await session.insert([pending, neighbour], {}, never());
      const promoted = { ...pending, status: 'VALIDATED' };
      await session.insert([promoted], {}, never());
      expect(await session.partition({ namespace }, never())).toEqual([asRead(promoted), asRead(neighbour)]);
    });

    test('never touches the static column', async () => {
      const { session, world } = lend();
      const namespace = newNamespace();
      const row = newRow({ namespace });
      await world.setCurrentKid(namespace, 'kid-z');
      await session.insert([row], {}, never());
      expect(await session.partition({ namespace }, never())).toEqual([asRead(row, 'kid-z')]);
    });

    test('of the static column happens only where it has no value', async () => {
      const { session, world } = lend();
      const [empty, taken] = [newNamespace(), newNamespace()];
      await session.insert([newRow({ namespace: empty })], {}, never());
      await session.insert([newRow({ namespace: taken })], {}, never());
      await world.setCurrentKid(taken, 'kid-z');
      expect(await session.claimCurrentKid({ namespace: empty, kid: 'kid-a' }, never())).toBe(true);
      expect(await session.claimCurrentKid({ namespace: empty, kid: 'kid-b' }, never())).toBe(false);
      expect(await session.claimCurrentKid({ namespace: taken, kid: 'kid-a' }, never())).toBe(false);
      const currents = [empty, taken].map(async (namespace) =>
        (await session.partition({ namespace }, never())).map(({ currentKid }) => currentKid),
      );
      expect(await Promise.all(currents)).toEqual([['kid-a'], ['kid-z']]);
    });

    test('with a timestamp is read back with it, and loses against a newer one', async () => {
      const { session } = lend();
      const row = newRow({ namespace: newNamespace() });
      const timestamp = (instant + 5000) * 1000 + 7;
      await session.insert([row], { timestamp }, never());
      expect(await session.statusWriteTime(row, never())).toBe(timestamp);
      await session.insert([{ ...row, status: 'LATE' }], { timestamp: timestamp - 1 }, never());
      expect(await session.rows([row], never())).toEqual([asRead(row)]);
      await session.insert([{ ...row, status: 'NEWER' }], { timestamp: timestamp + 1 }, never());
      expect(await session.rows([row], never())).toEqual([asRead({ ...row, status: 'NEWER' })]);
      expect(await session.statusWriteTime(row, never())).toBe(timestamp + 1);
    });

    test('without a timestamp has one in microseconds that grows', async () => {
      const { session } = lend();
      const row = newRow({ namespace: newNamespace() });
      await session.insert([row], {}, never());
      const first = await session.statusWriteTime(row, never());
      expect(first).toBeGreaterThan(Date.UTC(2020) * 1000);
      expect(first).toBeLessThan(Date.UTC(2100) * 1000);
      await session.insert([{ ...row, status: 'PENDING_ROTATION' }], {}, never());
      expect(await session.statusWriteTime(row, never())).toBeGreaterThan(first ?? 0);
      expect(await session.rows([row], never())).toEqual([asRead({ ...row, status: 'PENDING_ROTATION' })]);
    });

    test('of fifty-one rows, of two partitions, or of one key twice is refused whole', async () => {
      const { session } = lend();
      const [namespace, other] = [newNamespace(), newNamespace()];
      const many = Array.from({ length: 51 }, (_, index) => newRow({ namespace, kid: `kid-${index}` }));
      const batches = {
        'at most 50': many,
        partition: [newRow({ namespace }), newRow({ namespace: other })],
        twice: [newRow({ namespace }), newRow({ namespace, status: 'PENDING_ROTATION' })],
      };
      for (const [word, rows] of Object.entries(batches)) {
        const failure = await failureOf(session.insert(rows, {}, never()));
        expect(failure).toMatchObject({ reason: 'refused', outcome: 'not-applied', retryable: false });
        expect(failure.message).toContain(word);
        expect(failure.message).not.toContain(newRow({ namespace }).encryptedKey.slice(0, 20));
      }
      expect(await session.partition({ namespace }, never())).toEqual([]);
      expect(await session.partition({ namespace: other }, never())).toEqual([]);
    });

    test('that was aborted beforehand did not happen', async () => {
      const { session } = lend();
      const row = newRow({ namespace: newNamespace() });
      const failure = await failureOf(session.insert([row], {}, AbortSignal.abort()));
      expect(failure.outcome).toBe('not-applied');
      expect(await session.rows([row], never())).toEqual([]);
    });
  });
}
