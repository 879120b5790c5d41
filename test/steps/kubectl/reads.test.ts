import { describe, expect, test } from 'vitest';
import type { ReadStepType } from '../../../src/engine/step-type.ts';
import { kinds } from '../../../src/services/kubernetes.ts';
import { describe as describeStep } from '../../../src/steps/kubectl/describe.ts';
import { events } from '../../../src/steps/kubectl/events.ts';
import { get } from '../../../src/steps/kubectl/get.ts';
import { logs } from '../../../src/steps/kubectl/logs.ts';
import { pods } from '../../../src/steps/kubectl/pods.ts';
import { rolloutStatus } from '../../../src/steps/kubectl/rollout-status.ts';
import { putPod, putWorkload } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';

const labels = { app: 'api' };
const where = { namespace: 'nvcf', selector: 'app=api' };

function rig() {
  const made = stepRig();
  made.cluster.put(kinds.namespaces, { metadata: { name: 'nvcf' } });
  return made;
}

describe('kubectl.pods', () => {
  test('says of every pod whether it is ready, and why not', async () => {
    const { ctx, cluster } = rig();
    const waiting = [
      { name: 'main', ready: false, restartCount: 2, state: { waiting: { reason: 'ImagePullBackOff' } } },
    ];
    putPod(cluster, { name: 'b', labels, ready: false, status: { containerStatuses: waiting } });
    putPod(cluster, {
      name: 'a',
      labels: { ...labels, 'pod-template-hash': 'h1' },
      owner: { kind: 'ReplicaSet', name: 'api-1', uid: 'r' },
    });
    putPod(cluster, { name: 'job', labels, phase: 'Succeeded', ready: false });
    putPod(cluster, { name: 'other' });
    const outputs = await pods.run(where, ctx);
    expect(outputs.summary).toBe('1 of 2 ready, 2 restarts');
    expect(outputs.pods.map((pod) => [pod.name, pod.ready, pod.reason, pod.owner, pod.revision])).toEqual([
      ['a', true, '', 'ReplicaSet/api-1', 'h1'],
      ['b', false, 'ImagePullBackOff', '', ''],
    ]);
    expect((await pods.run({ ...where, completed: true }, ctx)).count).toBe(3);
  });

  test('a terminating pod says so', async () => {
    const { ctx, cluster } = rig();
    putPod(cluster, { name: 'a', labels, ready: false });
    cluster.change({ kind: kinds.pods, namespace: 'nvcf', name: 'a' }, (pod) => {
      pod.metadata = { ...pod.metadata, deletionTimestamp: '2027-01-10T08:00:00Z' };
    });
    expect((await pods.run(where, ctx)).pods[0]).toMatchObject({ terminating: true, reason: 'Terminating' });
  });

  test('nothing matching is an error, unless it is the answer', async () => {
    const { ctx } = rig();
    await expect(pods.run(where, ctx)).rejects.toMatchObject({
      code: 'no-match',
      message: "No pods match 'app=api' in namespace nvcf.",
    });
    expect(await pods.run({ ...where, allowNone: true }, ctx)).toMatchObject({
      count: 0,
      summary: '0 of 0 ready, 0 restarts',
    });
    const elsewhere = pods.run({ ...where, namespace: 'nowhere', allowNone: true }, ctx);
    await expect(elsewhere).rejects.toMatchObject({ code: 'namespace-not-found' });
  });
});

describe('kubectl.get', () => {
  test('returns objects with their parts, and masks Secrets', async () => {
    const { ctx, cluster } = rig();
    cluster.put(kinds.secrets, { metadata: { name: 's', namespace: 'nvcf' }, data: { key: 'Y2FuYXJ5' } });
    const outputs = await get.run({ kind: 'Secret', name: 's', namespace: 'nvcf' }, ctx);
    expect(outputs).toMatchObject({
      count: 1,
      found: true,
      items: [{ name: 's', data: { key: '«masked»' } }],
    });
    expect(JSON.stringify(outputs)).not.toContain('Y2FuYXJ5');
  });

  test('a missing object is an error, unless it is the answer', async () => {
    const { ctx } = rig();
    const missing = { kind: 'ConfigMap', name: 'gone', namespace: 'nvcf' };
    await expect(get.run(missing, ctx)).rejects.toMatchObject({
      code: 'not-found',
      message: 'ConfigMap nvcf/gone does not exist.',
    });
    expect(await get.run({ ...missing, allowMissing: true }, ctx)).toEqual({
      items: [],
      count: 0,
      found: false,
    });
    await expect(get.run({ kind: 'ConfigMap', namespace: 'nvcf' }, ctx)).rejects.toMatchObject({
      code: 'invalid-input',
    });
    await expect(get.run({ kind: 'Pod', name: 'x' }, ctx)).rejects.toMatchObject({ code: 'invalid-target' });
  });
});

describe('kubectl.events', () => {
  test('come newest last, filtered by age and type', async () => {
    const { ctx, cluster } = rig();
    const put = (name: string, type: string, lastTimestamp: string) =>
      cluster.put(kinds.events, {
        metadata: { name, namespace: 'nvcf' },
        type,
        reason: name,
        message: ' said ',
        involvedObject: { kind: 'Pod', name: 'p' },
        lastTimestamp,
      });
    put('new', 'Warning', '2027-01-10T07:59:00Z');
    put('old', 'Normal', '2027-01-10T01:00:00Z');
    const outputs = await events.run({ namespace: 'nvcf' }, ctx);
    expect(outputs.events.map((event) => event.reason)).toEqual(['old', 'new']);
    expect(outputs).toMatchObject({ count: 2, warnings: 1 });
    expect(outputs.events[1]).toEqual({
      type: 'Warning',
      reason: 'new',
      message: 'said',
      object: 'Pod/p',
      count: 1,
      lastSeen: '2027-01-10T07:59:00Z',
    });
    expect((await events.run({ namespace: 'nvcf', since: '1h' }, ctx)).count).toBe(1);
    expect((await events.run({ namespace: 'nvcf', type: 'Normal' }, ctx)).count).toBe(1);
    await expect(events.run({ namespace: 'nowhere' }, ctx)).rejects.toMatchObject({
      code: 'namespace-not-found',
    });
  });
});

describe('kubectl.describe', () => {
  test('gives fields, conditions and events as text, without secrets', async () => {
    const { ctx, cluster } = rig();
    putWorkload(cluster, { env: [{ name: 'A_TOKEN', value: 'canary-1' }] });
    cluster.put(kinds.events, {
      metadata: { name: 'e', namespace: 'nvcf' },
      type: 'Normal',
      reason: 'Scaled',
      message: 'up',
      involvedObject: { kind: 'Deployment', name: 'api' },
      lastTimestamp: '2027-01-10T07:00:00Z',
    });
    const outputs = await describeStep.run({ kind: 'Deployment', name: 'api', namespace: 'nvcf' }, ctx);
    expect(outputs.text).toContain('Deployment (apps/v1)\n  uid: uid-api');
    expect(outputs.text).toContain('        - name: main\n          image: main:1');
    expect(outputs.text).toContain('2027-01-10T07:00:00Z Normal Scaled ×1: up');
    expect(JSON.stringify(outputs)).not.toContain('canary-1');
    expect(outputs.objects[0]?.events).toHaveLength(1);
  });
});

describe('kubectl.rollout-status', () => {
  const input = { kind: 'Deployment', name: 'api', namespace: 'nvcf' } as const;

  test('waits, or says how it stands', async () => {
    const { ctx, cluster } = rig();
    putWorkload(cluster);
    expect(await rolloutStatus.run(input, ctx)).toMatchObject({ verdict: 'complete', message: '', ready: 2 });
    cluster.change({ kind: kinds.deployments, namespace: 'nvcf', name: 'api' }, (workload) => {
      workload.status = { ...workload.status, readyReplicas: 1 };
    });
    expect(await rolloutStatus.run({ ...input, wait: false }, ctx)).toMatchObject({
      verdict: 'progressing',
      message: '1 of 2 pods ready',
      ready: 1,
    });
  });
});

describe('what the API server refuses', () => {
  const steps: readonly (readonly [string, ReadStepType<never, object>, object])[] = [
    ['kubectl.pods', pods, where],
    ['kubectl.get', get, { kind: 'Pod', selector: 'app=api', namespace: 'nvcf' }],
    ['kubectl.events', events, { namespace: 'nvcf' }],
    ['kubectl.logs', logs, where],
    ['kubectl.rollout-status', rolloutStatus, { kind: 'Deployment', name: 'api', namespace: 'nvcf' }],
  ];
  const answers: readonly (readonly [number | undefined, string, string, boolean])[] = [
    [401, 'Unauthorized', 'unauthorized', false],
    [403, 'Forbidden', 'forbidden', false],
    [429, 'TooManyRequests', 'throttled', true],
    [500, 'InternalError', 'server-error', true],
    [undefined, 'Unreachable', 'unreachable', true],
  ];

  test.each(steps)('%s turns it into a failure with place, cause and next step', async (_, step, input) => {
    for (const [status, reason, code, retryable] of answers) {
      const { ctx, cluster } = rig();
      cluster.hooks = {
        before: (verb) => {
          if (verb === 'list' || verb === 'get') throw failure(status, reason, 'said the server');
        },
      };
      const failed = await step.run(input as never, ctx).catch((error: unknown) => error);
      expect(failed, reason).toMatchObject({ name: 'StepError', code, retryable });
      expect((failed as Error).message).toMatch(/nvcf/);
    }
  });
});
