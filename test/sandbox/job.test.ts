import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/engine/json.ts';
import type { Kind } from '../../src/services/kubernetes.ts';
import { at, conditionOf, namespace, openLab, pass, podsOf, script } from './rig.ts';

const jobs: Kind = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true };

function job(text: string, backoffLimit: number): JsonObject {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'migrate', namespace },
    spec: {
      backoffLimit,
      template: {
        spec: {
          restartPolicy: 'Never',
          containers: [{ name: 'main', image: 'busybox:1.36', ...script(text) }],
        },
      },
    },
  };
}

describe('a Job', () => {
  test('runs one pod, and is complete when that has succeeded', async () => {
    const sandbox = await openLab();
    await sandbox.services.kubernetes.create(job('echo done; sleep 3', 2));
    await pass(sandbox, 1_000);
    const running = await sandbox.services.kubernetes.get({ kind: jobs, namespace, name: 'migrate' });
    expect(at(running, 'status', 'active')).toBe(1);
    expect(conditionOf(running, 'Complete')).toBeUndefined();
    await pass(sandbox, 10_000);
    const ended = await sandbox.services.kubernetes.get({ kind: jobs, namespace, name: 'migrate' });
    expect(at(ended, 'status')).toMatchObject({ succeeded: 1, completionTime: expect.any(String) });
    expect(conditionOf(ended, 'Complete')).toMatchObject({ status: 'True' });
    const [pod, ...others] = await podsOf(sandbox);
    expect(others).toEqual([]);
    expect(pod?.metadata.labels).toMatchObject({ 'job-name': 'migrate' });
  });

  test('tries again with growing pauses, and fails at its limit', async () => {
    const sandbox = await openLab();
    await sandbox.services.kubernetes.create(job('echo no; exit 3', 1));
    await pass(sandbox, 5_000);
    expect(await podsOf(sandbox)).toHaveLength(1);
    await pass(sandbox, 15_000);
    const failed = await sandbox.services.kubernetes.get({ kind: jobs, namespace, name: 'migrate' });
    expect(conditionOf(failed, 'Failed')).toMatchObject({ status: 'True', reason: 'BackoffLimitExceeded' });
    expect(at(failed, 'status', 'failed')).toBe(2);
    await pass(sandbox, 600_000);
    expect(await podsOf(sandbox)).toHaveLength(2);
  });

  test('takes its pods along when it is deleted', async () => {
    const sandbox = await openLab();
    await sandbox.services.kubernetes.create(job('echo done', 0));
    await pass(sandbox, 10_000);
    await sandbox.services.kubernetes.delete({ kind: jobs, namespace, name: 'migrate' }, {});
    await pass(sandbox, 1_000);
    expect(await podsOf(sandbox)).toEqual([]);
  });
});
