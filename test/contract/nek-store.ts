import { afterAll, beforeAll, describe } from 'vitest';
import type { NekSession } from '../../src/services/nek-store.ts';
import { jwesContract } from './nek-store-jwes.ts';
import { readsContract } from './nek-store-reads.ts';
import { refusalsContract } from './nek-store-refusals.ts';
import { type NekStoreSetup, type NekStoreWorld, never } from './nek-store-setup.ts';
import { writesContract } from './nek-store-writes.ts';

export type { NekStoreSetup, NekStoreWorld } from './nek-store-setup.ts';

/** What is lent to the parts of the suite: the world, and a session on its target. */
export interface Lent {
  readonly world: NekStoreWorld;
  readonly session: NekSession;
}

/** What steps rely on when they read and write namespace keys, whichever implementation answers. */
export function nekStoreContract(name: string, setup: NekStoreSetup): void {
  describe(`namespace keys: ${name}`, () => {
    let lent: Lent | undefined;
    beforeAll(async () => {
      const world = await setup();
      lent = { world, session: await world.store.open(world.target, never()) };
    });
    afterAll(() => lent?.session.close());
    const lend = () => {
      if (lent === undefined) throw new Error('the world was not set up');
      return lent;
    };
    writesContract(lend);
    readsContract(lend);
    jwesContract(lend);
    refusalsContract(lend);
  });
}
