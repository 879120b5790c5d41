import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { JweKidCount, NekReadSession } from '../../src/services/nek-store.ts';
import type { Lent } from './nek-store.ts';
import { failureOf, jweOf, never } from './nek-store-setup.ts';

const rowsOf = (counts: readonly JweKidCount[], kid: string | null) =>
  counts.filter((count) => count.kid === kid).map(({ rows }) => rows);

export function jwesContract(lend: () => Lent): void {
  const open = async (use: (session: NekReadSession) => Promise<void>) => {
    const { world } = lend();
    const session = await world.store.open(world.jwes.target, never());
    try {
      await use(session);
    } finally {
      session.close();
    }
  };

  describe('JWEs of a column', () => {
    test('are counted by the kid of their header', async () => {
      const { jwes } = lend().world;
      const [first, second] = [randomUUID(), randomUUID()];
      await open(async (session) => {
        const [unparsed = 0] = rowsOf(await session.jweKids(jwes, never()), null);
        const header = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
        await jwes.add([
          jweOf(first),
          jweOf(second),
          jweOf(first),
          null,
          '',
          'not a jwe',
          `${header({ alg: 'dir' })}..a.b.c`,
          `${header({ kid: 7 })}..a.b.c`,
          `${header({ kid: first })}..a.b`,
          `${header([first])}..a.b.c`,
        ]);
        const counts = await session.jweKids(jwes, never());
        expect(rowsOf(counts, first)).toEqual([2]);
        expect(rowsOf(counts, second)).toEqual([1]);
        // A row whose column has no value is no JWE that could not be read.
        expect(rowsOf(counts, null)).toEqual([unparsed + 6]);
      });
    });

    test('are given by kid, every one of them', async () => {
      const { jwes } = lend().world;
      const kid = randomUUID();
      const mine = Array.from({ length: 30 }, () => jweOf(kid));
      await jwes.add([...mine, jweOf(randomUUID()), null, 'no jwe']);
      await open(async (session) => {
        const found: string[] = [];
        for await (const page of session.jwes({ ...jwes, kid }, never())) found.push(...page);
        expect(found.sort()).toEqual(mine.sort());
        for await (const page of session.jwes({ ...jwes, kid: randomUUID() }, never()))
          expect(page).toEqual([]);
      });
    });

    test('are not looked for where the name is no name, or nothing is there', async () => {
      const { jwes } = lend().world;
      await open(async (session) => {
        for (const at of [
          { table: `${jwes.table}; DROP TABLE ${jwes.table}`, column: jwes.column },
          { table: jwes.table, column: `${jwes.column}, ${jwes.column}` },
        ]) {
          expect(await failureOf(session.jweKids(at, never()))).toMatchObject({ reason: 'refused' });
          const all = async () => {
            for await (const _ of session.jwes({ ...at, kid: 'k' }, never())) throw new Error('a page came');
          };
          expect(await failureOf(all())).toMatchObject({ reason: 'refused' });
        }
        for (const at of [
          { table: 'no_such_table', column: jwes.column },
          { table: jwes.table, column: 'no_such_column' },
        ]) {
          expect(await failureOf(session.jweKids(at, never()))).toMatchObject({ reason: 'schema' });
        }
      });
    });
  });
}
