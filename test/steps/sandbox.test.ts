import { describe, expect, test } from 'vitest';
import { kinds } from '../../src/services/kubernetes.ts';
import { status } from '../../src/steps/bao/status.ts';
import { check as httpCheck } from '../../src/steps/http/check.ts';
import { apply } from '../../src/steps/kubectl/apply.ts';
import { deletePod } from '../../src/steps/kubectl/delete-pod.ts';
import { describe as describeStep } from '../../src/steps/kubectl/describe.ts';
import { exec } from '../../src/steps/kubectl/exec.ts';
import { logs } from '../../src/steps/kubectl/logs.ts';
import { pods } from '../../src/steps/kubectl/pods.ts';
import { rolloutRestart } from '../../src/steps/kubectl/rollout-restart.ts';
import { rolloutStatus } from '../../src/steps/kubectl/rollout-status.ts';
import { scale } from '../../src/steps/kubectl/scale.ts';
import { check as metricsCheck } from '../../src/steps/metrics/check.ts';
import { sandboxRig } from '../fakes/sandbox-context.ts';

const api = { kind: 'Deployment', name: 'nvcf-api', namespace: 'nvcf' } as const;
const apiPods = { namespace: 'nvcf', selector: 'app.kubernetes.io/name=helm-nvcf-api' };
const bao = { namespace: 'vault-system', selector: 'app.kubernetes.io/name=openbao,component=server' };

function broken(container: object, spec: object = {}) {
  const selector = { app: 'broken' };
  return {
    manifest: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'broken', namespace: 'nvcf' },
      spec: {
        replicas: 1,
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: selector },
          spec: { containers: [{ name: 'main', image: 'busybox:1.36', ...container }], ...spec },
        },
      },
    },
  };
}

describe('restarting', () => {
  test.each([
    ['Deployment', 'nvcf', 'nvcf-api'],
    ['StatefulSet', 'nats-system', 'nats'],
    ['StatefulSet', 'cassandra-system', 'cassandra'],
  ] as const)('a %s in %s replaces every pod of %s', async (kind, namespace, name) => {
    const { ctx, sandbox } = await sandboxRig();
    const uids = async () =>
      (await sandbox.services.kubernetes.list(kinds.pods, { namespace })).map((pod) => pod.metadata.uid);
    const before = await uids();
    const outputs = await rolloutRestart.run({ kind, name, namespace }, ctx);
    expect(outputs).toMatchObject({ verdict: 'complete', ready: outputs.replicas });
    const set = await sandbox.services.kubernetes.list(kinds.pods, { namespace });
    const own = set.filter((pod) => outputs.pods.includes(pod.metadata.name));
    expect(own).toHaveLength(outputs.replicas);
    expect(own.filter((pod) => before.includes(pod.metadata.uid))).toEqual([]);
    await rolloutRestart.run({ kind, name, namespace }, ctx);
    expect((await uids()).sort()).toEqual(set.map((pod) => pod.metadata.uid).sort());
  });

  test('OpenBao is refused, with the runbook that can', async () => {
    const { ctx } = await sandboxRig();
    const wrong = rolloutRestart.run(
      { kind: 'StatefulSet', name: 'openbao-server', namespace: 'vault-system' },
      ctx,
    );
    await expect(wrong).rejects.toMatchObject({
      code: 'on-delete',
      hint: expect.stringContaining('restart-service'),
    });
  });

  test('goes on over an outage of the API server and forgotten watches', async () => {
    const { ctx, sandbox } = await sandboxRig();
    const run = rolloutRestart.run(api, ctx);
    await sandbox.services.clock.sleep(2000, ctx.signal);
    sandbox.control.outage(15_000);
    await sandbox.services.clock.sleep(20_000, ctx.signal);
    sandbox.control.compact();
    expect((await run).verdict).toBe('complete');
  });

  test('the predicted change is the one that is made, and nothing is changed by predicting', async () => {
    const { ctx, sandbox } = await sandboxRig();
    const ref = { kind: kinds.deployments, namespace: 'nvcf', name: 'nvcf-api' };
    const before = await sandbox.services.kubernetes.get(ref);
    const predicted = await rolloutRestart.predict(api, ctx);
    expect(await sandbox.services.kubernetes.get(ref)).toEqual(before);
    expect(predicted.predictable && predicted.diff.map((line) => line.path).join()).toContain(
      'runbook.io/op',
    );
  });
});

describe('a rollout that cannot end well says why', () => {
  test('image that cannot be pulled', async () => {
    const { ctx } = await sandboxRig();
    const failed = apply.run(broken({ image: 'registry/does-not-exist:1' }), ctx);
    await expect(failed).rejects.toMatchObject({
      code: 'image-pull',
      message: expect.stringMatching(
        /^Deployment nvcf\/broken: the image registry\/does-not-exist:1 for container main of pod broken-/,
      ),
    });
  });

  test('crash loop, with the last words of the container', async () => {
    const { ctx } = await sandboxRig();
    const failed = apply.run(broken({ command: ['sh', '-c', 'echo cannot read key; exit 3'] }), ctx);
    const error = await failed.catch(
      (thrown: unknown) => thrown as { code: string; message: string; details: string[] },
    );
    expect(error).toMatchObject({ code: 'crash-loop', message: expect.stringContaining('exit code 3') });
    expect('details' in error && error.details).toContain('  cannot read key');
  });

  test('no node has room', async () => {
    const { ctx } = await sandboxRig();
    const failed = apply.run(broken({ resources: { requests: { cpu: '4000' } } }), ctx);
    await expect(failed).rejects.toMatchObject({
      code: 'unschedulable',
      message: expect.stringContaining('fits on no node'),
    });
  });

  test('a quota is used up', async () => {
    const { ctx, sandbox } = await sandboxRig();
    await sandbox.services.kubernetes.create({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'small', namespace: 'nvcf' },
      spec: { hard: { pods: '0' } },
    });
    await expect(apply.run(broken({}), ctx)).rejects.toMatchObject({
      code: 'quota',
      message: expect.stringContaining('small'),
    });
  });
});

describe('taking a service offline and back', () => {
  test('leaves no pod, and restores the count it found', async () => {
    const { ctx } = await sandboxRig();
    await scale.run({ ...api, replicas: 2 }, ctx);
    const off = await scale.run({ ...api, replicas: 0, remember: true }, { ...ctx, operationKey: 'rb-2' });
    expect(off).toMatchObject({ previous: 2, replicas: 0 });
    expect(await pods.run({ ...apiPods, allowNone: true }, ctx)).toMatchObject({ count: 0 });
    const on = await scale.run({ ...api, replicas: 'restore' }, { ...ctx, operationKey: 'rb-3' });
    expect(on).toMatchObject({ replicas: 2, ready: 2 });
  });
});

describe('OpenBao', () => {
  test('a replaced pod is Ready while it is still sealed; status tells the difference until it has caught up', async () => {
    const { ctx, pass } = await sandboxRig();
    const first = await status.run(bao, ctx);
    expect(first).toMatchObject({ count: 3, unsealed: 3, healthy: true });
    const standby = first.pods.find((pod) => !pod.active)?.name ?? '';
    const replaced = await deletePod.run({ namespace: bao.namespace, name: standby }, ctx);
    expect(replaced).toMatchObject({ deleted: standby, replacement: standby });
    const after = await status.run(bao, ctx);
    expect(after.pods.find((pod) => pod.name === standby)).toMatchObject({ sealed: true, caughtUp: false });
    expect(after.healthy).toBe(false);
    await pass(120_000);
    expect(await status.run(bao, ctx)).toMatchObject({ unsealed: 3, healthy: true });
  });
});

describe('looking', () => {
  test('at pods, logs, descriptions, health and metrics of a running service', async () => {
    const { ctx } = await sandboxRig();
    const { pods: found } = await pods.run(apiPods, ctx);
    expect(found.every((pod) => pod.ready && pod.restarts === 0)).toBe(true);
    const read = await logs.run({ ...apiPods, container: 'helm-nvcf-api', tail: 5 }, ctx);
    expect(read.podsWithLines).toBe(found.length);
    const described = await describeStep.run({ kind: 'Pod', ...apiPods }, ctx);
    expect(described.text).toContain('helm-nvcf-api');
    expect(await rolloutStatus.run({ ...api, wait: false }, ctx)).toMatchObject({ verdict: 'complete' });
    const health = await httpCheck.run(
      { url: 'http://localhost/actuator/health/readiness', through: { ...apiPods, port: 8181 } },
      ctx,
    );
    expect(health).toMatchObject({ ok: true, status: 200 });
  });

  test('at a metric of ESS', async () => {
    const { ctx } = await sandboxRig();
    const ess = { namespace: 'ess', selector: 'app.kubernetes.io/name=helm-nvcf-ess-api', port: 9464 };
    const outputs = await metricsCheck.run(
      { ...ess, metric: 'rotation_mek_delta', compare: '>=', threshold: 0, mustPass: false },
      ctx,
    );
    expect(outputs.pods.length).toBeGreaterThan(0);
    expect(outputs.pods.every((pod) => pod.error === '' || pod.error === 'it has no such series')).toBe(true);
  });

  test('inside a pod, with real exit codes', async () => {
    const { ctx } = await sandboxRig();
    const db = {
      namespace: 'cassandra-system',
      pod: 'cassandra-0',
      container: 'cassandra',
      effect: 'read' as const,
    };
    expect((await exec.run({ ...db, command: ['nodetool', 'status'] }, ctx)).stdout).toContain('UN');
    await expect(exec.run({ ...db, command: ['sh', '-c', 'exit 7'] }, ctx)).rejects.toMatchObject({
      code: 'exit-code',
    });
  });
});
