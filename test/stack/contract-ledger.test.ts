import { afterAll } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { createSystemClock } from '../../src/services/clock-system.ts';
import { createKubernetes } from '../../src/services/kubernetes-real.ts';
import { createLedger, type Ledger } from '../../src/services/ledger-real.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import { ledgerContract } from '../contract/ledger.ts';
import { sendSignal } from '../fakes/send-signal.ts';
import { superuser } from './cassandra.ts';
import { ensureUp, holdCassandra, releaseCassandra } from './control.ts';
import { openSuperuser } from './nek-keyspace.ts';
import { loadSeedData } from './seed-data.ts';

const where = {
  namespace: 'cassandra-system',
  selector: 'app.kubernetes.io/name=cassandra',
  datacenter: 'ncp',
};
let ledger: Ledger | undefined;
afterAll(async () => {
  ledger?.close();
  await releaseCassandra();
});

ledgerContract('a real cluster', async () => {
  const { kubeconfig } = await ensureUp();
  const clock = createSystemClock();
  const runner = createProcessRunner({ kill: sendSignal, environment: process.env });
  const kubernetes = createKubernetes({ kubeconfig, clock, process: runner, environment: {} });
  ledger = createLedger(kubernetes, clock);
  const as = (username: string, password: string) => ({
    ...where,
    username: Secret.fromText('username', username),
    password: Secret.fromText('password', password),
  });
  return {
    ledger,
    target: as(superuser.username, superuser.password),
    service: as('ess_api_app_v0', (await loadSeedData()).passwords.ess_api ?? ''),
    // As golang-migrate does it: the table is emptied, then the row is inserted.
    async note(keyspace, rows) {
      await using session = await openSuperuser(kubernetes, where);
      const table = `schema_migrations.${keyspace}`;
      if (rows === undefined) return await session.run(`DROP TABLE ${table}`);
      await session.run(`CREATE TABLE IF NOT EXISTS ${table} (version bigint PRIMARY KEY, dirty boolean)`);
      await session.run(`TRUNCATE ${table}`);
      for (const { version, dirty } of rows)
        await session.run(`INSERT INTO ${table} (version, dirty) VALUES (${version}, ${dirty})`);
    },
    async loseQuorum() {
      await holdCassandra('cassandra-1');
      await holdCassandra('cassandra-2');
    },
    regainQuorum: releaseCassandra,
  };
});
