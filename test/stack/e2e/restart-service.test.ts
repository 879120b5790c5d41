import type { V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Connection, connect, listObjects } from '../api.ts';
import { ensureUp, openBaoStatus, openbaoPods, raftVoters, reset, type Stack } from '../control.ts';
import { accepted, recordAudit } from './audit.ts';
import { createOperator, type Finished, showRun } from './rig.ts';
import { deployment, revision, revisionsOf } from './workload.ts';

let stack: Stack;
let admin: Connection;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
});

afterAll(reset);

test('restart-service restarts nvcf-api by one rollout, marks it with the operation, and its journal verifies', async () => {
  const target = { namespace: 'nvcf', name: 'nvcf-api' };
  const before = await revisionsOf(admin, target);
  const generation = (await deployment(admin, target)).metadata?.generation ?? 0;
  const audit = recordAudit(admin);
  const operator = createOperator(stack.kubeconfig);
  const { code, stderr } = await operator.run([
    'exec',
    'restart-service.yaml',
    '--input',
    'service=nvcf-api',
    '--yes',
  ]);
  expect(code, stderr).toBe(0);

  const { events } = await showRun(operator);
  const intended = events.flatMap((event) => (event.type === 'intended' ? [event] : []));
  expect(intended.map(({ id }) => id)).toEqual(['restart/rolling']);
  const after = await deployment(admin, target);
  expect(after.spec?.template.metadata?.annotations?.['runbook.io/op']).toBe(intended[0]?.operationKey);
  expect(after.metadata?.generation).toBe(generation + 1);
  expect(after.status).toMatchObject({ observedGeneration: generation + 1, readyReplicas: 1, replicas: 1 });

  const revisions = await revisionsOf(admin, target);
  const known = new Set(before.map(({ metadata }) => metadata?.uid));
  const made = revisions.filter(({ metadata }) => !known.has(metadata?.uid));
  expect(made.map(revision)).toEqual([Math.max(...before.map(revision)) + 1]);
  const entries = await audit.entries();
  expect(accepted(entries, { resource: 'deployments', namespace: 'nvcf' })).toEqual(['patch nvcf-api']);

  const verified = await operator.run(['verify', 'last', '--cluster']);
  expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('the Lease has seen') });
});

interface Sample {
  readonly away: readonly string[];
  readonly states: readonly string[];
}

function openbaoPodList(): Promise<V1Pod[]> {
  return listObjects<V1Pod>(admin, 'v1', 'Pod', 'vault-system').then((pods) =>
    pods
      .filter(({ metadata }) => openbaoPods.some((name) => name === metadata?.name))
      .sort((a, b) => (a.metadata?.name ?? '').localeCompare(b.metadata?.name ?? '')),
  );
}

async function openbaoUids(): Promise<(string | undefined)[]> {
  return (await openbaoPodList()).map(({ metadata }) => metadata?.uid);
}

/** Looks at the three pods over and over until the work is done: who is sealed, silent, leaving or not there? */
async function watchOpenBao<T>(
  work: Promise<T>,
): Promise<{ readonly result: T; readonly samples: Sample[] }> {
  let over = false;
  const samples: Sample[] = [];
  const sampler = (async () => {
    while (!over) {
      const [pods, states] = await Promise.all([openbaoPodList(), openBaoStatus()]);
      const present = new Set(
        pods.filter((pod) => pod.metadata?.deletionTimestamp === undefined).map((pod) => pod.metadata?.name),
      );
      const away = states.filter(({ pod, sealed }) => sealed !== false || !present.has(pod));
      samples.push({
        away: away.map(({ pod }) => pod),
        states: states.map((state) => JSON.stringify(state)),
      });
    }
  })();
  try {
    return { result: await work, samples };
  } finally {
    over = true;
    await sampler;
  }
}

async function activePod(): Promise<string | undefined> {
  return (await openBaoStatus()).find(({ active }) => active)?.pod;
}

/** In the order in which the API server was asked to delete them. */
function deletedPods(entries: Parameters<typeof accepted>[0]): string[] {
  return accepted(entries, { resource: 'pods', namespace: 'vault-system' })
    .filter((text) => text.startsWith('delete '))
    .map((text) => text.slice('delete '.length));
}

async function expectWhole(): Promise<void> {
  const states = await openBaoStatus();
  expect(states.map(({ sealed }) => sealed)).toEqual([false, false, false]);
  expect((await raftVoters()).sort()).toEqual([...openbaoPods]);
}

function mostAway(samples: readonly Sample[]): Sample | undefined {
  return [...samples].sort((a, b) => b.away.length - a.away.length)[0];
}

const restartOpenBao = ['exec', 'restart-service', '--input', 'service=openbao', '--yes'];

describe('restart-service for OpenBao', () => {
  test('replaces three pods, the active one last, and never is more than one sealed or away', async () => {
    const before = await openbaoUids();
    const active = await activePod();
    const audit = recordAudit(admin);
    const operator = createOperator(stack.kubeconfig);
    const { result, samples } = await watchOpenBao<Finished>(operator.run(restartOpenBao));
    expect(result.code, result.stderr).toBe(0);

    const worst = mostAway(samples);
    expect(worst?.away.length, JSON.stringify(worst)).toBe(1);
    expect(samples.length).toBeGreaterThan(20);
    await expectWhole();
    const after = await openbaoUids();
    expect(after).toHaveLength(3);
    expect(after.filter((uid) => before.includes(uid))).toEqual([]);
    const deleted = deletedPods(await audit.entries());
    expect([...deleted].sort()).toEqual([...openbaoPods]);
    expect(deleted.at(-1)).toBe(active);
  });

  test('killed before, in and between its effects, then resumed, it deletes each pod exactly once', async () => {
    const before = await openbaoUids();
    const audit = recordAudit(admin);
    const operator = createOperator(stack.kubeconfig);
    const story = async () => {
      const first = await operator.run(restartOpenBao, { RUNBOOK_FAILPOINT: 'after:intended' });
      expect(first.signal, first.stderr).toBe('SIGKILL');

      const second = operator.start(['resume', 'last', '--yes', '--output', 'json']);
      await second.event((event) => event.type === 'progress' && event.text === 'waiting until it is gone');
      second.signal('SIGKILL');
      expect((await second.finished).signal).toBe('SIGKILL');

      const third = operator.start(['resume', 'last', '--yes', '--output', 'json']);
      // Where an election came first, no pod has leadership to give up: then before the last one is replaced.
      const led = new Set<string>();
      await third.event((event) => {
        if (!('id' in event) || !event.id.endsWith('/stepDown')) return false;
        if (event.type === 'skipped') led.add(event.id);
        return event.type === 'intended' || led.size === 2;
      });
      third.signal('SIGKILL');
      expect((await third.finished).signal).toBe('SIGKILL');
      return operator.run(['resume', 'last', '--yes']);
    };
    const { result, samples } = await watchOpenBao(story());
    expect(result.code, result.stderr).toBe(0);

    const worst = mostAway(samples);
    expect(worst?.away.length, JSON.stringify(worst)).toBe(1);
    await expectWhole();
    expect((await openbaoUids()).filter((uid) => before.includes(uid))).toEqual([]);
    expect(deletedPods(await audit.entries()).sort()).toEqual([...openbaoPods]);
    expect((await operator.run(['verify', 'last', '--cluster'])).code).toBe(0);
  });
});
