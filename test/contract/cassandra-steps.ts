import { beforeAll, describe, expect, test } from 'vitest';
import type { ExecRequest, KubernetesWriter } from '../../src/services/kubernetes.ts';
import type { Services } from '../../src/services/services.ts';
import { parseCluster, parseSnapshots, parseStatus } from '../../src/steps/cassandra/nodetool-output.ts';
import { snapshot } from '../../src/steps/cassandra/snapshot.ts';
import { status } from '../../src/steps/cassandra/status.ts';
import { contextOn } from './step-verdicts.ts';

export interface CassandraStepWorld {
  readonly services: Services;
  /** Names of the three pods. */
  readonly pods: readonly string[];
  /** Ends a node, and keeps it from coming back. */
  stop(pod: string): Promise<void>;
  /** Lets every node be again, and waits until the ring is whole. */
  release(): Promise<void>;
  /** A cluster on which one may do nothing. */
  denied(): Promise<KubernetesWriter>;
  /** The words of a name that nobody has used. */
  readonly tag: string;
}

const input = { namespace: 'cassandra-system', selector: 'app.kubernetes.io/name=cassandra' };
const never = new AbortController().signal;
const whole = '3 of 3 nodes up, all views agree, one schema, 1 to spare for LOCAL_QUORUM';

/** nodetool and the steps that read it, on the sandbox and on a real cluster. */
export function cassandraStepsContract(on: string, setup: () => Promise<CassandraStepWorld>): void {
  describe(`Cassandra's nodes on ${on}`, () => {
    let world: CassandraStepWorld;
    const nodetool = (words: readonly string[], pod = 'cassandra-0') => {
      const request: ExecRequest = {
        namespace: input.namespace,
        pod,
        container: 'cassandra',
        command: ['nodetool', ...words],
      };
      return world.services.kubernetes.exec(request, never);
    };
    const look = () => status.run(input, contextOn(world.services));

    beforeAll(async () => {
      world = await setup();
    });

    test('nodetool prints what is understood', async () => {
      const ring = parseStatus((await nodetool(['status'])).stdout);
      expect(ring?.map(({ state, datacenter, owns, rack }) => [state, datacenter, owns, rack])).toEqual(
        world.pods.map(() => ['UN', 'ncp', '100.0%', 'rack1']),
      );
      expect(new Set(ring?.map(({ hostId }) => hostId)).size).toBe(3);
      const cluster = parseCluster((await nodetool(['describecluster'])).stdout);
      expect(cluster).toMatchObject({ name: 'cassandra', unreachable: [] });
      expect([...(cluster?.schemas.values() ?? [])].map((list) => [...list].sort())).toEqual([
        ring?.map(({ address }) => address).sort(),
      ]);
      const copies = new Map(cluster?.keyspaces.map((each) => [each.keyspace, [...each.copies]]));
      expect(copies.get('ess_api')).toEqual([['ncp', 3]]);
      expect(copies.get('schema_migrations')).toEqual([['ncp', 3]]);
      expect(copies.get('system')).toEqual([]);
      expect(await nodetool(['bogus'])).toMatchObject({
        exitCode: 1,
        stdout: expect.stringContaining('unexpected parameters: [bogus]'),
      });
    });

    test('nodetool takes a snapshot once, lists it and clears it again and again', async () => {
      const tag = `${world.tag}-hand`;
      const listed = async () => {
        const all = parseSnapshots((await nodetool(['listsnapshots'])).stdout);
        return all?.filter((each) => each.tag === tag).map(({ keyspace, table }) => `${keyspace}.${table}`);
      };
      expect(await listed()).toEqual([]);
      expect(await nodetool(['snapshot', '-t', tag, '--', 'ess_api'])).toMatchObject({
        exitCode: 0,
        stderr: '',
      });
      expect(await listed()).toContain('ess_api.namespaces');
      expect(await nodetool(['snapshot', '-t', tag, '--', 'ess_api'])).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('already exists'),
      });
      expect(await nodetool(['snapshot', '-t', `${tag}-2`, '--', 'nothere'])).toMatchObject({
        exitCode: 1,
        stdout: expect.stringContaining('Keyspace nothere does not exist'),
      });
      for (const _ of [1, 2])
        expect(await nodetool(['clearsnapshot', '-t', tag])).toMatchObject({ exitCode: 0 });
      expect(await listed()).toEqual([]);
    });

    test('cassandra.status finds a whole ring in every view', async () => {
      expect(await look()).toMatchObject({
        name: 'cassandra',
        count: 3,
        reachable: 3,
        up: 3,
        healthy: true,
        agreed: true,
        schemaAgreed: true,
        spare: 1,
        summary: whole,
      });
    });

    test('cassandra.snapshot takes one on every node, is seen, and gives way to one that is there', async () => {
      const given = { ...input, tag: world.tag };
      const ctx = contextOn(world.services);
      const before = await snapshot.capture(given, ctx);
      const seen = (on = ctx) => snapshot.observe(given, before, on);
      expect(await seen()).toMatchObject({ state: 'not-applied' });
      const outputs = await snapshot.run(given, ctx);
      expect(outputs.nodes.map(({ pod }) => pod)).toEqual(world.pods);
      for (const { tables, bytes } of outputs.nodes) {
        expect(tables).toBe(outputs.nodes[0]?.tables);
        expect(bytes).toBeGreaterThan(1000);
      }
      expect(await seen()).toMatchObject({ state: 'applied', outputs });
      const another = contextOn(world.services);
      await expect(snapshot.capture(given, another)).rejects.toMatchObject({ code: 'tag-exists' });
      // To a step that did not take it, it is somebody else's.
      expect(await seen(another)).toMatchObject({ state: 'conflict' });
      await nodetool(['clearsnapshot', '-t', world.tag], 'cassandra-1');
      expect(await seen()).toMatchObject({ state: 'not-applied', partial: true });
      expect(await snapshot.run(given, ctx)).toMatchObject({ count: 3 });
      expect(await seen()).toMatchObject({ state: 'applied' });
      const blind = { ...ctx, services: { ...ctx.services, kubernetes: await world.denied() } };
      expect(await seen(blind)).toMatchObject({ state: 'unknown' });
      for (const pod of world.pods) await nodetool(['clearsnapshot', '-t', world.tag], pod);
    });

    test('a node that is away is called down by the others, and cannot be asked itself', async () => {
      await world.stop('cassandra-2');
      try {
        await expect
          .poll(async () => (await look()).nodes.find(({ state }) => state !== 'UN')?.state, {
            timeout: 300_000,
            interval: 100,
          })
          .toBe('DN');
        const outputs = await look();
        expect(outputs).toMatchObject({ healthy: false, agreed: false, spare: 0, quorum: true });
        expect(outputs.pods.map(({ reachable }) => reachable)).toEqual([true, true, false]);
        expect(outputs.schemaAgreed).toBe(false);
        const given = { ...input, tag: `${world.tag}-down` };
        await expect(snapshot.capture(given, contextOn(world.services))).rejects.toMatchObject({
          code: 'node-unreachable',
          message: expect.stringContaining('cassandra-2'),
        });
      } finally {
        await world.release();
      }
      await expect.poll(async () => (await look()).summary, { timeout: 300_000, interval: 100 }).toBe(whole);
    });
  });
}
