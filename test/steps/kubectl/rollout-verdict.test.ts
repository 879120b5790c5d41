import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/engine/json.ts';
import type { KubernetesObject } from '../../../src/services/kubernetes.ts';
import type { RolloutGoal, RolloutSight } from '../../../src/steps/kubectl/rollout-verdict.ts';
import { currentRevision, judgeRollout } from '../../../src/steps/kubectl/rollout-verdict.ts';

const goal: RolloutGoal = { uid: 'u1', generation: 4 };

function object(kind: string, parts: JsonObject): KubernetesObject {
  const metadata = { name: 'api', namespace: 'nvcf', uid: 'u1', resourceVersion: '1', generation: 4 };
  return {
    apiVersion: 'apps/v1',
    kind,
    ...parts,
    metadata: { ...metadata, ...(parts.metadata as object) },
  } as KubernetesObject;
}

const owner = { kind: 'Deployment', name: 'api', uid: 'u1', controller: true };
const revision = (number: string, hash: string) =>
  object('ReplicaSet', {
    metadata: {
      uid: `rs-${hash}`,
      annotations: { 'deployment.kubernetes.io/revision': number },
      labels: { 'pod-template-hash': hash },
      ownerReferences: [owner],
    },
  });

function deployment(status: JsonObject, more: { spec?: JsonObject; op?: string } = {}): KubernetesObject {
  const annotations = more.op === undefined ? {} : { 'runbook.io/op': more.op };
  return object('Deployment', {
    metadata: { annotations: { 'deployment.kubernetes.io/revision': '2' } },
    spec: { replicas: 3, template: { metadata: { annotations } }, ...more.spec },
    status: { observedGeneration: 4, ...status },
  });
}

function pod(status: JsonObject, hash = 'new'): KubernetesObject {
  return object('Pod', {
    metadata: { name: 'api-new-1', uid: 'p1', labels: { 'pod-template-hash': hash } },
    status,
  });
}

const waiting = (reason: string, more: JsonObject = {}): JsonObject => ({
  containerStatuses: [
    {
      name: 'main',
      image: 'reg/main:2',
      ready: false,
      restartCount: 0,
      state: { waiting: { reason, message: 'said why' } },
      ...more,
    },
  ],
});
const progressing: JsonObject = { replicas: 3, updatedReplicas: 1, readyReplicas: 2, availableReplicas: 2 };
const done: JsonObject = { replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 };
const late: JsonObject = {
  ...progressing,
  conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }],
};

function sight(parts: Partial<RolloutSight>): RolloutSight {
  return {
    workload: deployment(progressing),
    pods: [],
    revisions: [revision('1', 'old'), revision('2', 'new')],
    refusals: [],
    standing: () => 0,
    ...parts,
  };
}

const long = { standing: () => 3_600_000 };

const cases: readonly (readonly [string, Partial<RolloutSight>, Partial<RolloutGoal>, string, string])[] = [
  ['every pod updated and available', { workload: deployment(done) }, {}, 'complete', '3 of 3'],
  [
    'no replicas wanted',
    { workload: deployment({ replicas: 0 }, { spec: { replicas: 0 } }) },
    {},
    'complete',
    '0 pods',
  ],
  [
    'status of an older generation',
    { workload: deployment(done) },
    { generation: 5 },
    'progressing',
    'has seen the change',
  ],
  [
    'an old pod is still there',
    { workload: deployment({ ...done, replicas: 4 }) },
    {},
    'progressing',
    '1 old pods',
  ],
  ['some pods updated', {}, {}, 'progressing', '1 of 3 pods updated'],
  [
    'ready, but not for long enough',
    { workload: deployment({ ...done, availableReplicas: 2 }) },
    {},
    'progressing',
    '2 of 3 pods available',
  ],
  [
    'a new pod not ready is named',
    { workload: deployment({ ...done, readyReplicas: 2 }), pods: [pod({})] },
    {},
    'progressing',
    'waiting for api-new-1',
  ],
  [
    'our mark is in the template',
    { workload: deployment(done, { op: 'op-1' }) },
    { operation: 'op-1' },
    'complete',
    '',
  ],
  [
    'another mark is in the template',
    { workload: deployment(done, { op: 'op-2' }) },
    { operation: 'op-1' },
    'superseded',
    'somebody changed',
  ],
  ['deleted', { workload: undefined }, {}, 'deleted', 'deleted'],
  ['deleted and created again', { workload: deployment(done) }, { uid: 'u0' }, 'deleted', 'created again'],
  ['paused', { workload: deployment(progressing, { spec: { paused: true } }) }, {}, 'paused', '1 of 3'],
  [
    'paused, but only its size matters',
    { workload: deployment({ ...done, updatedReplicas: 0 }, { spec: { paused: true } }) },
    { sizeOnly: true },
    'complete',
    '',
  ],
  ['deadline exceeded', { workload: deployment(late) }, {}, 'progress-deadline-exceeded', '1 of 3'],
  [
    'crash loop after two restarts',
    { pods: [pod(waiting('CrashLoopBackOff', { restartCount: 2 }))] },
    {},
    'crash-loop',
    '2 restarts',
  ],
  [
    'first crash is forgiven',
    { pods: [pod(waiting('CrashLoopBackOff', { restartCount: 1 }))] },
    {},
    'progressing',
    '1 of 3',
  ],
  [
    'three restarts and down',
    {
      pods: [
        pod({
          containerStatuses: [
            {
              name: 'main',
              ready: false,
              restartCount: 3,
              state: { running: {} },
              lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
            },
          ],
        }),
      ],
    },
    {},
    'crash-loop',
    'OOMKilled (exit code 137)',
  ],
  [
    'crash loop of an old pod does not count',
    { pods: [pod(waiting('CrashLoopBackOff', { restartCount: 9 }), 'old')] },
    {},
    'progressing',
    '',
  ],
  [
    'crash loop in an init container',
    {
      pods: [
        pod({
          initContainerStatuses: [{ name: 'agent', restartCount: 4, state: { terminated: { exitCode: 2 } } }],
        }),
      ],
    },
    {},
    'crash-loop',
    'init container agent',
  ],
  ['image pull, at first', { pods: [pod(waiting('ImagePullBackOff'))] }, {}, 'progressing', ''],
  [
    'image pull that stands',
    { pods: [pod(waiting('ImagePullBackOff'))], ...long },
    {},
    'image-pull',
    'reg/main:2',
  ],
  [
    'image that is never pulled',
    { pods: [pod(waiting('ErrImageNeverPull'))] },
    {},
    'image-pull',
    'ErrImageNeverPull: said why',
  ],
  [
    'missing ConfigMap that stands',
    { pods: [pod(waiting('CreateContainerConfigError'))], ...long },
    {},
    'container-config',
    'said why',
  ],
  [
    'unschedulable, at first',
    {
      pods: [
        pod({
          conditions: [
            { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' },
          ],
        }),
      ],
    },
    {},
    'progressing',
    '',
  ],
  [
    'unschedulable that stands',
    {
      pods: [
        pod({
          conditions: [
            { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' },
          ],
        }),
      ],
      ...long,
    },
    {},
    'unschedulable',
    '0/3 nodes',
  ],
  [
    'image pull behind an exceeded deadline needs no grace',
    { workload: deployment(late), pods: [pod(waiting('ImagePullBackOff'))] },
    {},
    'image-pull',
    '',
  ],
  [
    'quota',
    {
      workload: deployment({
        ...progressing,
        conditions: [
          { type: 'ReplicaFailure', status: 'True', message: 'pods "x" is forbidden: exceeded quota: small' },
        ],
      }),
      ...long,
    },
    {},
    'quota',
    'exceeded quota: small',
  ],
  [
    'refused by a webhook',
    {
      workload: deployment({
        ...progressing,
        conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'denied by policy' }],
      }),
      ...long,
    },
    {},
    'pods-refused',
    'denied by policy',
  ],
];

describe('judgeRollout', () => {
  test.each(cases)('%s', (_, parts, more, verdict, text) => {
    const judged = judgeRollout(sight(parts), { ...goal, ...more });
    expect(judged.state === 'failed' ? judged.code : judged.state).toBe(verdict);
    expect(judged.text).toContain(text);
  });

  test('a StatefulSet refused by quota says so in events only', () => {
    const workload = object('StatefulSet', {
      spec: { replicas: 3 },
      status: { observedGeneration: 4, replicas: 2 },
    });
    const judged = judgeRollout(sight({ workload, refusals: ['exceeded quota: small'], ...long }), goal);
    expect(judged).toMatchObject({ state: 'failed', code: 'quota' });
  });

  test('a partition holds back the pods below it', () => {
    const spec = { replicas: 3, updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } };
    const status = {
      observedGeneration: 4,
      replicas: 3,
      updatedReplicas: 1,
      readyReplicas: 3,
      availableReplicas: 3,
    };
    expect(judgeRollout(sight({ workload: object('StatefulSet', { spec, status }) }), goal).state).toBe(
      'complete',
    );
  });

  test('an OnDelete set waits for somebody to delete its pods', () => {
    const spec = { replicas: 3, updateStrategy: { type: 'OnDelete' } };
    const status = {
      observedGeneration: 4,
      replicas: 3,
      updatedReplicas: 1,
      readyReplicas: 3,
      availableReplicas: 3,
    };
    const workload = object('StatefulSet', { spec, status });
    expect(judgeRollout(sight({ workload }), goal)).toMatchObject({ code: 'awaiting-delete' });
    expect(judgeRollout(sight({ workload }), { ...goal, sizeOnly: true }).state).toBe('complete');
  });

  test('a DaemonSet counts nodes', () => {
    const counted = (updated: number) =>
      object('DaemonSet', {
        status: {
          observedGeneration: 4,
          desiredNumberScheduled: 2,
          updatedNumberScheduled: updated,
          currentNumberScheduled: 2,
          numberReady: 2,
          numberAvailable: 2,
        },
      });
    expect(judgeRollout(sight({ workload: counted(1) }), goal)).toMatchObject({
      text: '1 of 2 pods updated',
    });
    expect(judgeRollout(sight({ workload: counted(2) }), goal).state).toBe('complete');
  });
});

describe('currentRevision', () => {
  test('of a Deployment is the ReplicaSet of its revision number, whoever is newer', () => {
    const sets = [revision('2', 'new'), revision('3', 'other')];
    expect(currentRevision(deployment({}), sets)).toBe('new');
    expect(currentRevision(deployment({}), [revision('1', 'old')])).toBeUndefined();
  });

  test('of a DaemonSet is its highest ControllerRevision', () => {
    const entry = (number: number, hash: string) => ({
      ...object('ControllerRevision', {
        metadata: { labels: { 'controller-revision-hash': hash }, ownerReferences: [owner] },
      }),
      revision: number,
    });
    expect(currentRevision(object('DaemonSet', {}), [entry(2, 'b'), entry(10, 'c'), entry(9, 'a')])).toBe(
      'c',
    );
  });
});
