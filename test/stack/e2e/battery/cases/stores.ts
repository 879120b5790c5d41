import type { V1Pod } from '@kubernetes/client-node';
import { expect } from 'vitest';
import { versionsOf } from '../../../charts/files.ts';
import { chartRegistry } from '../../../charts/registry.ts';
import { cql, openBaoStatus, readMasterKeys } from '../../../control.ts';
import { podsOf } from '../../../workloads.ts';
import { outputsOf } from '../../key-checks.ts';
import { everythingOpens } from '../../key-world.ts';
import type { Failure, RunbookCase, Scene } from '../case.ts';
import { expectDeployed } from './helm.ts';

type Store = 'openbao' | 'cassandra' | 'nats';

const stores: Readonly<Record<Store, readonly [namespace: string, selector: string]>> = {
  openbao: ['vault-system', 'app.kubernetes.io/instance=openbao-server,component=server'],
  cassandra: ['cassandra-system', 'app.kubernetes.io/name=cassandra'],
  nats: ['nats-system', 'app.kubernetes.io/component=nats'],
};

/** Uids of the pods that a case began with, by the operator's folder. */
const begun = new Map<string, readonly V1Pod[]>();

async function remember({ admin, operator }: Scene, store: Store): Promise<void> {
  begun.set(operator.folder, await podsOf(admin, ...stores[store]));
}

/** How many pods of the store are other ones than at the beginning. */
async function replaced({ admin, operator }: Scene, store: Store): Promise<number> {
  const before = new Set(begun.get(operator.folder)?.map(({ metadata }) => metadata?.uid));
  const after = await podsOf(admin, ...stores[store]);
  expect(after).toHaveLength(3);
  return after.filter(({ metadata }) => !before.has(metadata?.uid)).length;
}

/** The operator breaks the run off in the middle of its first change, which comes to its end. */
function brokenOff(prepare: Failure['prepare']): Failure {
  return {
    what: 'the operator breaks it off',
    exit: [130],
    ...(prepare === undefined ? {} : { prepare }),
    strike: {
      at: (event) => event.type === 'intended',
      does: async (_, running) => running.signal('SIGINT'),
    },
  };
}

function rolling(
  runbook: string,
  store: Store,
  more: Pick<RunbookCase, 'slow' | 'alsoIn'> = {},
): RunbookCase {
  const prepare = async (scene: Scene) => {
    await remember(scene, store);
    return [];
  };
  return {
    runbook,
    prepare,
    done: async (scene) => expect(await replaced(scene, store)).toBe(3),
    failure: brokenOff(prepare),
    killed: true,
    ...more,
  };
}

const openbao = versionsOf('0.30.25');
const cassandra = versionsOf('0.20.1');
const nats = versionsOf('0.7.1');
const registry = `registry=${chartRegistry}`;

async function standby(): Promise<string> {
  const found = (await openBaoStatus()).find(({ active }) => active === false);
  if (found === undefined) throw new Error('OpenBao has no standby');
  return found.pod;
}

async function restartOne(scene: Scene): Promise<string[]> {
  await remember(scene, 'openbao');
  return [`pod=${await standby()}`];
}

/** Whom the values of a release are kept for. */
const recipients = ({ operator }: Scene) => operator.backup.filter((word) => word !== '--input');

const openbaoTo = (version: string) => async (scene: Scene) => {
  await remember(scene, 'openbao');
  return [registry, `version=${version}`, 'reuse=true', ...recipients(scene)];
};

const cassandraTo = (version: string) => async (scene: Scene) => {
  await remember(scene, 'cassandra');
  return [registry, `version=${version}`, 'reuse=true', 'acceptJobs=true', 'timeout=2m'];
};

const natsTo =
  (version: string, ...more: string[]) =>
  async (scene: Scene) => {
    await remember(scene, 'nats');
    return [registry, `version=${version}`, 'reuse=true', 'acceptJobs=true', 'timeout=2m', ...more];
  };

const ledger = 'schema_migrations.ess_api';

async function spoilLedger(): Promise<string[]> {
  await cql(`TRUNCATE ${ledger}`);
  await cql(`INSERT INTO ${ledger} (version, dirty) VALUES (2, true)`);
  return ['keyspace=ess_api', 'version=2'];
}

async function dirtyRows(): Promise<unknown> {
  return (await cql(`SELECT version, dirty FROM ${ledger}`)).map(({ version, dirty }) => [
    Number(version),
    dirty,
  ]);
}

/** OpenBao, Cassandra and NATS. */
export const storeCases: readonly RunbookCase[] = [
  rolling('rolling-restart-openbao', 'openbao', { alsoIn: 'restart-service.test.ts' }),
  rolling('rolling-restart-cassandra', 'cassandra', { slow: true, alsoIn: 'cassandra.test.ts' }),
  rolling('rolling-restart-nats', 'nats', { alsoIn: 'nats.test.ts' }),
  {
    runbook: 'restart-openbao-pod',
    prepare: restartOne,
    done: async (scene) => expect(await replaced(scene, 'openbao')).toBe(1),
    failure: brokenOff(restartOne),
    killed: true,
  },
  ...['cassandra-state', 'nats-state', 'openbao-state', 'cluster-state'].map((runbook) => ({
    runbook,
    prepare: () => [],
    done: async ({ operator }: Scene) => expect(Object.keys(await outputsOf(operator))).not.toEqual([]),
    killed: false,
    ...(runbook === 'nats-state' ? { alsoIn: 'nats.test.ts' } : {}),
    ...(runbook === 'cluster-state' ? { alsoIn: 'guide-checks.test.ts' } : {}),
  })),
  {
    runbook: 'dirty-migration',
    prepare: spoilLedger,
    done: async () => expect(await dirtyRows()).toEqual([[2, false]]),
    failure: {
      ...brokenOff(spoilLedger),
      changed: async () => expect(await dirtyRows()).toEqual([[2, true]]),
    },
    killed: true,
  },
  {
    runbook: 'upgrade-openbao',
    prepare: openbaoTo(openbao.patch),
    done: async (scene) => {
      await expectDeployed('openbao-server', 'vault-system', openbao.patch);
      expect(await replaced(scene, 'openbao')).toBe(3);
      expect((await readMasterKeys()).version).toBe(1);
      expect((await everythingOpens(scene.admin)).wrong).toEqual([]);
    },
    failure: { what: 'the Job of the upgrade fails', prepare: openbaoTo(openbao.brokenHook) },
    killed: true,
  },
  {
    runbook: 'upgrade-cassandra',
    slow: true,
    prepare: cassandraTo(cassandra.patch),
    done: async (scene) => {
      await expectDeployed('cassandra', 'cassandra-system', cassandra.patch);
      expect(await replaced(scene, 'cassandra')).toBe(3);
    },
    failure: { what: 'a Job of the upgrade fails', prepare: cassandraTo(cassandra.brokenHook) },
    killed: true,
  },
  {
    runbook: 'upgrade-nats',
    prepare: natsTo(nats.patch),
    done: async (scene) => {
      await expectDeployed('nats', 'nats-system', nats.patch);
      expect(await replaced(scene, 'nats')).toBe(3);
    },
    // A rollback past a Job that ran is refused, as it is for every release whose chart migrates something.
    failure: { what: 'the pods of the new version crash', prepare: natsTo(nats.unready, 'podTimeout=25s') },
    killed: true,
  },
];
