import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/engine/json.ts';
import type { KubernetesObject } from '../../../src/services/kubernetes.ts';
import type { RolloutGoal, RolloutSight } from '../../../src/steps/kubectl/rollout-verdict.ts';
import { judgeRollout } from '../../../src/steps/kubectl/rollout-verdict.ts';
import {
  deployment,
  done,
  goal,
  late,
  long,
  pod,
  progressing,
  sight,
  waiting,
} from '../../fakes/rollout-sights.ts';

const ended = (exitCode: number): JsonObject => ({ terminated: { exitCode } });
const probed: JsonObject = { name: 'main', readinessProbe: { httpGet: { path: '/', port: 80 } } };

/** A ready pod whose one container says this of itself. */
function ready(container: JsonObject, spec = probed, revision = 'new'): KubernetesObject {
  const status = { name: 'main', ready: true, restartCount: 0, state: { running: {} }, ...container };
  const conditions = [{ type: 'Ready', status: 'True' }];
  return { ...pod({ conditions, containerStatuses: [status] }, revision), spec: { containers: [spec] } };
}

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
  [
    'an old pod is still there because its successor is not ready',
    { workload: deployment({ ...done, replicas: 4 }), pods: [pod({})] },
    {},
    'progressing',
    '1 old pods still to end (waiting for api-new-1)',
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
    'ready for the moment that a crashing container runs',
    { workload: deployment(done), pods: [ready({ restartCount: 1, lastState: ended(3) })] },
    {},
    'progressing',
    'container main of pod api-new-1 was restarted after it ended badly',
  ],
  [
    'ready for long after a crash',
    { workload: deployment(done), pods: [ready({ restartCount: 1, lastState: ended(3) })], ...long },
    {},
    'complete',
    '',
  ],
  [
    'restarted after a good end',
    { workload: deployment(done), pods: [ready({ restartCount: 1, lastState: ended(0) }, probed)] },
    {},
    'complete',
    '',
  ],
  [
    'just started, and nothing probes it',
    { workload: deployment(done), pods: [ready({}, { name: 'main' })] },
    {},
    'progressing',
    'nothing probes container main of pod api-new-1',
  ],
  [
    'nothing probes it, but the workload itself waits',
    {
      workload: deployment(done, { spec: { minReadySeconds: 2 } }),
      pods: [ready({}, { name: 'main' })],
    },
    {},
    'complete',
    '',
  ],
  [
    'an old pod that came back from a crash does not count',
    { workload: deployment(done), pods: [ready({ restartCount: 1, lastState: ended(3) }, probed, 'old')] },
    {},
    'complete',
    '',
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
});
