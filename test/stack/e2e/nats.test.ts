import type { V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Connection, connect, isReady, listObjects } from '../api.ts';
import {
  deleteNatsStream,
  ensureUp,
  killPod,
  natsPods,
  natsStream,
  natsStreams,
  publishToNats,
  reset,
  type Stack,
} from '../control.ts';
import { natsNamespace } from '../manifests/nats.ts';
import { waitForWorkloads } from '../workloads.ts';
import { accepted, recordAudit } from './audit.ts';
import { createOperator, type Finished } from './rig.ts';

let stack: Stack;
let admin: Connection;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
});

beforeEach(reset);
afterAll(reset);

const restart = ['exec', 'rolling-restart-nats', '--yes'];

async function pods(): Promise<V1Pod[]> {
  const all = await listObjects<V1Pod>(admin, 'v1', 'Pod', natsNamespace);
  return natsPods.flatMap((name) => all.filter(({ metadata }) => metadata?.name === name));
}

async function uids(): Promise<(string | undefined)[]> {
  return (await pods()).map(({ metadata }) => metadata?.uid);
}

/** What cannot change when nothing is lost; the sequence tells a stream that was emptied and filled again. */
async function held(): Promise<unknown[]> {
  return Promise.all(
    natsStreams.map(async (name) => {
      const info = await natsStream(name);
      return [name, info?.created, info?.state.messages, info?.state.last_seq];
    }),
  );
}

/** Which pods are away, over and over until the work is done. */
async function watchPods<T>(work: Promise<T>): Promise<{ readonly result: T; readonly most: number }> {
  let over = false;
  let most = 0;
  const sampler = (async () => {
    while (!over) {
      const there = (await pods()).filter(
        (pod) => pod.metadata?.deletionTimestamp === undefined && isReady(pod),
      );
      most = Math.max(most, natsPods.length - there.length);
    }
  })();
  try {
    return { result: await work, most };
  } finally {
    over = true;
    await sampler;
  }
}

function deleted(entries: Parameters<typeof accepted>[0]): string[] {
  return accepted(entries, { resource: 'pods', namespace: natsNamespace })
    .filter((text) => text.startsWith('delete '))
    .map((text) => text.slice('delete '.length));
}

describe('rolling-restart-nats', () => {
  test('replaces three pods, never two at a time, and both streams keep every message', async () => {
    for (const name of natsStreams) await publishToNats(name, 200);
    const [before, streams] = [await uids(), await held()];
    const audit = recordAudit(admin);
    const { result, most } = await watchPods<Finished>(createOperator(stack.kubeconfig).run(restart));
    expect(result.code, result.stderr).toBe(0);
    expect(most).toBe(1);
    const after = await uids();
    expect(after).toHaveLength(3);
    expect(after.filter((uid) => before.includes(uid))).toEqual([]);
    expect(await held()).toEqual(streams);
    expect(deleted(await audit.entries()).sort()).toEqual([...natsPods]);
    expect(result.stdout).toContain('203 messages on 3 of 3');
  });

  test('killed in and between its effects, then resumed, it deletes each pod exactly once', async () => {
    const [before, streams] = [await uids(), await held()];
    const audit = recordAudit(admin);
    const operator = createOperator(stack.kubeconfig);
    const story = async () => {
      const first = await operator.run(restart, { RUNBOOK_FAILPOINT: 'after:intended' });
      expect(first.signal, first.stderr).toBe('SIGKILL');
      const second = operator.start(['resume', 'last', '--yes', '--output', 'json']);
      await second.event((event) => event.type === 'progress' && event.text === 'waiting until it is gone');
      second.signal('SIGKILL');
      await second.finished;
      return operator.run(['resume', 'last', '--yes']);
    };
    const { result, most } = await watchPods(story());
    expect(result.code, result.stderr).toBe(0);
    expect(most).toBe(1);
    expect((await uids()).filter((uid) => before.includes(uid))).toEqual([]);
    expect(await held()).toEqual(streams);
    expect(deleted(await audit.entries()).sort()).toEqual([...natsPods]);
  });

  test('touches no pod while a stream is missing, and says who makes it', async () => {
    await deleteNatsStream('TerminateNvcaStream');
    const before = await uids();
    const { code, stderr } = await createOperator(stack.kubeconfig).run(restart);
    expect(code, stderr).toBe(4);
    expect(stderr).toContain('stream TerminateNvcaStream does not exist');
    expect(stderr).toContain('NATS_RECONNECT_ALLOWED=true');
    expect(await uids()).toEqual(before);
  });

  test('stops with two pods untouched when a stream is lost on the way, and a rollback says what is where', async () => {
    const before = await uids();
    const operator = createOperator(stack.kubeconfig);
    const running = operator.start([...restart, '--input', 'patience=10s', '--output', 'json']);
    await running.event((event) => event.type === 'progress' && event.text === 'waiting until it is gone');
    await deleteNatsStream('CreateNvcaFunctionTaskStream');
    const { code, stderr } = await running.finished;
    expect(code, stderr).toBe(1);
    expect((await uids()).filter((uid) => before.includes(uid))).toHaveLength(2);
    const undone = await operator.run(['rollback', 'last', '--yes']);
    expect(undone.code, undone.stderr).toBe(6);
    expect(undone.stderr).toContain('A deleted pod does not come back');
    expect((await uids()).filter((uid) => before.includes(uid))).toHaveLength(2);
  });

  test('restart-service for NATS goes the same way', async () => {
    const [before, streams] = [await uids(), await held()];
    const { result, most } = await watchPods<Finished>(
      createOperator(stack.kubeconfig).run(['exec', 'restart-service', '--input', 'service=nats', '--yes']),
    );
    expect(result.code, result.stderr).toBe(0);
    expect(most).toBe(1);
    expect((await uids()).filter((uid) => before.includes(uid))).toEqual([]);
    expect(await held()).toEqual(streams);
  });
});

describe('nats-state', () => {
  test('says that all is well, and that a stream is missing, and exits accordingly', async () => {
    const operator = createOperator(stack.kubeconfig);
    const well = await operator.run(['exec', 'nats-state', '--yes']);
    expect(well.code, well.stderr).toBe(0);
    expect(well.stdout).toMatch(/status: 3 of 3 healthy, nats-\d leads, cluster of 3/);
    await deleteNatsStream('CreateNvcaFunctionTaskStream');
    const missing = await operator.run(['exec', 'nats-state', '--yes']);
    expect(missing.code, missing.stderr).toBe(1);
    expect(missing.stderr).toContain('stream CreateNvcaFunctionTaskStream does not exist');
  });

  test('all pods at once: the streams are gone, and nobody says otherwise', async () => {
    await Promise.all(natsPods.map((pod) => killPod(natsNamespace, pod)));
    await waitForWorkloads(admin, 120);
    const { code, stderr } = await createOperator(stack.kubeconfig).run(['exec', 'nats-state', '--yes']);
    expect(code, stderr).toBe(1);
    for (const name of natsStreams) expect(stderr).toContain(`stream ${name} does not exist`);
  });
});
