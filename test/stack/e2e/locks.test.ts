import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Connection, connect } from '../api.ts';
import { ensureUp, type Stack } from '../control.ts';
import { accepted, recordAudit } from './audit.ts';
import { createOperator, showRun } from './rig.ts';
import { createNamespace, createWorkload, removeNamespace, settled, type Workload } from './workload.ts';

let stack: Stack;
let admin: Connection;
let namespace: string;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
  namespace = await createNamespace(admin, 'locks');
});

afterAll(() => removeNamespace(admin, namespace));

// Slow enough that a second operator meets it: a pod counts only after three seconds.
function slowRestart({ namespace: where, name }: Workload): string {
  return `apiVersion: runbook/v1
name: restart-slowly
title: Restart slowly
description: A rolling restart that takes a while.
risk: low
locks: [${where}/${name}]
steps:
  - id: restart
    name: Restart
    uses: kubectl.rollout-restart
    with: {kind: Deployment, name: ${name}, namespace: ${where}}
    timeout: 2m
`;
}

test('of two runs at the same time one proceeds; the other exits 8 and names holder and run', async () => {
  const workload = await createWorkload(admin, namespace, 'shared', { minReadySeconds: 3 });
  const audit = recordAudit(admin);
  const operators = [createOperator(stack.kubeconfig), createOperator(stack.kubeconfig)];
  const ended = await Promise.all(
    operators.map((operator) =>
      operator.run(['exec', operator.write('slow.yaml', slowRestart(workload)), '--yes']),
    ),
  );
  const told = ended.map(({ stderr }) => stderr).join('\n');
  expect(ended.map(({ code }) => code).sort(), told).toEqual([0, 8]);
  const winner = ended.findIndex(({ code }) => code === 0);
  const { run } = await showRun(operators[winner] ?? createOperator(undefined));
  expect(ended[1 - winner]?.stderr).toContain(`held by run ${run} (runbook-admin on `);
  const target = { resource: 'deployments', namespace };
  expect(accepted(await audit.entries(), target)).toEqual(['patch shared']);
});

test('after kill -9 resume takes its own lock over at once; others cannot unlock without force and the right run', async () => {
  const workload = await createWorkload(admin, namespace, 'abandoned', { minReadySeconds: 3 });
  const lock = `${namespace}/abandoned`;
  const operator = createOperator(stack.kubeconfig);
  const file = operator.write('slow.yaml', slowRestart(workload));
  const killed = operator.start(['exec', file, '--yes', '--output', 'json']);
  const { run } = (await killed.event(({ type }) => type === 'run-opened')) as unknown as { run: string };
  await killed.event(({ type }) => type === 'intended');
  killed.signal('SIGKILL');
  await killed.finished;

  const other = createOperator(stack.kubeconfig);
  const unforced = await other.run(['unlock', lock]);
  expect(unforced).toMatchObject({ code: 2, stderr: expect.stringContaining(`held by run ${run}`) });
  expect(unforced.stderr).toContain('--force');
  const mistyped = await other.run(['unlock', lock, '--force', '--run', '20200101-000000-aaaa']);
  expect(mistyped).toMatchObject({ code: 2, stderr: expect.stringContaining('nothing was removed') });
  const unnamed = await other.run(['unlock', lock, '--force']);
  expect(unnamed).toMatchObject({ code: 2, stderr: expect.stringContaining('--run') });

  const started = Date.now();
  const resumed = operator.start(['resume', 'last', '--output', 'json']);
  const locked = await resumed.event(({ type }) => type === 'locked');
  // A foreign lock would be watched for a minute first.
  expect(locked.arrived - started).toBeLessThan(5_000);
  expect((await resumed.finished).code).toBe(0);
  await settled(admin, workload);
});

test('unlock with force and the run frees the lock of a dead run for the next operator', async () => {
  const workload = await createWorkload(admin, namespace, 'freed');
  const dead = createOperator(stack.kubeconfig);
  const killed = await dead.run(['exec', dead.write('slow.yaml', slowRestart(workload)), '--yes'], {
    RUNBOOK_FAILPOINT: 'before:intended',
  });
  expect(killed.signal, killed.stderr).toBe('SIGKILL');
  const { run } = await showRun(dead);

  const next = createOperator(stack.kubeconfig);
  const unlocked = await next.run(['unlock', `${namespace}/freed`, '--force', '--run', run]);
  expect(unlocked).toMatchObject({ code: 0, stderr: expect.stringContaining('removed') });
  const { code, stderr } = await next.run(['exec', next.write('slow.yaml', slowRestart(workload)), '--yes']);
  expect(code, stderr).toBe(0);
  expect((await next.run(['unlock', `${namespace}/freed`])).stderr).toContain('nobody holds');
});
