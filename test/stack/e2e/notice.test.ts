import { type V1Deployment, type V1Pod, Watch } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Connection, connect, isSettled } from '../api.ts';
import { ensureUp, type Stack } from '../control.ts';
import { say } from '../shell.ts';
import { createOperator } from './rig.ts';
import { createNamespace, createWorkload, removeNamespace, type Workload } from './workload.ts';

let stack: Stack;
let admin: Connection;
let namespace: string;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
  namespace = await createNamespace(admin, 'notice');
});

afterAll(() => removeNamespace(admin, namespace));

interface Witness {
  /** When the API server last showed something that the end of the rollout had to wait for. */
  finishedAt(): number;
  stop(): void;
}

/** A client of our own, which notes when the rollout was over: the Deployment settled, no older pod left. */
async function witness({ namespace: where, name }: Workload): Promise<Witness> {
  const watch = new Watch(admin.config);
  const times: number[] = [];
  const deployments = await watch.watch(
    `/apis/apps/v1/namespaces/${where}/deployments`,
    { fieldSelector: `metadata.name=${name}` },
    (_type, found: V1Deployment) => {
      if (isSettled(found)) times.push(Date.now());
    },
    () => undefined,
  );
  const pods = await watch.watch(
    `/api/v1/namespaces/${where}/pods`,
    { labelSelector: `app=${name}` },
    (type, _found: V1Pod) => {
      if (type === 'DELETED') times.push(Date.now());
    },
    () => undefined,
  );
  return {
    finishedAt: () => Math.max(...times),
    stop: () => {
      deployments.abort();
      pods.abort();
    },
  };
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

test('a finished rollout is noticed when the API server shows it', async () => {
  const workload = await createWorkload(admin, namespace, 'web', { replicas: 2 });
  const operator = createOperator(stack.kubeconfig);
  const file = operator.write(
    'restart.yaml',
    `apiVersion: runbook/v1
name: restart-web
title: Restart web
description: A rolling restart.
risk: low
locks: [${namespace}/web]
steps:
  - id: restart
    name: Restart web
    uses: kubectl.rollout-restart
    with: {kind: Deployment, name: web, namespace: ${namespace}}
    timeout: 2m
`,
  );
  const delays: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const eye = await witness(workload);
    const run = operator.start(['exec', file, '--yes', '--output', 'json']);
    const result = await run.event((event) => event.type === 'result' && event.id === 'restart');
    const { code, stderr } = await run.finished;
    eye.stop();
    expect(code, stderr).toBe(0);
    delays.push(result.arrived - eye.finishedAt());
  }
  say(`a finished rollout was noticed after ${delays.join(', ')} ms; median ${median(delays)} ms`);
  expect(Math.max(...delays)).toBeLessThan(2_000);
  // Never before it was over, but for the order in which two programs read the same news.
  expect(Math.min(...delays)).toBeGreaterThan(-100);
});
