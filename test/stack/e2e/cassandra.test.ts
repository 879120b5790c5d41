import path from 'node:path';
import type { V1StatefulSet } from '@kubernetes/client-node';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Connection, connect, listObjects } from '../api.ts';
import { superuser } from '../cassandra.ts';
import { versionsOf } from '../charts/files.ts';
import { chartRegistry } from '../charts/registry.ts';
import {
  cassandraPods,
  cql,
  ensureUp,
  everySecretReadable,
  holdCassandra,
  pauseCassandra,
  releaseCassandra,
  reset,
  type Stack,
} from '../control.ts';
import { helmFolder } from '../paths.ts';
import { podsOf } from '../workloads.ts';
import { accepted, recordAudit } from './audit.ts';
import { createOperator, type Finished, type Operator } from './rig.ts';

const namespace = 'cassandra-system';
const versions = versionsOf('0.20.1');
let stack: Stack;
let admin: Connection;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
});
beforeEach(reset);
afterAll(reset);

const environment = {
  PATH: `${helmFolder()}${path.delimiter}${process.env.PATH ?? ''}`,
  RUNBOOK_SECRET_CASSANDRA_PASSWORD: superuser.password,
};

const restart = ['exec', 'rolling-restart-cassandra', '--yes'];
const upgrade = (version: string) => [
  ...['exec', 'upgrade-cassandra', '--yes'],
  ...[
    `registry=${chartRegistry}`,
    `version=${version}`,
    'reuse=true',
    'acceptJobs=true',
    'timeout=3m',
  ].flatMap((input) => ['--input', input]),
];

function run(operator: Operator, args: readonly string[]): Promise<Finished> {
  return operator.run(args, environment);
}

/** Nodes by name: UID and image of the pod; and the partition of their set. */
async function nodes() {
  const pods = await podsOf(admin, namespace, 'app.kubernetes.io/name=cassandra');
  const sets = await listObjects<V1StatefulSet>(admin, 'apps/v1', 'StatefulSet', namespace);
  const set = sets.find(({ metadata }) => metadata?.name === 'cassandra');
  const by = <T>(value: (pod: (typeof pods)[number]) => T) =>
    Object.fromEntries(pods.map((pod) => [pod.metadata?.name ?? '', value(pod)]));
  return {
    uids: by(({ metadata }) => metadata?.uid),
    images: by(({ spec }) => spec?.containers[0]?.image),
    partition: set?.spec?.updateStrategy?.rollingUpdate?.partition ?? 0,
  };
}

test('a restart takes one node after the other, highest first, and loses nothing', async () => {
  const before = await nodes();
  const audit = recordAudit(admin);
  const { code, stderr } = await run(createOperator(stack.kubeconfig), restart);
  expect(code, stderr).toBe(0);
  const deleted = accepted(await audit.entries(), { resource: 'pods', namespace });
  expect(deleted.filter((text) => text.startsWith('delete '))).toEqual(
    [...cassandraPods].reverse().map((pod) => `delete ${pod}`),
  );
  const after = await nodes();
  for (const pod of cassandraPods) expect(after.uids[pod]).not.toBe(before.uids[pod]);
  expect((await everySecretReadable()).wrong).toEqual([]);
});

test('with one node away nothing is touched, and the node is named', async () => {
  await holdCassandra('cassandra-1');
  const before = await nodes();
  try {
    for (const args of [restart, upgrade(versions.patch)]) {
      const { code, stderr } = await run(createOperator(stack.kubeconfig), args);
      expect(code, stderr).toBe(4);
      expect(stderr).toMatch(/cassandra-1 could not be asked/);
      expect(stderr).toMatch(/is down \(DN\)/);
    }
    expect(await nodes()).toEqual(before);
  } finally {
    await releaseCassandra();
  }
});

test('without a quorum nothing is touched, and the nodes are named', async () => {
  const before = await nodes();
  for (const pod of ['cassandra-1', 'cassandra-2']) pauseCassandra(pod);
  try {
    const { code, stderr } = await run(createOperator(stack.kubeconfig), restart);
    expect(code, stderr).toBe(4);
    for (const pod of ['cassandra-1', 'cassandra-2']) expect(stderr).toContain(`${pod} could not be asked`);
    expect(stderr).toContain('LOCAL_QUORUM is not certain');
    expect((await nodes()).uids).toEqual(before.uids);
  } finally {
    await releaseCassandra();
  }
});

test('a dirty ledger stops an upgrade before anything is done', async () => {
  await cql('TRUNCATE schema_migrations.ess_api');
  await cql('INSERT INTO schema_migrations.ess_api (version, dirty) VALUES (7, true)');
  const before = await nodes();
  const { code, stderr } = await run(createOperator(stack.kubeconfig), upgrade(versions.patch));
  expect(code, stderr).toBe(4);
  expect(stderr).toContain('ess_api: the migration to version 7 did not end well (dirty)');
  expect(await nodes()).toEqual(before);
});

test('a version that does not start stops at its first node, which comes back as it was', async () => {
  const before = await nodes();
  const operator = createOperator(stack.kubeconfig);
  const { code, stderr } = await run(operator, upgrade(versions.unready));
  expect(code, stderr).toBe(1);
  expect(stderr).toMatch(/cassandra-2 .*crash/);
  const half = await nodes();
  expect(half.images['cassandra-2']).not.toBe(before.images['cassandra-2']);
  for (const pod of ['cassandra-0', 'cassandra-1']) expect(half.uids[pod]).toBe(before.uids[pod]);
  const back = await run(operator, ['rollback', 'last', '--yes']);
  expect(back.code, back.stderr).toBe(5);
  const after = await nodes();
  expect(after.images).toEqual(before.images);
  expect(after.partition).toBe(before.partition);
  for (const pod of ['cassandra-0', 'cassandra-1']) expect(after.uids[pod]).toBe(before.uids[pod]);
  expect((await everySecretReadable()).wrong).toEqual([]);
});
