import { afterAll, expect, test } from 'vitest';
import { createSystemClock } from '../../src/services/clock-system.ts';
import { createKubernetes } from '../../src/services/kubernetes-real.ts';
import { createNekStore } from '../../src/services/nek-store-real.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import { nekStoreContract } from '../contract/nek-store.ts';
import { failureOf, never, newNamespace, newRow } from '../contract/nek-store-setup.ts';
import { sendSignal } from '../fakes/send-signal.ts';
import { ensureUp } from './control.ts';
import { createOwnKeyspace, type OwnKeyspace } from './nek-keyspace.ts';

const cassandra = {
  namespace: 'cassandra-system',
  selector: 'app.kubernetes.io/name=cassandra',
  datacenter: 'ncp',
};
const pods = ['cassandra-0', 'cassandra-1', 'cassandra-2'];

let own: OwnKeyspace | undefined;
let endStore: () => void = () => undefined;

nekStoreContract('real pods over port-forward', async () => {
  const { kubeconfig } = await ensureUp();
  const clock = createSystemClock();
  const runner = createProcessRunner({ kill: sendSignal, environment: process.env });
  const kubernetes = createKubernetes({ kubeconfig, clock, process: runner, environment: {} });
  const store = createNekStore(kubernetes, clock);
  endStore = () => store.close();
  own = await createOwnKeyspace(store, { kubernetes, cassandra, pods });
  return own.world;
});

afterAll(async () => {
  await own?.end();
  endStore();
});

async function lent() {
  if (own === undefined) throw new Error('the keyspace was not made');
  const { world, superuser, keyspace } = own;
  const session = await world.store.open(world.target, never());
  return { ...superuser, session, keyspace, table: `"${keyspace}".encryption_keys_by_kid_and_encrypted_at` };
}

test('a table that ESS did not create so is told by what differs', async () => {
  const { session, run, keyspace, table } = await lent();
  const place = `${keyspace}.encryption_keys_by_kid_and_encrypted_at`;
  await run(`ALTER TABLE ${table} WITH default_time_to_live = 3600`);
  await run(`ALTER TABLE ${table} ADD nonce blob`);
  const { schemaProblems, quorum } = await session.health(never());
  expect(schemaProblems).toEqual([
    `${place} has a column nonce (blob) that ESS does not create and that rows written here would lack`,
    `${place} has default_time_to_live 3600: rows would vanish after that many seconds`,
  ]);
  expect(quorum).toBe(true);
  await run(`ALTER TABLE ${table} WITH default_time_to_live = 0`);
  await run(`ALTER TABLE ${table} DROP nonce`);
  await run(`ALTER KEYSPACE "${keyspace}" WITH durable_writes = false`);
  const health = await session.health(never());
  expect(health).toMatchObject({ schemaProblems: [], durableWrites: false, schemaAgreed: true });
  await run(`ALTER KEYSPACE "${keyspace}" WITH durable_writes = true`);
  session.close();
});

test('rows of one partition are one write, whatever the limit for batches says', async () => {
  const { session } = await lent();
  const namespace = newNamespace();
  // 150 kB: a batch over partitions is refused from 50 KiB on.
  const encryptedKey = 'x'.repeat(3000);
  const rows = Array.from({ length: 50 }, (_, index) =>
    newRow({ namespace, kid: `kid-${index}`, encryptedKey }),
  );
  await session.insert(rows, {}, never());
  expect(await session.partition({ namespace }, never())).toHaveLength(50);
  session.close();
});

// The last one: nodes remember for a moment that the role was refused.
test('a role that may only read is refused its writes', async () => {
  const { session, run, keyspace, table } = await lent();
  const row = newRow({ namespace: newNamespace() });
  await run(`REVOKE MODIFY ON KEYSPACE "${keyspace}" FROM ${keyspace}`);
  const refused = await failureOf(untilRefused(() => session.insert([row], {}, never())));
  expect(refused).toMatchObject({ reason: 'forbidden', outcome: 'not-applied', retryable: false });
  expect(refused.message).toContain(table.replaceAll('"', ''));
  expect(refused.message).toContain('MODIFY');
  expect(await session.partition({ namespace: `${row.namespace}-other` }, never())).toEqual([]);
  session.close();
});

/** Nodes remember permissions for a moment. */
async function untilRefused(write: () => Promise<void>): Promise<void> {
  for (;;) await write();
}
