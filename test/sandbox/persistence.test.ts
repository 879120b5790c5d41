import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { parseFault } from '../../src/sandbox/faults.ts';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { at, never, until, workload } from './rig.ts';

const folders: string[] = [];

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'sandbox-'));
  folders.push(made);
  return made;
}

afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
});

const worldOf = (dir: string) => path.join(dir, 'world.jsonl');

async function everything(sandbox: Sandbox): Promise<string> {
  const { kubernetes, clock } = sandbox.services;
  const lists = [];
  for (const kind of [
    kinds.pods,
    kinds.deployments,
    kinds.replicaSets,
    kinds.statefulSets,
    kinds.events,
    kinds.leases,
  ])
    lists.push(await kubernetes.list(kind, {}));
  return JSON.stringify([clock.now(), lists]);
}

/** A restart of a service, another of an OpenBao pod, and a lease: some of it finished, some of it under way. */
async function work(sandbox: Sandbox): Promise<void> {
  const { kubernetes, clock } = sandbox.services;
  await kubernetes.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'lab' } });
  await kubernetes.create(workload('Deployment', { replicas: 2 }));
  await until(sandbox, kinds.deployments, ([found]) => at(found, 'status', 'readyReplicas') === 2);
  await kubernetes.delete({ kind: kinds.pods, namespace: 'vault-system', name: 'openbao-server-0' }, {});
  await clock.sleep(7_000, never);
  await kubernetes
    .patch(
      { kind: kinds.deployments, namespace: 'lab', name: 'app' },
      { type: 'merge', body: { spec: { replicas: 3 } }, resourceVersion: '1' },
    )
    .catch(() => undefined);
  await kubernetes.patch(
    { kind: kinds.deployments, namespace: 'lab', name: 'app' },
    { type: 'merge', body: { spec: { replicas: 3 } } },
  );
  await clock.sleep(150, never);
}

describe('the world outlives its process', () => {
  test('a second process finds everything as it was, what was under way included', async () => {
    const dir = folder();
    const first = openSandbox({ seed: 3, dir });
    await work(first);
    const before = await everything(first);
    const second = openSandbox({ seed: 3, dir });
    expect(await everything(second)).toBe(before);
    await Promise.all([first, second].map((sandbox) => sandbox.services.clock.sleep(300_000, never)));
    expect(await everything(second)).toBe(await everything(first));
  });

  test('cut after any line, it comes back as it was then', async () => {
    const dir = folder();
    await work(openSandbox({ seed: 3, dir }));
    const lines = readFileSync(worldOf(dir), 'utf8').split('\n').slice(0, -1);
    expect(lines.length).toBeGreaterThan(10);
    let last = 0;
    for (let kept = 1; kept <= lines.length; kept += 1) {
      const cut = folder();
      writeFileSync(worldOf(cut), `${lines.slice(0, kept).join('\n')}\n`);
      const now = openSandbox({ seed: 3, dir: cut }).services.clock.now();
      const record = JSON.parse(lines[kept - 1] ?? '{}') as { t?: number };
      expect(now).toBe(Math.max(last, record.t ?? now));
      last = now;
    }
  });

  test('a torn last line is cut off, and what follows is written behind the last whole one', async () => {
    const dir = folder();
    const sandbox = openSandbox({ seed: 3, dir });
    await sandbox.services.clock.sleep(1_000, never);
    const whole = readFileSync(worldOf(dir), 'utf8');
    appendFileSync(worldOf(dir), '{"t":17676061');
    const again = openSandbox({ seed: 3, dir });
    expect(readFileSync(worldOf(dir), 'utf8')).toBe(whole);
    await again.services.clock.sleep(1_000, never);
    expect(readFileSync(worldOf(dir), 'utf8').startsWith(whole)).toBe(true);
    expect(openSandbox({ seed: 3, dir }).services.clock.now()).toBe(again.services.clock.now());
  });

  test('damage in the middle is refused with its place', async () => {
    const dir = folder();
    const sandbox = openSandbox({ seed: 3, dir });
    await sandbox.services.clock.sleep(1_000, never);
    await sandbox.services.clock.sleep(1_000, never);
    const lines = readFileSync(worldOf(dir), 'utf8').split('\n');
    lines[1] = '{"t":';
    writeFileSync(worldOf(dir), lines.join('\n'));
    expect(() => openSandbox({ seed: 3, dir })).toThrow(/world\.jsonl, is damaged in line 2/);
  });

  test('another seed is refused, and so is another world', async () => {
    const dir = folder();
    openSandbox({ seed: 3, dir });
    expect(() => openSandbox({ seed: 4, dir })).toThrow(/"seed":3/);
    expect(() => openSandbox({ seed: 3, dir, nvcaOperator: false })).toThrow(/nvcaOperator/);
  });

  test('a change is in the file before it is answered; a read leaves no line', async () => {
    const dir = folder();
    const { kubernetes } = openSandbox({ seed: 3, dir }).services;
    const size = () => statSync(worldOf(dir)).size;
    const begun = size();
    await kubernetes.list(kinds.pods, {});
    await kubernetes.dryRunPatch(
      { kind: kinds.deployments, namespace: 'nvcf', name: 'nvcf-api' },
      { type: 'merge', body: { spec: { replicas: 5 } } },
    );
    await kubernetes.canI([{ system: 'kubernetes', verb: 'get', group: '', resource: 'pods' }]);
    await kubernetes.execRead(
      {
        namespace: 'vault-system',
        pod: 'openbao-server-0',
        container: 'openbao',
        command: ['bao', 'status'],
      },
      never,
    );
    expect(size()).toBe(begun);
    await kubernetes.patch(
      { kind: kinds.deployments, namespace: 'nvcf', name: 'nvcf-api' },
      { type: 'merge', body: { spec: { replicas: 5 } } },
    );
    expect(readFileSync(worldOf(dir), 'utf8')).toContain('{\\"spec\\":{\\"replicas\\":5}}');
  });

  test('is readable by its owner alone', () => {
    const dir = folder();
    openSandbox({ seed: 3, dir });
    expect(statSync(worldOf(dir)).mode & 0o777).toBe(0o600);
  });

  test('a copy of the folder is a world of its own', async () => {
    const dir = folder();
    const first = openSandbox({ seed: 3, dir });
    await first.services.clock.sleep(5_000, never);
    const copy = folder();
    cpSync(worldOf(dir), worldOf(copy));
    const second = openSandbox({ seed: 3, dir: copy });
    await second.services.clock.sleep(5_000, never);
    expect(second.services.clock.now() - first.services.clock.now()).toBe(5_000);
  });

  test('nothing is written into a world that was closed, whoever has its descriptor now', async () => {
    const dir = folder();
    const sandbox = openSandbox({ dir, seed: 1 });
    sandbox.close();
    const other = path.join(dir, 'other');
    const descriptor = openSync(other, 'w');
    expect(() => sandbox.control.compact()).toThrow(/it is closed/);
    sandbox.close();
    closeSync(descriptor);
    expect(readFileSync(other, 'utf8')).toBe('');
  });

  test('a full disk stops the sandbox, with the reason', async () => {
    const sandbox = openSandbox({ seed: 3, dir: folder() });
    sandbox.close();
    const { kubernetes } = sandbox.services;
    const change = () => kubernetes.delete({ kind: kinds.pods, namespace: 'nvcf', name: 'x' }, {});
    await expect(change()).rejects.toThrow(/cannot write its world/);
    await expect(change()).rejects.toThrow(/cannot write its world/);
  });
});

describe('repeating', () => {
  test('the same seed and the same work give the same world, to the last byte', async () => {
    const runs = [openSandbox({ seed: 12 }), openSandbox({ seed: 12 })];
    for (const run of runs) await work(run);
    const [first = '', second] = await Promise.all(runs.map(everything));
    expect(first).toBe(second);
    const other = openSandbox({ seed: 13 });
    await work(other);
    expect(await everything(other)).not.toBe(first);
  });

  test('faults are not handed out again after a resume', () => {
    const dir = folder();
    const faults = [parseFault('restart=crash-before'), parseFault('restart=crash-after')];
    const first = openSandbox({ seed: 3, dir, faults });
    expect(first.faults.take('restart', 'before')).toBe('crash-before');
    const second = openSandbox({ seed: 3, dir, faults });
    expect(second.faults.take('restart', 'before')).toBeUndefined();
    expect(second.faults.take('restart', 'after')).toBe('crash-after');
    const third = openSandbox({ seed: 3, dir, faults });
    expect(third.faults.take('restart', 'after')).toBeUndefined();
  });

  test('a process killed in the middle leaves a world that goes on', async () => {
    const dir = folder();
    const child = `
      const { openSandbox } = await import(${JSON.stringify(path.resolve('src/sandbox/open.ts'))});
      const never = new AbortController().signal;
      const { services } = openSandbox({ seed: 5, dir: ${JSON.stringify(dir)} });
      const ref = { kind: { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment', namespaced: true }, namespace: 'nvcf', name: 'nvcf-api' };
      await services.kubernetes.patch(ref, { type: 'merge', body: { spec: { replicas: 2 } } });
      await services.clock.sleep(10_000, never);
      process.kill(process.pid, 'SIGKILL');
    `;
    const entry = path.join(dir, 'child.ts');
    writeFileSync(entry, child);
    const ended = spawnSync(process.execPath, ['scripts/run-ts.mjs', entry]);
    expect(ended.signal).toBe('SIGKILL');
    const sandbox = openSandbox({ seed: 5, dir });
    const { kubernetes, clock } = sandbox.services;
    expect(clock.now() - openSandbox({ seed: 5 }).services.clock.now()).toBe(10_000);
    await clock.sleep(120_000, never);
    const deployment = await kubernetes.get({ kind: kinds.deployments, namespace: 'nvcf', name: 'nvcf-api' });
    expect(at(deployment, 'status', 'readyReplicas')).toBe(2);
  });
});
