import { beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import {
  OpenBaoError,
  type OpenBaoNode,
  type OpenBaoPod,
  type OpenBaoWriter,
} from '../../src/services/openbao.ts';

/** What an implementation lends to the contract: three unsealed raft nodes. */
export interface OpenBaoWorld {
  readonly openbao: OpenBaoWriter;
  readonly pods: readonly OpenBaoPod[];
  /** May read the raft configuration and step down. */
  readonly token: Secret;
  /** Lets a while pass between two questions. */
  readonly pause: () => Promise<void>;
}

export type OpenBaoSetup = () => Promise<OpenBaoWorld>;

const never = () => new AbortController().signal;

async function failureOf(call: Promise<unknown>): Promise<OpenBaoError> {
  const failure = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(failure).toBeInstanceOf(OpenBaoError);
  if (failure instanceof OpenBaoError) return failure;
  throw new Error('unreachable');
}

/** Seal state, leadership and raft membership, pod by pod. */
export function openbaoContract(name: string, setup: OpenBaoSetup): void {
  describe(`OpenBao: ${name}`, () => {
    let world: OpenBaoWorld;
    beforeAll(async () => {
      world = await setup();
    });
    const nodes = () => Promise.all(world.pods.map((pod) => world.openbao.node(pod, never())));
    const settledNodes = async (fits: (all: readonly OpenBaoNode[]) => boolean) => {
      for (let attempt = 0; attempt < 100; attempt++) {
        const all = await nodes();
        if (fits(all)) return all;
        await world.pause();
      }
      throw new Error('the nodes never came to what was awaited');
    };
    const hasLeader = (all: readonly OpenBaoNode[]) =>
      all.filter(({ active }) => active).length === 1 &&
      all.every(({ leaderAddress }) => leaderAddress !== undefined);
    const active = async () => {
      const index = (await settledNodes(hasLeader)).findIndex((node) => node.active);
      const pod = world.pods[index];
      if (pod === undefined) throw new Error('no pod is active');
      return pod;
    };

    test('every pod tells its own state, and one is active', async () => {
      const all = await settledNodes(hasLeader);
      expect(all.map(({ pod }) => pod)).toEqual(world.pods.map(({ pod }) => pod));
      for (const node of all) {
        expect(node).toMatchObject({ initialized: true, sealed: false });
        expect(node.version).not.toBe('');
        expect(node.raftAppliedIndex).toBeGreaterThan(0);
        expect(node.raftCommittedIndex).toBeGreaterThanOrEqual(node.raftAppliedIndex ?? 0);
        expect(node.serverTime).toBeGreaterThan(1_600_000_000);
      }
      expect(new Set(all.map(({ leaderAddress }) => leaderAddress)).size).toBe(1);
    });

    test('the active pod knows three voters and which of them leads', async () => {
      const pod = await active();
      const peers = await world.openbao.raftPeers(pod, world.token, never());
      expect(peers.map(({ id }) => id).sort()).toEqual(world.pods.map((entry) => entry.pod).sort());
      expect(peers.every(({ voter, address }) => voter && address !== '')).toBe(true);
      expect(peers.filter(({ leader }) => leader).map(({ id }) => id)).toEqual([pod.pod]);
    });

    test('a wrong token is refused and never repeated in the message', async () => {
      const pod = await active();
      const wrong = Secret.fromText('token', 's.not-the-right-one');
      for (const call of [
        () => world.openbao.raftPeers(pod, wrong, never()),
        () => world.openbao.stepDown(pod, wrong, never()),
      ]) {
        const failure = await failureOf(call());
        expect(failure).toMatchObject({ status: 403, outcome: 'not-applied', retryable: false });
        expect(failure.message).not.toContain('not-the-right-one');
      }
    });

    test('a pod that was replaced is not asked', async () => {
      const [pod] = world.pods;
      if (pod === undefined) throw new Error('there are no pods');
      const stale = { ...pod, uid: '00000000-0000-0000-0000-000000000000' };
      const failure = await failureOf(world.openbao.node(stale, never()));
      expect(failure).toMatchObject({ outcome: 'not-applied' });
      expect(failure.message).toContain(pod.pod);
    });

    test('a standby does not step down', async () => {
      const leader = await active();
      const standby = world.pods.find(({ pod }) => pod !== leader.pod);
      if (standby === undefined) throw new Error('there is no standby');
      const failure = await failureOf(world.openbao.stepDown(standby, world.token, never()));
      expect(failure).toMatchObject({ outcome: 'not-applied' });
      expect((await active()).pod).toBe(leader.pod);
    });

    test('stepping down makes another pod active', async () => {
      const before = await active();
      await world.openbao.stepDown(before, world.token, never());
      const after = await settledNodes(
        (all) => hasLeader(all) && all.some((node) => node.active && node.pod !== before.pod),
      );
      expect(after.find((node) => node.active)?.pod).not.toBe(before.pod);
      expect(after.every(({ sealed }) => !sealed)).toBe(true);
    });

    test('an aborted question is answered with an error', async () => {
      const [pod] = world.pods;
      if (pod === undefined) throw new Error('there are no pods');
      await failureOf(world.openbao.node(pod, AbortSignal.abort()));
    });
  });
}
