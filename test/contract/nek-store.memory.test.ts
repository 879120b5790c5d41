import { beforeAll, describe } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { MemoryNekStore } from '../fakes/memory-nek-store.ts';
import type { Lent, NekStoreWorld } from './nek-store.ts';
import { readsContract } from './nek-store-reads.ts';
import { writesContract } from './nek-store-writes.ts';

// What is proven with the fake holds for the real one as far as the fake does what the real one does.
describe('namespace keys: the fake', () => {
  let lent: Lent;
  beforeAll(async () => {
    const store = new MemoryNekStore();
    const target = {
      namespace: 'cassandra-system',
      selector: 'app=cassandra',
      keyspace: 'ess_api',
      datacenter: 'ncp',
      username: Secret.fromText('username', 'user'),
      password: Secret.fromText('password', 'password'),
    };
    const world = {
      store,
      target,
      setCurrentKid: async (namespace, kid) => store.setCurrentKid(namespace, kid),
      addGhost: async (key, status) => store.setStatus(key, status),
    } satisfies Partial<NekStoreWorld> as unknown as NekStoreWorld;
    lent = { world, session: await store.open(target) };
  });
  writesContract(() => lent);
  readsContract(() => lent);
});
