import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Connection, connect, deleteObject, putObject } from '../api.ts';
import { ensureHelm } from '../build.ts';
import { chartsOf, versionsOf } from '../charts/files.ts';
import { helm } from '../charts/helm.ts';
import { archiveChart } from '../charts/publish.ts';
import { chartRegistry, digestOf } from '../charts/registry.ts';
import { ensureUp, killPod, reset, type Stack } from '../control.ts';
import { releases } from '../manifests/releases.ts';
import { waitFor } from '../shell.ts';
import { onePod, waitForWorkloads } from '../workloads.ts';
import { expectDeployed } from './battery/cases/helm.ts';
import { shapeOfWorld } from './battery/shape.ts';
import { allowPods, forbidPods, upgradeByHand } from './battery/trouble.ts';
import { expectExit } from './key-checks.ts';
import { createOperator, type Finished, type Operator } from './rig.ts';

const at = { namespace: 'nvcf', release: 'notary-service', chart: 'helm-nvcf-notary-service' };
const selector = 'app.kubernetes.io/name=helm-nvcf-notary-service';
const { pinned, patch, unready, brokenHook, minor } = versionsOf('1.4.2');
let stack: Stack;
let admin: Connection;
let bin: string;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
  bin = await ensureHelm();
});
beforeEach(reset);
afterAll(reset);

function operatorWithHelm(): Operator {
  const operator = createOperator(stack.kubeconfig);
  const given = { PATH: `${bin}${path.delimiter}${process.env.PATH}` };
  const start: Operator['start'] = (args, env) => operator.start(args, { ...given, ...env });
  return { ...operator, start, run: (args, env) => start(args, env).finished };
}

const upgradeTo = (version: string, ...more: string[]) => [
  'exec',
  'spot-upgrade',
  '--yes',
  ...['service=notary', `registry=${chartRegistry}`, `version=${version}`, 'timeout=12s', ...more].flatMap(
    (input) => ['--input', input],
  ),
];
const rollbackTo = (...inputs: string[]) => [
  'exec',
  'rollback-release',
  '--yes',
  ...['service=notary', 'timeout=12s', ...inputs].flatMap((input) => ['--input', input]),
];
const said = ({ stdout, stderr }: Finished) => `${stdout}\n${stderr}`;

async function statuses(): Promise<string[]> {
  const history = await helm('history', at.release, '--namespace', at.namespace, '--output', 'json');
  return (JSON.parse(history) as { status: string }[]).map(({ status }) => status);
}

/** Somebody else's `helm upgrade`, killed while it waits for pods. */
async function leavePending(): Promise<void> {
  const flags = ['--namespace', at.namespace, '--version', unready, '--reset-then-reuse-values', '--wait'];
  const child = spawn(
    path.join(bin, 'helm'),
    ['upgrade', at.release, `${chartRegistry}/${at.chart}`, ...flags],
    { env: { PATH: process.env.PATH, HOME: os.tmpdir(), KUBECONFIG: stack.kubeconfig }, stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => child.on('close', resolve));
  await waitFor(async () => (await statuses()).at(-1) === 'pending-upgrade', {
    what: 'the upgrade to be on its way',
    seconds: 60,
  });
  child.kill('SIGKILL');
  await ended;
}

/** Ends the Helm client that a process started for its upgrade. */
function killHelmOf(parent: number): void {
  const clients = readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return Number(ppid) === parent && path.basename(words[0] ?? '') === 'helm' && words.includes('upgrade');
    } catch {
      return false;
    }
  });
  expect(clients).toHaveLength(1);
  process.kill(Number(clients[0]), 'SIGKILL');
}

describe('a release that cannot be upgraded is refused before anything happens', () => {
  test('because it is missing', async () => {
    await helm('uninstall', at.release, '--namespace', at.namespace, '--wait');
    const refused = await operatorWithHelm().run(upgradeTo(patch, 'reuse=true'));
    expectExit(refused, 4);
    expect(said(refused)).toMatch(/notary-service/);
  });

  test('because a client that was killed left it pending; rollback-release leads out of it', async () => {
    await leavePending();
    const operator = operatorWithHelm();
    const refused = await operator.run(upgradeTo(patch, 'reuse=true'));
    expectExit(refused, 4);
    expect(said(refused)).toContain('pending-upgrade');
    expectExit(await operator.run(rollbackTo()), 4);
    expectExit(await operator.run(rollbackTo('acceptPending=true')), 0);
    await expectDeployed(at.release, at.namespace, pinned);
  });

  test('because its first revision failed, and there is none to go back to', async () => {
    await helm('uninstall', at.release, '--namespace', at.namespace, '--wait');
    const release = releases().find(({ name }) => name === at.release);
    const chart = release && chartsOf(release).find(({ version }) => version === unready);
    if (chart === undefined) throw new Error('no such chart');
    const { file } = archiveChart(chart);
    const install = ['install', at.release, file, '--namespace', at.namespace, '--wait', '--timeout', '5s'];
    await expect(helm(...install)).rejects.toThrow();
    expect(await statuses()).toEqual(['failed']);
    const operator = operatorWithHelm();
    const refused = await operator.run(upgradeTo(brokenHook, 'reuse=true'));
    expectExit(refused, 4);
    expect(said(refused)).toContain('failed');
    expectExit(await operator.run(rollbackTo()), 4);
    expect(await statuses()).toEqual(['failed']);
  });

  test('because the digest is not the one that was meant', async () => {
    const operator = operatorWithHelm();
    const digest = await digestOf(at.chart, unready);
    const refused = await operator.run(upgradeTo(patch, 'reuse=true', `digest=${digest}`));
    expectExit(refused, 4);
    expect(said(refused)).toContain(await digestOf(at.chart, patch));
    expect(await statuses()).toEqual(['deployed']);
  });

  test('because the version is a minor step away', async () => {
    const refused = await operatorWithHelm().run(upgradeTo(minor, 'reuse=true'));
    expectExit(refused, 4);
    expect(said(refused)).toContain('minor');
    expect(await statuses()).toEqual(['deployed']);
  });
});

test('a revision that was pruned is not gone back to', async () => {
  for (const tag of ['1', '2', '1'])
    await upgradeByHand(at, patch, '--set', `image.tag=${tag}`, '--history-max', '2', '--wait');
  const refused = await operatorWithHelm().run(rollbackTo('revision=1'));
  expectExit(refused, 4);
  expect(said(refused)).toMatch(/revision 1/i);
  expect(await statuses()).toEqual(['superseded', 'deployed']);
});

test('an image that cannot be pulled is named, and taken back', async () => {
  const before = await shapeOfWorld(admin);
  const operator = operatorWithHelm();
  operator.write('values.yaml', 'replicaCount: 1\nimage: {tag: "missing"}\n');
  const failed = await operator.run(upgradeTo(patch, 'values=values.yaml'));
  expectExit(failed, 1);
  expect(said(failed)).toContain('ErrImageNeverPull');
  expectExit(await operator.run(['rollback', 'last', '--yes']), 5);
  await waitForWorkloads(admin, 120);
  expect(await shapeOfWorld(admin)).toEqual(before);
});

test('a Job that fails is named with its last words, and a rollback says that it takes nothing of it back', async () => {
  const operator = operatorWithHelm();
  const failed = await operator.run(upgradeTo(brokenHook, 'reuse=true', 'acceptJobs=true'));
  expectExit(failed, 1);
  expect(said(failed)).toContain('dirty database version 42');
  const back = await operator.run(['rollback', 'last', '--yes']);
  expectExit(back, 6);
  expect(said(back)).toContain('notary-service-migrations');
  // The way that the refusal names.
  expectExit(await operator.run(rollbackTo()), 0);
  await expectDeployed(at.release, at.namespace, pinned);
});

test('a PodDisruptionBudget that allows no disruption does not stand in the way of a rollout', async () => {
  const budget = {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'notary-stays', namespace: at.namespace },
    spec: { minAvailable: 1, selector: { matchLabels: { 'app.kubernetes.io/instance': at.release } } },
  };
  await putObject(admin, budget);
  expectExit(await operatorWithHelm().run(upgradeTo(patch, 'reuse=true', 'timeout=1m')), 0);
  await deleteObject(admin, budget);
  await expectDeployed(at.release, at.namespace, patch);
});

test('somebody else who upgrades meanwhile is told by Helm, and ours goes on', async () => {
  const operator = operatorWithHelm();
  operator.write('slow.yaml', 'replicaCount: 1\nenv: {STARTUP_DELAY_MS: "4000"}\n');
  const args = [...upgradeTo(patch, 'values=slow.yaml', 'timeout=1m'), '--output', 'json'];
  const ours = operator.start(args);
  await ours.event((event) => event.type === 'intended' && event.id === 'upgrade');
  await waitFor(async () => (await statuses()).at(-1) === 'pending-upgrade', {
    what: 'our upgrade to be on its way',
    seconds: 60,
  });
  await expect(upgradeByHand(at, patch)).rejects.toThrow('another operation');
  expectExit(await ours.finished, 0);
  await expectDeployed(at.release, at.namespace, patch);
});

test('a rollback leaves alone what somebody else has made of the release since', async () => {
  const operator = operatorWithHelm();
  expectExit(await operator.run(upgradeTo(unready, 'reuse=true')), 1);
  await upgradeByHand(at, patch, '--wait');
  const back = await operator.run(['rollback', 'last', '--yes']);
  expect([6, 7], said(back)).toContain(back.code);
  expect(said(back)).toMatch(/revision 3|somebody/i);
  await expectDeployed(at.release, at.namespace, patch);
});

test('a rollback that fails too says what is where, and works once the cause is gone', async () => {
  const before = await shapeOfWorld(admin);
  const operator = operatorWithHelm();
  expectExit(await operator.run(upgradeTo(unready, 'reuse=true')), 1);
  await forbidPods(admin, at.namespace);
  const pods = (await admin.core.listNamespacedPod({ namespace: at.namespace, labelSelector: selector }))
    .items;
  for (const { metadata } of pods) await killPod(at.namespace, metadata?.name ?? '');
  const back = await operator.run(['rollback', 'last', '--yes']);
  expectExit(back, 6);
  expect(said(back)).toContain('notary-service');
  await allowPods(admin, at.namespace);
  expectExit(await operator.run(['rollback', 'last', '--yes']), 5);
  await waitForWorkloads(admin, 120);
  expect(await shapeOfWorld(admin)).toEqual(before);
});

test('helm killed in the middle of our upgrade: the run says that it is not known, and leads back', async () => {
  const before = await shapeOfWorld(admin);
  const operator = operatorWithHelm();
  const running = operator.start([...upgradeTo(unready, 'reuse=true', 'timeout=1m'), '--output', 'json']);
  await running.event((event) => event.type === 'intended' && event.id === 'upgrade');
  await waitFor(async () => (await statuses()).at(-1) === 'pending-upgrade', {
    what: 'the upgrade to be on its way',
    seconds: 60,
  });
  killHelmOf(running.pid);
  const ended = await running.finished;
  expect([1, 7], said(ended)).toContain(ended.code);
  expect(await statuses()).toEqual(['deployed', 'pending-upgrade']);
  expectExit(await operator.run(['rollback', 'last', '--yes']), 5);
  await waitForWorkloads(admin, 120);
  await onePod(admin, at.namespace, selector);
  expect(await shapeOfWorld(admin)).toEqual(before);
});
