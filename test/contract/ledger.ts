import { beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import type { LedgerTarget, LedgerWriter } from '../../src/services/ledger.ts';
import { NekStoreError } from '../../src/services/nek-store.ts';

export interface LedgerWorld {
  readonly ledger: LedgerWriter;
  /** With a role that may use the keyspace. */
  readonly target: LedgerTarget;
  /** A role of a service. */
  readonly service: LedgerTarget;
  /** A table of this name with these rows; undefined: none. */
  note(
    keyspace: string,
    rows: readonly { readonly version: number; readonly dirty: boolean }[] | undefined,
  ): Promise<void>;
  /** Makes LOCAL_QUORUM impossible, and possible again. */
  loseQuorum(): Promise<void>;
  regainQuorum(): Promise<void>;
}

const never = new AbortController().signal;
const keyspace = 'contract_ledger';

export function ledgerContract(on: string, setup: () => Promise<LedgerWorld>): void {
  describe(`the migrations' ledger on ${on}`, () => {
    let world: LedgerWorld;
    const read = async (target = world.target) => {
      const tables = await world.ledger.read(target, never);
      return tables.find((table) => table.keyspace === keyspace)?.rows;
    };
    const mark = (version: number, dirty: boolean, name = keyspace) =>
      world.ledger.mark(world.target, { keyspace: name, version, dirty }, never);
    const reasonOf = (work: Promise<unknown>) =>
      work.then(
        () => 'none',
        (error: unknown) => (error instanceof NekStoreError ? error.reason : String(error)),
      );

    beforeAll(async () => {
      world = await setup();
    });

    test('reads every table, and tells an empty one from none', async () => {
      const tables = await world.ledger.read(world.target, never);
      expect(tables.find((table) => table.keyspace === 'ess_api')?.rows).toEqual([
        { version: expect.any(Number), dirty: false },
      ]);
      expect(tables.map((table) => table.keyspace)).toEqual(
        [...tables].map((table) => table.keyspace).sort(),
      );
      expect(await read()).toBeUndefined();
      await world.note(keyspace, []);
      expect(await read()).toEqual([]);
      await world.note(keyspace, [
        { version: 20261124101500, dirty: false },
        { version: 3, dirty: true },
      ]);
      expect(await read()).toEqual([
        { version: 3, dirty: true },
        { version: 20261124101500, dirty: false },
      ]);
    });

    test('marks a row only where it says the opposite', async () => {
      await world.note(keyspace, [{ version: 7, dirty: true }]);
      expect(await mark(8, false)).toBe(false);
      expect(await mark(7, true)).toBe(false);
      expect(await read()).toEqual([{ version: 7, dirty: true }]);
      expect(await mark(7, false)).toBe(true);
      expect(await read()).toEqual([{ version: 7, dirty: false }]);
      expect(await mark(7, false)).toBe(false);
      expect(await mark(7, true)).toBe(true);
      expect(await read()).toEqual([{ version: 7, dirty: true }]);
      await world.note(keyspace, [{ version: 8, dirty: false }]);
      // What the migrations write after a mark stands.
      expect(await read()).toEqual([{ version: 8, dirty: false }]);
    });

    test('refuses what it cannot do, and says why', async () => {
      expect(await reasonOf(mark(1, false, 'nothere'))).toBe('schema');
      expect(await reasonOf(read(world.service))).toBe('forbidden');
      const wrong = { ...world.target, password: Secret.fromText('password', 'not-the-password') };
      expect(await reasonOf(read(wrong))).toBe('unauthenticated');
      expect(await reasonOf(read({ ...world.target, datacenter: 'elsewhere' }))).toBe('refused');
      expect(await reasonOf(read({ ...world.target, selector: 'app=nothing' }))).toBe('unreachable');
    });

    test('says nothing without a quorum', async () => {
      await world.note(keyspace, [{ version: 7, dirty: true }]);
      await world.loseQuorum();
      try {
        expect(await reasonOf(read())).toMatch(/^(?:no-quorum|timeout)$/);
        expect(await reasonOf(mark(7, false))).toMatch(/^(?:no-quorum|timeout)$/);
      } finally {
        await world.regainQuorum();
      }
      await expect.poll(() => reasonOf(read()), { timeout: 120_000, interval: 200 }).toBe('none');
      await world.note(keyspace, undefined);
      expect(await read()).toBeUndefined();
    });
  });
}
