import { describe, expect, test } from 'vitest';
import { currentRevision, judgeRollout } from '../../../src/steps/kubectl/rollout-verdict.ts';
import { deployment, goal, long, object, owner, revision, sight } from '../../fakes/rollout-sights.ts';

describe('judgeRollout, kind by kind', () => {
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
