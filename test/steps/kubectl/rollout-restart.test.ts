import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import { rolloutRestart } from '../../../src/steps/kubectl/rollout-restart.ts';
import { settled } from '../../fakes/manual-clock.ts';
import { putPod, putWorkload, rollOut } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';

const input = { kind: 'Deployment', name: 'api', namespace: 'nvcf' } as const;
const ref = { kind: kinds.deployments, namespace: 'nvcf', name: 'api' };

/** A Deployment whose controller rolls out every change of the pod template at once. */
function ready() {
  const rig = stepRig();
  putWorkload(rig.cluster);
  rig.cluster.hooks = { afterWrite: (object, cluster) => rollOut(cluster, object) };
  return rig;
}

describe('run', () => {
  test('marks the pod template with the operation key and returns when the new pods are ready', async () => {
    const { ctx, cluster } = ready();
    const old = cluster.all(kinds.pods).map((pod) => pod.metadata.name);
    const outputs = await rolloutRestart.run(input, ctx);
    expect(cluster.read(ref).spec?.template).toMatchObject({
      metadata: {
        annotations: {
          'runbook.io/op': 'op-1',
          'kubectl.kubernetes.io/restartedAt': '2027-01-10T08:00:00.000Z',
        },
      },
    });
    expect(outputs).toMatchObject({ verdict: 'complete', replicas: 2, updated: 2, ready: 2, generation: 2 });
    expect(outputs.pods).toHaveLength(2);
    expect(outputs.pods.filter((pod) => old.includes(pod))).toEqual([]);
  });

  test('twice restarts once', async () => {
    const { ctx, cluster } = ready();
    await rolloutRestart.run(input, ctx);
    await rolloutRestart.run(input, { ...ctx });
    expect(cluster.writes).toEqual(['patch deployments/api']);
  });

  test('does not take the status of the old generation for the end of the rollout', async () => {
    const { ctx, cluster, progress } = ready();
    cluster.hooks = {};
    const run = rolloutRestart.run(input, ctx);
    await settled();
    expect(progress.at(-1)?.text).toBe('waiting until its controller has seen the change');
    rollOut(cluster, cluster.read(ref));
    expect((await run).verdict).toBe('complete');
  });

  test('is refused where pods change only when they are deleted, and points to the runbook that does it', async () => {
    const { ctx, cluster } = stepRig();
    putWorkload(cluster, { kind: 'StatefulSet', spec: { updateStrategy: { type: 'OnDelete' } } });
    await expect(rolloutRestart.run({ ...input, kind: 'StatefulSet' }, ctx)).rejects.toMatchObject({
      code: 'on-delete',
      outcome: 'not-applied',
      hint: expect.stringContaining('restart-service'),
    });
    expect(cluster.writes).toEqual([]);
  });

  test('is refused on a paused Deployment', async () => {
    const { ctx, cluster } = stepRig();
    putWorkload(cluster, { spec: { paused: true } });
    await expect(rolloutRestart.run(input, ctx)).rejects.toMatchObject({
      code: 'paused',
      outcome: 'not-applied',
    });
    expect(cluster.writes).toEqual([]);
  });

  test('fails early on a crash loop, with pod, container, last log lines and warnings', async () => {
    const { ctx, cluster } = ready();
    const crashing = {
      containerStatuses: [
        {
          name: 'main',
          ready: false,
          restartCount: 3,
          state: { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 1, reason: 'Error' } },
        },
      ],
    };
    cluster.hooks = {
      afterWrite(object) {
        rollOut(cluster, object);
        const [pod] = cluster.all(kinds.pods);
        if (pod !== undefined)
          putPod(cluster, {
            name: pod.metadata.name,
            labels: pod.metadata.labels ?? {},
            ready: false,
            status: crashing,
          });
        cluster.change(ref, (workload) => {
          workload.status = { ...workload.status, readyReplicas: 1 };
        });
        cluster.put(kinds.events, {
          metadata: { name: 'e1', namespace: 'nvcf' },
          type: 'Warning',
          reason: 'BackOff',
          message: 'Back-off restarting failed container',
          count: 4,
          involvedObject: { kind: 'Pod', name: pod?.metadata.name ?? '' },
          lastTimestamp: '2027-01-10T08:00:00Z',
        });
      },
      log: (_, options) => (options.previous === true ? ['starting', 'cannot read the key file'] : ['now']),
    };
    const failed = await rolloutRestart.run(input, ctx).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'crash-loop', hint: expect.stringContaining('roll back') });
    const { message, details } = failed as { message: string; details: readonly string[] };
    expect(message).toMatch(
      /^Deployment nvcf\/api: container main of pod api-\w+-0 crashes again and again: 3 restarts, the last one after exit code 1\.$/,
    );
    expect(details).toContain('  cannot read the key file');
    expect(details.join('\n')).toMatch(/BackOff ×4: Back-off restarting failed container/);
  });

  test('gives an image that cannot be pulled a little time, then fails', async () => {
    const { ctx, cluster, clock } = ready();
    cluster.hooks = {
      afterWrite(object) {
        rollOut(cluster, object);
        const [pod] = cluster.all(kinds.pods);
        const status = {
          containerStatuses: [
            {
              name: 'main',
              image: 'main:1',
              ready: false,
              restartCount: 0,
              state: { waiting: { reason: 'ImagePullBackOff', message: 'no such tag' } },
            },
          ],
        };
        if (pod !== undefined)
          putPod(cluster, {
            name: pod.metadata.name,
            labels: pod.metadata.labels ?? {},
            ready: false,
            status,
          });
        cluster.change(ref, (workload) => {
          workload.status = { ...workload.status, readyReplicas: 1 };
        });
      },
    };
    let failed: unknown;
    const run = rolloutRestart.run(input, ctx).catch((error: unknown) => {
      failed = error;
    });
    await clock.advance(15_000);
    expect(failed).toBeUndefined();
    await clock.advance(15_000);
    await run;
    expect(failed).toMatchObject({ code: 'image-pull', message: expect.stringContaining('no such tag') });
  });

  test('says what is missing when its time is over, and that it was stopped when it was', async () => {
    for (const [wait, code] of [
      [700_000, 'timeout'],
      [1000, 'aborted'],
    ] as const) {
      const { ctx, cluster, clock, stop } = ready();
      cluster.hooks = {};
      const run = rolloutRestart.run(input, ctx);
      run.catch(() => undefined);
      await clock.advance(wait, 50_000);
      stop.abort();
      await expect(run).rejects.toMatchObject({
        code,
        message: expect.stringContaining('waiting until its controller'),
      });
    }
  });

  test('fails when somebody changes the pod template meanwhile', async () => {
    const { ctx, cluster } = ready();
    cluster.hooks = {
      afterWrite: () =>
        cluster.change(ref, (workload) => {
          workload.spec = {
            ...workload.spec,
            template: { metadata: { annotations: { 'runbook.io/op': 'another' } } },
          };
        }),
    };
    await expect(rolloutRestart.run(input, ctx)).rejects.toMatchObject({ code: 'superseded' });
  });

  test('reads again and patches what it read when the object moved, unless the template itself did', async () => {
    const { ctx, cluster } = ready();
    let conflicts = 2;
    cluster.hooks = {
      ...cluster.hooks,
      before(verb) {
        if (verb === 'patch' && conflicts-- > 0)
          throw failure(409, 'Conflict', 'the object has been modified');
      },
    };
    expect((await rolloutRestart.run(input, ctx)).verdict).toBe('complete');
    cluster.hooks = {
      before(verb) {
        if (verb !== 'patch') return;
        cluster.change(ref, (workload) => {
          workload.spec = { ...workload.spec, template: { metadata: { labels: { app: 'other' } } } };
        });
        throw failure(409, 'Conflict', 'the object has been modified');
      },
    };
    const again = rolloutRestart.run(input, { ...ctx, operationKey: 'op-2' });
    await expect(again).rejects.toMatchObject({ code: 'conflict', outcome: 'not-applied' });
  });
});
