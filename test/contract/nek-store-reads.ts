import { describe, expect, test } from 'vitest';
import type { NekRow } from '../../src/services/nek-store.ts';
import type { Lent } from './nek-store.ts';
import { asRead, failureOf, instant, never, newNamespace, newRow, scanned } from './nek-store-setup.ts';

/** Namespaces with 1 to 12 rows: more rows than fit on three pages of ten. */
async function fill({ session }: Lent): Promise<ReadonlyMap<string, readonly NekRow[]>> {
  const partitions = new Map<string, readonly NekRow[]>();
  for (const size of [1, 12, 3, 7, 11, 2, 9]) {
    const namespace = newNamespace();
    const rows = Array.from({ length: size }, (_, index) =>
      newRow({ namespace, kid: `kid-${index % 3}`, encryptedAt: instant + index }),
    );
    await session.insert(rows, {}, never());
    const stored = await session.partition({ namespace }, never());
    expect(stored).toHaveLength(size);
    partitions.set(namespace, stored);
  }
  return partitions;
}

export function readsContract(lend: () => Lent): void {
  describe('a partition', () => {
    test('is read in clustering order: by kid, then newest first', async () => {
      const { session } = lend();
      const namespace = newNamespace();
      const at = (kid: string, encryptedAt: number) => newRow({ namespace, kid, encryptedAt });
      await session.insert(
        [at('b', instant), at('a', instant - 1), at('B', instant), at('a', instant + 2), at('a', instant)],
        {},
        never(),
      );
      const order = (rows: readonly NekRow[]) => rows.map(({ kid, encryptedAt }) => [kid, encryptedAt]);
      expect(order(await session.partition({ namespace }, never()))).toEqual([
        ['B', instant],
        ['a', instant + 2],
        ['a', instant],
        ['a', instant - 1],
        ['b', instant],
      ]);
      expect(order(await session.partition({ namespace, kid: 'a' }, never()))).toEqual([
        ['a', instant + 2],
        ['a', instant],
        ['a', instant - 1],
      ]);
      expect(await session.partition({ namespace, kid: 'c' }, never())).toEqual([]);
    });

    test('that does not exist has no row', async () => {
      expect(await lend().session.partition({ namespace: newNamespace() }, never())).toEqual([]);
    });

    test('with nothing but its static column has no row', async () => {
      const { session, world } = lend();
      const namespace = newNamespace();
      await world.setCurrentKid(namespace, 'kid-a');
      expect(await session.partition({ namespace }, never())).toEqual([]);
      expect(await session.partition({ namespace, kid: 'kid-a' }, never())).toEqual([]);
      expect((await scanned(session, new Set([namespace]), 1000)).rows).toEqual([]);
    });

    test('shows its static column on every row, and null where a column has no value', async () => {
      const { session, world } = lend();
      const namespace = newNamespace();
      const ghost = { namespace, kid: 'ghost', encryptedAt: instant };
      const row = newRow({ namespace });
      await session.insert([row], {}, never());
      await world.addGhost(ghost, 'VALIDATED');
      await world.setCurrentKid(namespace, 'kid-a');
      const empty = { createdAt: null, encryptedByKid: null, encryptedKey: null };
      const expected = [
        { ...ghost, ...empty, status: 'VALIDATED', currentKid: 'kid-a' },
        asRead(row, 'kid-a'),
      ];
      expect(await session.partition({ namespace }, never())).toEqual(expected);
      expect((await scanned(session, new Set([namespace]), 1000)).rows).toEqual(expected);
      expect(await session.rows([ghost], never())).toEqual([expected[0]]);
    });
  });

  describe('rows by key', () => {
    test('are those that exist', async () => {
      const { session } = lend();
      const namespace = newNamespace();
      const stored = Array.from({ length: 40 }, (_, index) =>
        newRow({ namespace, kid: `kid-${index % 4}`, encryptedAt: instant + index }),
      );
      await session.insert(stored, {}, never());
      const wanted = stored.filter((_, index) => index % 2 === 0);
      const absent = [
        { namespace, kid: 'kid-0', encryptedAt: instant + 1 },
        { namespace, kid: 'kid-9', encryptedAt: instant },
      ];
      const found = await session.rows([...absent, ...wanted], never());
      const sorted = (rows: readonly NekRow[]) => [...rows].sort((a, b) => a.encryptedAt - b.encryptedAt);
      expect(sorted(found)).toEqual(wanted.map((row) => asRead(row)));
    });

    test('of no key, or of an unknown namespace, are none', async () => {
      const { session } = lend();
      expect(await session.rows([], never())).toEqual([]);
      expect(await session.rows([newRow({ namespace: newNamespace() })], never())).toEqual([]);
    });

    test('have no write time where there is no row', async () => {
      const { session } = lend();
      expect(await session.statusWriteTime(newRow({ namespace: newNamespace() }), never())).toBeUndefined();
    });
  });

  describe('a scan', () => {
    test('gives every row once, partition by partition, in clustering order', async () => {
      const lent = lend();
      const partitions = await fill(lent);
      const { rows } = await scanned(lent.session, new Set(partitions.keys()), 10);
      const found = new Map<string, NekRow[]>();
      let last = '';
      for (const row of rows) {
        const before = found.get(row.namespace);
        if (before === undefined) found.set(row.namespace, [row]);
        else {
          expect(last).toBe(row.namespace);
          before.push(row);
        }
        last = row.namespace;
      }
      expect(found).toEqual(new Map(partitions));
    });

    test('keeps to the page size, and tells how far it is', async () => {
      const lent = lend();
      const partitions = await fill(lent);
      const { sizes, done } = await scanned(lent.session, new Set(partitions.keys()), 10);
      expect(sizes.length).toBeGreaterThan(3);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(10);
      expect(done).toEqual([...done].sort((a, b) => a - b));
      expect(done.filter((share) => share < 0 || share > 1)).toEqual([]);
      expect(done.at(-1)).toBe(1);
      expect(done[0]).toBeLessThan(1);
    });

    test('ends with its reader, and a new one starts from the beginning', async () => {
      const lent = lend();
      const partitions = await fill(lent);
      for await (const page of lent.session.scan({ pageSize: 1 }, never())) if (page.rows.length > 0) break;
      const { rows } = await scanned(lent.session, new Set(partitions.keys()), 5000);
      expect(rows).toHaveLength(45);
    });

    test('is refused with a page size that is none, and stops with its signal', async () => {
      const lent = lend();
      await fill(lent);
      for (const pageSize of [0, -1, 1.5, 5001]) {
        const failure = await failureOf(scanned(lent.session, new Set(), pageSize));
        expect(failure).toMatchObject({ reason: 'refused', retryable: false });
      }
      const abort = new AbortController();
      const stopped = async () => {
        for await (const _ of lent.session.scan({ pageSize: 1 }, abort.signal)) abort.abort();
      };
      await failureOf(stopped());
    });
  });
}
