import { describe, expect, test } from 'vitest';
import { kinds } from '../../src/services/kubernetes.ts';
import {
  at,
  conditionOf,
  events,
  get,
  never,
  openLab,
  pass,
  plainPod,
  podsOf,
  ref,
  script,
  until,
  workload,
} from './rig.ts';

const { pods, replicaSets, deployments } = kinds;
const state = (pod: Parameters<typeof at>[0]) => at(pod, 'status', 'containerStatuses', 0, 'state');
const waiting = (pod: Parameters<typeof at>[0]) => at(state(pod) as never, 'waiting', 'reason');

describe('a pod in trouble', () => {
  test('crashes again and again, with growing pauses', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(
      workload('Deployment', { container: { env: [{ name: 'CRASH', value: 'true' }] } }),
    );
    const [pod] = await until(lab, pods, ([found]) => waiting(found) === 'CrashLoopBackOff');
    expect(at(pod, 'status', 'phase')).toBe('Running');
    expect(at(pod, 'status', 'containerStatuses', 0, 'lastState', 'terminated')).toMatchObject({
      exitCode: 1,
      reason: 'Error',
    });
    expect(conditionOf(pod, 'Ready')).toMatchObject({ status: 'False', reason: 'ContainersNotReady' });
    const restarts = async () =>
      Number(at((await podsOf(lab))[0], 'status', 'containerStatuses', 0, 'restartCount'));
    await pass(lab, 60_000);
    const early = await restarts();
    await pass(lab, 3_600_000);
    const late = await restarts();
    expect(early).toBeGreaterThanOrEqual(3);
    expect(late - early).toBeLessThan(20);
    expect((await events(lab, pod?.metadata.name ?? '')).join('\n')).toContain(
      'BackOff: Back-off restarting failed container main',
    );
  });

  test('shows the last words of the run before', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(plainPod('dying', script('echo last words; exit 3')));
    await until(lab, pods, ([found]) => waiting(found) === 'CrashLoopBackOff');
    let text = '';
    for await (const chunk of lab.services.kubernetes.logs(
      { namespace: 'lab', pod: 'dying' },
      { previous: true },
      never,
    ))
      text += chunk;
    expect(text).toBe('last words\n');
  });

  test('cannot pull an image that does not exist', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(plainPod('pulling', { image: 'registry/does-not-exist:1' }));
    const [first] = await until(lab, pods, ([found]) => waiting(found) === 'ErrImagePull');
    expect(at(first, 'status', 'phase')).toBe('Pending');
    await until(lab, pods, ([found]) => waiting(found) === 'ImagePullBackOff');
    expect((await events(lab, 'pulling')).join('\n')).toContain(
      'Failed: Failed to pull image "registry/does-not-exist:1"',
    );
    const log = lab.services.kubernetes.logs({ namespace: 'lab', pod: 'pulling' }, {}, never);
    await expect(log[Symbol.asyncIterator]().next()).rejects.toMatchObject({ status: 400 });
  });

  test('fits on no node, until there is room', async () => {
    const lab = await openLab();
    const { kubernetes } = lab.services;
    await kubernetes.create(plainPod('huge', { resources: { requests: { cpu: '64' } } }));
    const [pod] = await until(
      lab,
      pods,
      ([found]) => conditionOf(found, 'PodScheduled')?.reason === 'Unschedulable',
    );
    expect(conditionOf(pod, 'PodScheduled')?.message).toContain(
      '0/3 nodes are available: 3 Insufficient cpu',
    );
    expect(at(pod, 'status', 'phase')).toBe('Pending');
    await kubernetes.delete(ref(pods, 'huge'), {});
    expect(await kubernetes.get(ref(pods, 'huge'))).toBeUndefined();
  });

  test('is refused by a quota, and the ReplicaSet says why', async () => {
    const lab = await openLab();
    const { kubernetes } = lab.services;
    await kubernetes.create({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'small', namespace: 'lab' },
      spec: { hard: { pods: '1' } },
    });
    await kubernetes.create(workload('Deployment', { replicas: 2 }));
    const [set] = await until(
      lab,
      replicaSets,
      ([found]) => conditionOf(found, 'ReplicaFailure') !== undefined,
    );
    expect(conditionOf(set, 'ReplicaFailure')).toMatchObject({ reason: 'FailedCreate', status: 'True' });
    expect(conditionOf(set, 'ReplicaFailure')?.message).toContain(
      'exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1',
    );
    await pass(lab, 1_000);
    expect(conditionOf(await get(lab, deployments, 'app'), 'ReplicaFailure')).toMatchObject({
      reason: 'FailedCreate',
    });
    expect(await podsOf(lab)).toHaveLength(1);
    await kubernetes.delete({ kind: await kubernetes.kind('quota'), namespace: 'lab', name: 'small' }, {});
    await until(lab, pods, (all) => all.length === 2);
    await until(lab, deployments, ([found]) => conditionOf(found, 'ReplicaFailure') === undefined);
  });
});

describe('readiness', () => {
  test('follows a command of the pod, there and back', async () => {
    const lab = await openLab();
    const { kubernetes } = lab.services;
    const readinessProbe = { exec: { command: ['cat', '/tmp/ready'] }, periodSeconds: 2 };
    await kubernetes.create(plainPod('gated', { ...script('sleep infinity'), readinessProbe }));
    await pass(lab, 60_000);
    expect(conditionOf(await get(lab, pods, 'gated'), 'Ready')).toMatchObject({ status: 'False' });
    const exec = (command: readonly string[]) =>
      kubernetes.exec({ namespace: 'lab', pod: 'gated', container: 'main', command }, never);
    await exec(['touch', '/tmp/ready']);
    await until(lab, pods, ([found]) => conditionOf(found, 'Ready')?.status === 'True');
    await exec(['rm', '/tmp/ready']);
    await until(lab, pods, ([found]) => conditionOf(found, 'Ready')?.status === 'False');
  });

  test('comes when the program says so', async () => {
    const lab = await openLab();
    const readinessProbe = { exec: { command: ['test', '-f', '/tmp/ready'] }, periodSeconds: 1 };
    const created = lab.services.clock.now();
    await lab.services.kubernetes.create(
      plainPod('slow', { ...script('sleep 20; touch /tmp/ready; sleep infinity'), readinessProbe }),
    );
    await until(lab, pods, ([found]) => conditionOf(found, 'Ready')?.status === 'True');
    expect(lab.services.clock.now() - created).toBeGreaterThan(20_000);
    expect(lab.services.clock.now() - created).toBeLessThan(23_000);
  });

  test('never comes with READY=false', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(
      plainPod('mute', {
        env: [{ name: 'READY', value: 'false' }],
        readinessProbe: { httpGet: { port: 80 } },
      }),
    );
    await pass(lab, 600_000);
    expect(conditionOf(await get(lab, pods, 'mute'), 'Ready')).toMatchObject({ status: 'False' });
  });
});

describe('the end of a pod', () => {
  test('takes the grace period of a program that does not listen', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(
      plainPod('deaf', script('sleep infinity'), { terminationGracePeriodSeconds: 12 }),
    );
    await until(lab, pods, ([found]) => conditionOf(found, 'Ready')?.status === 'True');
    const asked = lab.services.clock.now();
    await lab.services.kubernetes.delete(ref(pods, 'deaf'), {});
    const leaving = await get(lab, pods, 'deaf');
    expect(Date.parse(leaving.metadata.deletionTimestamp ?? '')).toBeGreaterThanOrEqual(asked + 11_000);
    await until(lab, pods, (all) => all.length === 0);
    expect(lab.services.clock.now() - asked).toBeGreaterThan(12_000);
    expect(lab.services.clock.now() - asked).toBeLessThan(13_000);
  });

  test('is immediate without grace', async () => {
    const lab = await openLab();
    await lab.services.kubernetes.create(plainPod('quick', script('sleep infinity')));
    await until(lab, pods, ([found]) => conditionOf(found, 'Ready')?.status === 'True');
    await lab.services.kubernetes.delete(ref(pods, 'quick'), { gracePeriodSeconds: 0 });
    expect(await podsOf(lab)).toEqual([]);
  });

  test.each([
    ['exit 0', 'Succeeded', 0],
    ['exit 4', 'Failed', 4],
  ])('comes by itself: %s is %s', async (text, phase, exitCode) => {
    const lab = await openLab();
    await lab.services.kubernetes.create(
      plainPod('job', script(`sleep 3; ${text}`), { restartPolicy: 'Never' }),
    );
    const [pod] = await until(lab, pods, ([found]) => at(found, 'status', 'phase') === phase);
    expect(at(state(pod) as never, 'terminated', 'exitCode')).toBe(exitCode);
  });

  test('init containers run one after the other before anything else', async () => {
    const lab = await openLab();
    const init = (name: string, text: string) => ({ name, image: 'busybox:1.36', ...script(text) });
    await lab.services.kubernetes.create(
      plainPod('prepared', {}, { initContainers: [init('one', 'sleep 3'), init('two', 'sleep 4')] }),
    );
    const created = lab.services.clock.now();
    const [pod] = await until(lab, pods, ([found]) => conditionOf(found, 'Ready')?.status === 'True');
    expect(lab.services.clock.now() - created).toBeGreaterThan(7_000);
    expect(at(pod, 'status', 'initContainerStatuses', 1, 'state', 'terminated', 'reason')).toBe('Completed');
  });
});
