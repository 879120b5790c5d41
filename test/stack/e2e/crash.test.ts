import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Connection, connect } from '../api.ts';
import { ensureUp, type Stack } from '../control.ts';
import { accepted, type Recording, recordAudit } from './audit.ts';
import { createOperator, type Operator, showRun } from './rig.ts';
import {
  createNamespace,
  createWorkload,
  deployment,
  removeNamespace,
  revisionsOf,
  settled,
  shapeOf,
  type Workload,
} from './workload.ts';

let stack: Stack;
let admin: Connection;
let namespace: string;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
  namespace = await createNamespace(admin, 'crash');
});

afterAll(() => removeNamespace(admin, namespace));

function changeThings({ namespace, name }: Workload): string {
  const target = `kind: Deployment, name: ${name}, namespace: ${namespace}`;
  return `apiVersion: runbook/v1
name: change-things
title: Change three things
description: Scale, set a variable, restart.
risk: low
locks: [${namespace}/${name}]
steps:
  - id: more
    name: One pod more
    uses: kubectl.scale
    with: {${target}, replicas: 2}
    timeout: 2m
  - id: colour
    name: Another colour
    uses: kubectl.set-env
    with: {${target}, container: main, env: {COLOR: green}}
    timeout: 2m
  - id: restart
    name: Restart
    uses: kubectl.rollout-restart
    with: {${target}}
    timeout: 2m
verifications:
  - id: all
    name: Both pods are ready
    uses: kubectl.pods
    with: {namespace: ${namespace}, selector: app=${name}}
    expect: outputs.count == 2 && outputs.pods.all(p, p.ready)
    until: {within: 1m, every: 1s}
`;
}

/** A new pod template whose probe lets nobody be ready for so many seconds. */
function slowChange({ namespace: where, name }: Workload, seconds: number): string {
  const probe = { exec: { command: ['/bin/true'] }, initialDelaySeconds: seconds, periodSeconds: 1 };
  const patch = { spec: { template: { spec: { containers: [{ name: 'main', readinessProbe: probe }] } } } };
  return `apiVersion: runbook/v1
name: slow-change
title: A slow change
description: Changes the pod template of one Deployment.
risk: low
locks: [${where}/${name}]
steps:
  - id: probe
    name: Probe the container
    uses: kubectl.patch
    with: {kind: Deployment, name: ${name}, namespace: ${where}, patch: ${JSON.stringify(patch)}}
    timeout: 2m
`;
}

interface Scene {
  readonly workload: Workload;
  readonly operator: Operator;
  readonly file: string;
  readonly audit: Recording;
}

async function scene(name: string): Promise<Scene> {
  const workload = await createWorkload(admin, namespace, name);
  const operator = createOperator(stack.kubeconfig);
  return {
    workload,
    operator,
    file: operator.write('change.yaml', changeThings(workload)),
    audit: recordAudit(admin),
  };
}

/** Effects on the Deployment that the API server accepted, in the order of its log. */
async function effects({ workload, audit }: Scene): Promise<string[]> {
  const target = { resource: 'deployments', namespace: workload.namespace };
  return accepted(await audit.entries(), target).filter((text) => text.endsWith(` ${workload.name}`));
}

// What a run without any crash leaves behind.
const finalShape = {
  replicas: 2,
  containers: [expect.objectContaining({ env: [{ name: 'COLOR', value: 'green' }] })],
};

/** Places within the run, about evenly spread, the remainder up to the seed. */
function places(count: number, seed: number): number[] {
  const [first, last] = [3, 50];
  const stride = (last - first) / count;
  return Array.from({ length: count }, (_, n) =>
    Math.floor(first + n * stride + (seed % Math.floor(stride))),
  );
}

const seed = Date.now() % 1000;

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 6 }, worker));
}

describe(`killed with SIGKILL (seed ${seed})`, () => {
  test('without a crash, each effect happens once', async () => {
    const here = await scene('calm');
    const { code, stderr } = await here.operator.run(['exec', here.file, '--yes']);
    expect(code, stderr).toBe(0);
    const after = await settled(admin, here.workload);
    expect(shapeOf(after)).toMatchObject(finalShape);
    expect(await effects(here)).toEqual(['patch calm', 'patch calm', 'patch calm']);
    expect(await revisionsOf(admin, here.workload)).toHaveLength(3);
  });

  test('at ten places and resumed, it ends as if nothing had happened, each effect once', async () => {
    await inParallel(places(10, seed), async (place) => {
      const here = await scene(`resume-${place}`);
      const killed = await here.operator.run(['exec', here.file, '--yes'], {
        RUNBOOK_FAILPOINT: String(place),
      });
      expect(killed.signal, `place ${place} with seed ${seed}: ${killed.stderr}`).toBe('SIGKILL');
      const resumed = await here.operator.run(['resume', 'last']);
      const told = `place ${place} with seed ${seed}\n${killed.stderr}\n${resumed.stderr}`;
      expect(resumed.code, told).toBe(0);
      const after = await settled(admin, here.workload);
      expect(shapeOf(after), told).toMatchObject(finalShape);
      const patch = `patch ${here.workload.name}`;
      expect(await effects(here), told).toEqual([patch, patch, patch]);
      expect(await revisionsOf(admin, here.workload), told).toHaveLength(3);
      expect((await here.operator.run(['verify', 'last', '--cluster'])).code, told).toBe(0);
    });
  });

  test('at five places and rolled back, everything is as it was', async () => {
    await inParallel(places(5, seed), async (place) => {
      const here = await scene(`back-${place}`);
      const before = shapeOf(await deployment(admin, here.workload));
      const killed = await here.operator.run(['exec', here.file, '--yes'], {
        RUNBOOK_FAILPOINT: String(place),
      });
      expect(killed.signal, `place ${place} with seed ${seed}: ${killed.stderr}`).toBe('SIGKILL');
      const back = await here.operator.run(['rollback', 'last', '--yes']);
      const told = `place ${place} with seed ${seed}\n${killed.stderr}\n${back.stderr}`;
      expect(back.code, told).toBe(5);
      expect(shapeOf(await settled(admin, here.workload)), told).toEqual(before);
      const { events } = await showRun(here.operator);
      const last = events.at(-1);
      expect(last, told).toMatchObject({ type: 'run-finished', outcome: 'rolled-back' });
    });
  });
});

describe('told to stop', () => {
  async function stopOnce(signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
    const here = await scene(signal.toLowerCase());
    const run = here.operator.start(['exec', here.file, '--yes', '--output', 'json']);
    await run.event((event) => event.type === 'intended' && event.id === 'colour');
    run.signal(signal);
    const { code, events, stderr } = await run.finished;
    expect(code, stderr).toBe(130);
    expect(
      events.filter(({ type }) => type === 'intended').map((event) => 'id' in event && event.id),
    ).toEqual(['more', 'colour']);
    expect(await effects(here)).toHaveLength(2);
    const resumed = await here.operator.run(['resume', 'last']);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(shapeOf(await settled(admin, here.workload))).toMatchObject(finalShape);
    expect(await effects(here)).toHaveLength(3);
  }

  test('once, it finishes the change it is at and exits 130; resume does the rest', async () => {
    await Promise.all([stopOnce('SIGINT'), stopOnce('SIGTERM')]);
  });

  test('twice, it lets the running rollout alone and exits 130 soon; rollback puts everything back', async () => {
    const here = await scene('twice');
    const before = shapeOf(await deployment(admin, here.workload));
    const file = here.operator.write('slow.yaml', slowChange(here.workload, 10));
    const run = here.operator.start(['exec', file, '--yes', '--output', 'json']);
    await run.event((event) => event.type === 'progress' && event.text.includes('old pods'));
    run.signal('SIGINT');
    await run.event((event) => event.type === 'interrupted' && event.count === 1);
    const second = Date.now();
    run.signal('SIGINT');
    const { code, stderr } = await run.finished;
    expect(code, stderr).toBe(130);
    expect(Date.now() - second).toBeLessThan(5_000);
    const back = await here.operator.run(['rollback', 'last', '--yes']);
    expect(back.code, back.stderr).toBe(5);
    expect(shapeOf(await settled(admin, here.workload))).toEqual(before);
  });

  test('three times, it is over at once and says that the outcome is unknown; resume finds it out', async () => {
    const here = await scene('thrice');
    const file = here.operator.write('slow.yaml', slowChange(here.workload, 3));
    const run = here.operator.start(['exec', file, '--yes', '--output', 'json']);
    await run.event((event) => event.type === 'progress' && event.text.includes('old pods'));
    for (let count = 1; count <= 3; count += 1) run.signal('SIGINT');
    const { code, stdout } = await run.finished;
    expect(code, stdout).toBe(130);
    const resumed = await here.operator.run(['resume', 'last']);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(await effects(here)).toEqual(['patch thrice']);
  });
});
