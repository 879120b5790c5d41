import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSystemClock } from '../../src/services/clock-system.ts';
import { type KubernetesObject, type KubernetesReader, kinds } from '../../src/services/kubernetes.ts';
import { createKubernetes } from '../../src/services/kubernetes-real.ts';
import { type NekSession, NekStoreError } from '../../src/services/nek-store.ts';
import { createNekStore } from '../../src/services/nek-store-real.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import { instant, never, newNamespace, newRow } from '../contract/nek-store-setup.ts';
import { sendSignal } from '../fakes/send-signal.ts';
import { ensureUp, killPod } from './control.ts';
import { createOwnKeyspace, type OwnKeyspace } from './nek-keyspace.ts';
import { waitFor } from './shell.ts';

const namespace = 'cassandra-system';
const selector = 'app.kubernetes.io/name=cassandra';
const pods = ['cassandra-0', 'cassandra-1', 'cassandra-2'];

let kubernetes: KubernetesReader;
let own: OwnKeyspace;
let session: NekSession;
let endStore: () => void;

beforeAll(async () => {
  const { kubeconfig } = await ensureUp();
  const clock = createSystemClock();
  const runner = createProcessRunner({ kill: sendSignal, environment: process.env });
  kubernetes = createKubernetes({ kubeconfig, clock, process: runner, environment: {} });
  const store = createNekStore(kubernetes, clock);
  endStore = () => store.close();
  await healthyPods();
  own = await createOwnKeyspace(store, {
    kubernetes,
    cassandra: { namespace, selector, datacenter: 'ncp' },
    pods,
  });
  session = await store.open(own.world.target, never());
});

afterAll(async () => {
  session.close();
  endStore();
  await own.end();
});

async function healthyPods(): Promise<ReadonlyMap<string, string>> {
  return waitFor(
    async () => {
      const found = await kubernetes.list(kinds.pods, { namespace, labelSelector: selector });
      const ready = found.filter(isReady);
      return (
        ready.length === pods.length && new Map(ready.map(({ metadata }) => [metadata.name, metadata.uid]))
      );
    },
    { what: 'the Cassandra pods to be ready', seconds: 300 },
  );
}

function isReady({ status, metadata }: KubernetesObject): boolean {
  const conditions = (status?.conditions ?? []) as readonly {
    readonly type: string;
    readonly status: string;
  }[];
  const ready = conditions.some(({ type, status: state }) => type === 'Ready' && state === 'True');
  return ready && metadata.deletionTimestamp === undefined;
}

/** Writes and reads without pause until it is stopped; every write has a row of its own. */
function work(at: string) {
  const acknowledged: number[] = [];
  const refused: number[] = [];
  const troubles: unknown[] = [];
  const failedReads: unknown[] = [];
  let going = true;
  const write = async () => {
    for (let index = 0; going; index++) {
      try {
        await session.insert([newRow({ namespace: at, encryptedAt: instant + index })], {}, never());
        acknowledged.push(index);
      } catch (cause) {
        troubles.push(cause);
        if (!(cause instanceof NekStoreError) || cause.outcome === 'not-applied') refused.push(index);
      }
    }
  };
  const read = async () => {
    while (going) {
      const last = acknowledged.at(-1);
      if (last === undefined) await new Promise(setImmediate);
      else {
        const key = { namespace: at, kid: 'kid-a', encryptedAt: instant + last };
        const found = await session.rows([key], never()).catch((cause: unknown) => failedReads.push(cause));
        if (Array.isArray(found)) expect(found).toHaveLength(1);
      }
    }
  };
  const running = Promise.all([write(), read()]);
  return {
    stop: async () => {
      going = false;
      await running;
      return { acknowledged, refused, troubles, failedReads };
    },
  };
}

test('a session outlives a rolling restart, and loses and invents no write', async () => {
  const at = newNamespace();
  const worker = work(at);
  for (const pod of pods.toReversed()) {
    const before = await healthyPods();
    await killPod(namespace, pod);
    await waitFor(async () => (await healthyPods()).get(pod) !== before.get(pod), {
      what: `${pod} to come back`,
      seconds: 300,
    });
    await waitFor(async () => (await session.health(never())).nodes.every(({ up }) => up), {
      what: 'every node to answer',
      seconds: 120,
    });
  }
  const { acknowledged, refused, troubles, failedReads } = await worker.stop();
  expect(failedReads).toEqual([]);
  expect(acknowledged.length).toBeGreaterThan(100);
  for (const trouble of troubles) expect(trouble).toBeInstanceOf(NekStoreError);
  const stored = new Set(
    (await session.partition({ namespace: at }, never())).map(({ encryptedAt }) => encryptedAt - instant),
  );
  expect(acknowledged.filter((index) => !stored.has(index))).toEqual([]);
  expect(refused.filter((index) => stored.has(index))).toEqual([]);
  const health = await session.health(never());
  expect(health).toMatchObject({ quorum: true, schemaAgreed: true, schemaProblems: [] });
  expect(health.nodes.map(({ pod, up }) => [pod, up]).sort()).toEqual(pods.map((pod) => [pod, true]));
});
