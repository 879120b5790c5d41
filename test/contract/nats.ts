import { beforeAll, describe, expect, test } from 'vitest';
import { NatsError, type NatsPod, type NatsReader, type NatsServer } from '../../src/services/nats.ts';

/** What an implementation lends to the contract: three servers with two streams in memory. */
export interface NatsWorld {
  readonly nats: NatsReader;
  readonly pods: readonly NatsPod[];
  /** A pod that runs and serves HTTP, but is no NATS server. */
  readonly stranger: NatsPod;
  readonly streams: readonly string[];
  /** Takes a pod away; its controller makes a new one. */
  readonly deletePod: (pod: string) => Promise<void>;
  /** Lets a while pass between two questions. */
  readonly pause: () => Promise<void>;
}

const never = () => new AbortController().signal;

async function failureOf(call: Promise<unknown>): Promise<NatsError> {
  const failure = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(failure).toBeInstanceOf(NatsError);
  if (failure instanceof NatsError) return failure;
  throw new Error('unreachable');
}

/** What servers tell about themselves, their cluster and their streams, before, while and after one of them is away. */
export function natsContract(name: string, setup: () => Promise<NatsWorld>): void {
  describe(`NATS: ${name}`, () => {
    let world: NatsWorld;
    beforeAll(async () => {
      world = await setup();
    });
    const ask = (pod: NatsPod) => world.nats.server(pod, never());
    const until = async <T>(what: string, check: () => Promise<T | undefined>): Promise<T> => {
      for (let attempt = 0; attempt < 300; attempt++) {
        const found = await check().catch((error: unknown) => {
          if (error instanceof NatsError) return undefined;
          throw error;
        });
        if (found !== undefined) return found;
        await world.pause();
      }
      throw new Error(`never came: ${what}`);
    };
    const settled = () =>
      until('three servers that agree', async () => {
        const all = await Promise.all(world.pods.map(ask));
        const leaders = new Set(all.map(({ meta }) => meta?.leader));
        const fine = all.every(
          ({ problem, routes, streams }) =>
            problem === '' && routes.length === 2 && streams.length === world.streams.length,
        );
        const led = world.streams.every((stream) => leaderOf(all, stream) !== undefined);
        return fine && led && leaders.size === 1 && !leaders.has(undefined) ? all : undefined;
      });
    const leaderOf = (all: readonly NatsServer[], stream: string) =>
      all.find((server) => server.streams.find((item) => item.name === stream)?.leader === server.name);

    test('every server tells its name, its version and each other one once, however many routes there are', async () => {
      const all = await settled();
      const names = all.map((server) => server.name);
      expect(names).toEqual(world.pods.map(({ pod }) => pod));
      for (const server of all) {
        expect(server.routes).toEqual(names.filter((other) => other !== server.name));
        expect(server.version).toMatch(/^2\.\d+\.\d+/);
        expect(server.problem).toBe('');
      }
    });

    test('all name the same meta leader, and only the leader tells of the others', async () => {
      const all = await settled();
      const leader = all.find(({ name: own, meta }) => meta?.leader === own);
      expect(all.map(({ meta }) => [meta?.leader, meta?.size])).toEqual(all.map(() => [leader?.name, 3]));
      expect(leader?.meta?.peers.map((peer) => [peer.name, peer.current, peer.offline])).toEqual(
        all.flatMap((server) => (server === leader ? [] : [[server.name, true, false]])),
      );
      for (const server of all) if (server !== leader) expect(server.meta?.peers).toEqual([]);
    });

    test('each has its copy of both streams in memory, and the leader of a stream says that the others are current', async () => {
      const all = await settled();
      for (const stream of world.streams) {
        const copies = all.map((server) => server.streams.find((item) => item.name === stream));
        for (const copy of copies) {
          expect(copy).toMatchObject({ storage: 'memory', replicas: 3, created: copies[0]?.created });
          expect(Date.parse(copy?.created ?? '')).toBeGreaterThan(0);
          expect(copy?.peers).toHaveLength(2);
          expect(copy?.lastSequence).toBe(copies[0]?.lastSequence);
          expect(copy?.messages).toBe(copies[0]?.messages);
        }
        expect(copies[0]?.messages).toBeGreaterThan(0);
        const led = leaderOf(all, stream)?.streams.find((item) => item.name === stream);
        expect(led?.peers.map(({ current, offline }) => [current, offline])).toEqual([
          [true, false],
          [true, false],
        ]);
      }
    });

    test('a port on which nobody listens is no answer, and may answer later', async () => {
      const [pod] = world.pods;
      if (pod === undefined) throw new Error('there are no pods');
      const failure = await failureOf(ask({ ...pod, port: 9 }));
      expect(failure.retryable).toBe(true);
      expect(failure.message).toContain(pod.pod);
    });

    test('what is no NATS server is told apart', async () => {
      const failure = await failureOf(ask(world.stranger));
      expect(failure.retryable).toBe(false);
      expect(failure.message).toContain('does not answer as a NATS server does');
    });

    test('while one is away the others say so; it comes back with its copies', async () => {
      const before = await settled();
      const gone = before.find(({ name: own, meta }) => meta?.leader !== own);
      const rest = world.pods.filter(({ pod }) => pod !== gone?.pod);
      await world.deletePod(gone?.pod ?? '');
      const lost = await until('two servers without the third', async () => {
        const all = await Promise.all(rest.map(ask));
        const peers = all.flatMap(({ meta }) => meta?.peers ?? []);
        const missed = peers.some((peer) => peer.name === gone?.name && peer.offline);
        return missed && all.every(({ routes }) => routes.length === 1) ? all : undefined;
      });
      expect(lost.map(({ meta }) => meta?.size)).toEqual([3, 3]);
      const after = await settled();
      const totals = (all: readonly NatsServer[]) =>
        world.streams.map((stream) => {
          const copy = leaderOf(all, stream)?.streams.find((item) => item.name === stream);
          return [copy?.created, copy?.messages, copy?.lastSequence];
        });
      expect(totals(after)).toEqual(totals(before));
    }, 180_000);
  });
}
