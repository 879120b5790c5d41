import { Secret } from '../../src/engine/secret.ts';
import type { NekSession, NekStoreTarget, NewNekRow } from '../../src/services/nek-store.ts';
import { createNekStore } from '../../src/services/nek-store-real.ts';
import {
  type CqlAnswer,
  type FakeCassandra,
  type FakeCassandraOptions,
  startFakeCassandra,
} from './fake-cassandra.ts';
import { FakePods } from './fake-pods.ts';
import { createInstantClock } from './instant-clock.ts';

export const never = () => new AbortController().signal;
export const credentials = { user: 'ess_role', password: 'hunter2-hunter2' };

export const row: NewNekRow = {
  namespace: 'ns-1',
  kid: 'kid-1',
  encryptedAt: 1_772_600_767_089,
  createdAt: '8b1a9d20-17f1-11f1-8c4a-0123456789ab',
  encryptedByKid: 'mek-1',
  encryptedKey: 'eyJhbGciOiJkaXIifQ..AAAA.BBBB.CCCC',
  status: 'VALIDATED',
};
/** The same row as a node gives it, without its key. */
export const stored: CqlAnswer = {
  columns: {
    namespace: 'text',
    kid: 'text',
    encrypted_at: 'timestamp',
    created_at: 'timeuuid',
    encrypted_by_kid: 'text',
    encrypted_key: 'text',
    status: 'text',
    current_kid: 'text',
  },
  rows: [
    {
      namespace: 'ns-1',
      kid: 'kid-1',
      encrypted_at: 1_772_600_767_089,
      created_at: '8b1a9d20-17f1-11f1-8c4a-0123456789ab',
      encrypted_by_kid: 'mek-1',
      encrypted_key: null,
      status: 'VALIDATED',
      current_kid: null,
    },
  ],
};

export interface Rig extends AsyncDisposable {
  readonly cassandra: FakeCassandra;
  readonly pods: FakePods;
  readonly open: (change?: Partial<NekStoreTarget>) => Promise<NekSession>;
}

/** A store over three nodes in pods, which answer as the test says. */
export async function rig(
  answer: (statement: string, node: string) => CqlAnswer,
  options: Pick<FakeCassandraOptions, 'tls'> = {},
): Promise<Rig> {
  const cassandra = await startFakeCassandra({ ...credentials, answer, ...options });
  const pods = podsOf(cassandra);
  const clock = createInstantClock();
  const store = createNekStore(pods, clock);
  return {
    cassandra,
    pods,
    open: (change = {}) =>
      store.open(
        {
          namespace: 'cassandra-system',
          selector: 'app=cassandra',
          keyspace: 'ess_api',
          datacenter: 'ncp',
          username: Secret.fromText('username', credentials.user),
          password: Secret.fromText('password', credentials.password),
          ...change,
        },
        never(),
      ),
    [Symbol.asyncDispose]: async () => {
      store.close();
      await cassandra[Symbol.asyncDispose]();
    },
  };
}

/** Pods in which these nodes run. */
export function podsOf({ nodes }: FakeCassandra): FakePods {
  return new FakePods(nodes, ({ ip }) => {
    const node = nodes.find((each) => each.ip === ip);
    return { host: '127.0.0.1', port: node?.port ?? 1 };
  });
}
