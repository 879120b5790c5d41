import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Connection, connect } from '../api.ts';
import { ensureUp, restartApiServer, type Stack, startApiServer, stopApiServer } from '../control.ts';
import { accepted, recordAudit } from './audit.ts';
import { createOperator, stackTraceIn } from './rig.ts';
import {
  createNamespace,
  createWorkload,
  deployment,
  podsOf,
  removeNamespace,
  settled,
  shapeOf,
} from './workload.ts';

let stack: Stack;
let admin: Connection;
let namespace: string;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
  namespace = await createNamespace(admin, 'trouble');
});

afterAll(() => removeNamespace(admin, namespace));

interface Change {
  readonly uses: 'kubectl.patch' | 'kubectl.set-env' | 'kubectl.rollout-restart';
  readonly with?: string;
  readonly timeout?: string;
}

function oneChange(name: string, { uses, with: input, timeout = '2m' }: Change): string {
  return `apiVersion: runbook/v1
name: one-change
title: One change
description: Changes one Deployment and puts it back if that fails.
risk: low
locks: [${namespace}/${name}]
steps:
  - id: change
    name: Change ${name}
    uses: ${uses}
    with: {kind: Deployment, name: ${name}, namespace: ${namespace}${input === undefined ? '' : `, ${input}`}}
    timeout: ${timeout}
    onFailure: rollback
`;
}

function patchContainer(container: object): string {
  const patch = { spec: { template: { spec: { containers: [{ name: 'main', ...container }] } } } };
  return `wait: true, patch: ${JSON.stringify(patch)}`;
}

describe('a rollout that cannot end well is named for what it is, and rolled back', () => {
  const last = 'config: no such table quota';
  const troubles = [
    {
      name: 'crash-loop',
      // Without a probe such a container is called ready for the moment that it runs.
      change: patchContainer({ command: ['/bin/sh', '-c', `echo '${last}'; exit 3`], readinessProbe: null }),
      says: ['crash', 'main', last],
    },
    {
      name: 'image-pull',
      change: patchContainer({ image: 'runbook.local/no-such-image:9' }),
      says: ['image', 'main', 'runbook.local/no-such-image:9'],
    },
    {
      name: 'hanging',
      change: patchContainer({
        readinessProbe: { exec: { command: ['/bin/false'] }, periodSeconds: 1 },
        command: ['/bin/sh', '-c', `trap 'exit 0' TERM; echo '${last}'; while :; do sleep 1; done`],
      }),
      timeout: '8s',
      says: ['(main)', 'waiting for hanging-', last, 'Readiness probe failed'],
    },
  ];
  async function tryIt({ name, change, timeout, says }: (typeof troubles)[number]): Promise<void> {
    const workload = await createWorkload(admin, namespace, name);
    const before = shapeOf(await deployment(admin, workload));
    const operator = createOperator(stack.kubeconfig);
    const text = oneChange(name, { uses: 'kubectl.patch', with: change, ...(timeout && { timeout }) });
    const { code, stdout, stderr } = await operator.run([
      'exec',
      operator.write('change.yaml', text),
      '--yes',
    ]);
    expect(code, `${name}: ${stderr}`).toBe(5);
    expect(stackTraceIn(`${stdout}\n${stderr}`)).toBeUndefined();
    const failure = stderr.slice(stderr.search(/failed once|FAILED/));
    for (const part of says) expect(failure.toLowerCase()).toContain(part.toLowerCase());
    expect(failure).toMatch(new RegExp(`\\b${name}-[a-z0-9]+-[a-z0-9]{5}\\b`));
    const after = await settled(admin, workload);
    expect(shapeOf(after)).toEqual(before);
    expect(await podsOf(admin, workload)).toHaveLength(1);
  }

  test('crash loop, missing image, hanging probe', () => Promise.all(troubles.map(tryIt)));
});

test('a run survives a restart of the API server in the middle of its rollout', async () => {
  const workload = await createWorkload(admin, namespace, 'survivor', { replicas: 2, minReadySeconds: 3 });
  const audit = recordAudit(admin);
  const operator = createOperator(stack.kubeconfig);
  const file = operator.write('restart.yaml', oneChange('survivor', { uses: 'kubectl.rollout-restart' }));
  const run = operator.start(['exec', file, '--yes', '--output', 'json']);
  await run.event((event) => event.type === 'progress' && /pods (updated|still to end)/.test(event.text));
  await restartApiServer();
  const { code, events, stdout, stderr } = await run.finished;
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  expect(events.filter(({ type }) => type === 'attempt-failed')).toEqual([]);
  await settled(admin, workload);
  const target = { resource: 'deployments', namespace };
  const patches = accepted(await audit.entries(), target).filter((text) => text === 'patch survivor');
  expect(patches).toHaveLength(1);
});

test('while the API server is away nothing goes on, and every command says so; then resume finishes', async () => {
  const workload = await createWorkload(admin, namespace, 'cut-off');
  const audit = recordAudit(admin);
  const operator = createOperator(stack.kubeconfig);
  const file = operator.write('restart.yaml', oneChange('cut-off', { uses: 'kubectl.rollout-restart' }));
  const killed = await operator.run(['exec', file, '--yes'], { RUNBOOK_FAILPOINT: 'after:intended' });
  expect(killed.signal, killed.stderr).toBe('SIGKILL');
  await stopApiServer();
  try {
    const commands = [
      ['resume', 'last'],
      ['verify', 'last', '--cluster'],
      ['plan', file],
    ];
    for (const command of commands) {
      const { code, stdout, stderr } = await operator.run(command);
      expect({ command, code, trace: stackTraceIn(`${stdout}\n${stderr}`) }, stderr).toEqual({
        command,
        code: 4,
        trace: undefined,
      });
      expect(`${stdout}\n${stderr}`).toContain('the connection was refused');
    }
    expect((await operator.run(['verify', 'last'])).code).toBe(0);
  } finally {
    await startApiServer();
  }
  const resumed = await operator.run(['resume', 'last']);
  expect(resumed.code, resumed.stderr).toBe(0);
  await settled(admin, workload);
  const patches = accepted(await audit.entries(), { resource: 'deployments', namespace });
  expect(patches.filter((text) => text === 'patch cut-off')).toHaveLength(1);
});

test('an object that somebody deletes during the step ends the run with that cause', async () => {
  const workload = await createWorkload(admin, namespace, 'deleted', { minReadySeconds: 10 });
  const operator = createOperator(stack.kubeconfig);
  const file = operator.write('restart.yaml', oneChange('deleted', { uses: 'kubectl.rollout-restart' }));
  const run = operator.start(['exec', file, '--yes', '--output', 'json']);
  await run.event((event) => event.type === 'progress' && event.text.includes('old pods'));
  await admin.objects.delete({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { ...workload } });
  const { code, stdout, stderr } = await run.finished;
  expect(code).toBeGreaterThan(0);
  expect([70, 74]).not.toContain(code);
  expect(stdout).toContain(`Deployment ${namespace}/deleted was deleted`);
  expect(stackTraceIn(`${stdout}\n${stderr}`)).toBeUndefined();
});
