import { describe, expect, test } from 'vitest';
import type { Observation } from '../../../src/engine/step-type.ts';
import { kinds } from '../../../src/services/kubernetes.ts';
import { rolloutRestart } from '../../../src/steps/kubectl/rollout-restart.ts';
import { putWorkload, rollOut } from '../../fakes/rollout-objects.ts';
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

describe('predict', () => {
  test('shows the annotation and the number of pods, and changes nothing', async () => {
    const { ctx, cluster } = ready();
    const predicted = await rolloutRestart.predict(input, ctx);
    expect(predicted).toMatchObject({ predictable: true, changes: true });
    if (!predicted.predictable) return;
    expect(predicted.notes?.[0]).toBe('2 pods restart');
    expect(JSON.stringify(predicted.diff)).toContain('runbook.io/op');
    expect(predicted.duration?.max).toBeGreaterThan(predicted.duration?.min ?? 0);
    expect(cluster.writes).toEqual([]);
  });

  test('names whoever else writes to the object', async () => {
    const { ctx, cluster } = stepRig();
    putWorkload(cluster, {
      labels: { 'argocd.argoproj.io/instance': 'nvcf', 'helm.toolkit.fluxcd.io/name': 'api' },
    });
    cluster.put(kinds.horizontalPodAutoscalers, {
      metadata: { name: 'api-hpa', namespace: 'nvcf' },
      spec: { scaleTargetRef: { kind: 'Deployment', name: 'api' } },
    });
    const { notes } = await rolloutRestart.predict(input, ctx);
    expect(notes?.join('\n')).toMatch(/api-hpa.*\n.*Argo CD.*\n.*Flux \(HelmRelease\)/);
  });
});

describe('observe', () => {
  async function seen(
    prepare: (rig: ReturnType<typeof ready>) => void | Promise<void>,
  ): Promise<Observation> {
    const rig = ready();
    const before = await rolloutRestart.capture(input, rig.ctx);
    await prepare(rig);
    return await rolloutRestart.observe(input, before, rig.ctx);
  }

  test('applied: our mark is in the template and the rollout is complete', async () => {
    const observed = await seen(async ({ ctx }) => void (await rolloutRestart.run(input, ctx)));
    expect(observed).toMatchObject({ state: 'applied', outputs: { verdict: 'complete', ready: 2 } });
    expect(observed.witnesses?.[0]?.description).toBe('Deployment nvcf/api generation 2');
  });

  test('not-applied: the template is as it was', async () => {
    expect(await seen(() => undefined)).toMatchObject({ state: 'not-applied' });
  });

  test('in-progress: our mark is there, the pods are not; stuck when they cannot come', async () => {
    const patchOnly = async ({ ctx, cluster }: ReturnType<typeof ready>, status: object) => {
      cluster.hooks = {};
      await cluster.patch(ref, {
        type: 'strategic',
        body: { spec: { template: { metadata: { annotations: { 'runbook.io/op': ctx.operationKey } } } } },
      });
      cluster.change(ref, (workload) => {
        workload.status = { ...workload.status, ...status };
      });
    };
    const going = await seen((rig) => patchOnly(rig, {}));
    expect(going).toMatchObject({ state: 'in-progress' });
    expect(going.stuck).toBeUndefined();
    const late = {
      observedGeneration: 2,
      updatedReplicas: 1,
      conditions: [{ type: 'Progressing', reason: 'ProgressDeadlineExceeded' }],
    };
    expect(await seen((rig) => patchOnly(rig, late))).toMatchObject({ state: 'in-progress', stuck: true });
  });

  test('conflict: restarted by us, then changed by somebody else; or another object of the same name', async () => {
    const changed = await seen(async ({ ctx, cluster }) => {
      await rolloutRestart.run(input, ctx);
      await cluster.patch(ref, {
        type: 'merge',
        body: { spec: { template: { metadata: { annotations: { 'runbook.io/op': 'x' } } } } },
      });
    });
    expect(changed).toMatchObject({ state: 'conflict' });
    const again = await seen(({ cluster }) => {
      cluster.change(ref, (workload) => {
        workload.metadata = { ...workload.metadata, uid: 'another' };
      });
    });
    expect(again).toMatchObject({ state: 'conflict', evidence: expect.stringContaining('created again') });
    expect(await seen(({ cluster }) => cluster.remove(ref))).toMatchObject({ state: 'conflict' });
  });

  test('unknown: it may not be read; a blip is thrown, for somebody to ask again', async () => {
    const denied = (status: number) => (rig: ReturnType<typeof ready>) => {
      rig.cluster.hooks = {
        before: (verb) => {
          if (verb === 'get') throw failure(status, 'Forbidden', 'no');
        },
      };
    };
    expect(await seen(denied(403))).toMatchObject({ state: 'unknown' });
    await expect(seen(denied(503))).rejects.toMatchObject({ code: 'server-error', retryable: true });
  });
});
