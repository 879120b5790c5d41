import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/engine/json.ts';
import { createSystemClock } from '../../src/services/clock-system.ts';
import type { HelmWriter } from '../../src/services/helm.ts';
import { createHelm } from '../../src/services/helm-cli.ts';
import { type KubernetesWriter, kinds } from '../../src/services/kubernetes.ts';
import { resolveContext } from '../../src/services/kubernetes-config.ts';
import { createKubernetes } from '../../src/services/kubernetes-real.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import { type HelmSample, type HelmWorld, helmContract, helmFailureOf } from '../contract/helm.ts';
import { helmStepsContract } from '../contract/helm-steps.ts';
import { sendSignal } from '../fakes/send-signal.ts';
import { chartRegistry, digestOf, moveTag, publishChart } from './charts/registry.ts';
import { ensureUp } from './control.ts';
import { type HelmSamples, helmSamples, sampleChart } from './helm-sample.ts';

const namespace = `helm-dev-${randomBytes(3).toString('hex')}`;
const never = new AbortController().signal;
let samples: HelmSamples;
let kubernetes: KubernetesWriter;
let helm: HelmWriter;
const clock = createSystemClock();
let count = 0;

beforeAll(async () => {
  const { kubeconfig } = await ensureUp();
  samples = await helmSamples(kubeconfig);
  const environment = { ...process.env, PATH: `${samples.bin}${path.delimiter}${process.env.PATH}` };
  const runner = createProcessRunner({ kill: sendSignal, environment });
  kubernetes = createKubernetes({ kubeconfig, clock, process: runner, environment: {} });
  helm = createHelm({
    process: runner,
    context: () => resolveContext({ kubeconfig }),
    environment,
    workspace: { pid: process.pid, kill: sendSignal, now: () => clock.now() },
  });
  await kubernetes.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
});

afterAll(async () => {
  samples.remove();
  await kubernetes.delete({ kind: kinds.namespaces, name: namespace }, { propagation: 'Background' });
});

/** Installs the chart by hand, as the stack's own installation would. */
async function sample(): Promise<HelmSample> {
  const release = `sample-${++count}`;
  const values = ['--set', 'replicaCount=1', '--set', 'password=canary-password'];
  samples.helm('install', release, samples.chart('1.0.0'), '--namespace', namespace, ...values, '--wait');
  const chart = (version: string) => ({ chart: samples.chart(version), version });
  return {
    helm,
    services: { clock, helm, kubernetes },
    at: { namespace, release },
    chart: sampleChart,
    version: '1.0.0',
    good: chart('1.0.1'),
    unready: chart('1.0.2'),
    brokenHook: chart('1.0.3'),
    workload: async () => {
      const found = await kubernetes.get({ kind: kinds.deployments, namespace, name: release });
      const spec = found?.spec as { readonly replicas: number; readonly template: JsonObject };
      const containers = (spec.template.spec as JsonObject).containers as readonly JsonObject[];
      return { replicas: spec.replicas, image: String(containers[0]?.image), labels: found?.metadata.labels };
    },
  };
}

const real = async (): Promise<HelmWorld> => ({
  sample,
  kill: ({ pid }) => {
    process.kill(pid, 'SIGKILL');
  },
  until: async (seen) => {
    while (!(await seen())) await pause(100);
  },
  patience: 15_000,
});

helmContract('real releases', real);
helmStepsContract('real releases', real);

describe('charts of a registry', () => {
  let digest: string;
  const archive = (version: string) => {
    samples.helm('package', samples.chart(version), '--destination', path.dirname(samples.chart(version)));
    return path.join(path.dirname(samples.chart(version)), `${sampleChart}-${version}.tgz`);
  };

  beforeAll(async () => {
    await publishChart(archive('1.0.2'));
    digest = await publishChart(archive('1.0.1'));
  });

  const target = (one: HelmSample) => ({
    ...one.at,
    chart: `${chartRegistry}/${sampleChart}`,
    version: '1.0.1',
    values: 'reuse' as const,
  });

  test.each([true, false])('are fetched once, and told by their digest; plainHttp: %s', async (plainHttp) => {
    const one = await sample();
    const rendering = await helm.render({ ...target(one), plainHttp, digest }, never);
    expect(rendering).toMatchObject({ chartVersion: '1.0.1', digest });
    const run = { signal: never, onStart: async () => undefined, timeout: 15_000 };
    const outcome = await helm.upgrade({ ...target(one), plainHttp, digest, operation: 'rb-1' }, run);
    expect(outcome).toMatchObject({ revision: 2, digest });
  });

  test('are refused when somebody published other content under the same version', async () => {
    const one = await sample();
    const moved = await moveTag(sampleChart, { from: '1.0.2', to: '1.0.1' });
    expect(moved).not.toBe(digest);
    expect(moved).toBe(await digestOf(sampleChart, '1.0.2'));
    const failure = await helmFailureOf(helm.render({ ...target(one), digest }, never));
    expect(failure).toMatchObject({ reason: 'digest-moved', outcome: 'not-applied' });
    // Without the digest, the version inside the chart gives it away.
    expect(await helmFailureOf(helm.render(target(one), never))).toMatchObject({ reason: 'chart-missing' });
  });

  test('that do not exist, or whose registry does not answer, are told apart', async () => {
    const one = await sample();
    const missing = helm.render({ ...target(one), version: '9.9.9' }, never);
    expect(await helmFailureOf(missing)).toMatchObject({ reason: 'chart-missing' });
    const silent = helm.render({ ...target(one), chart: `oci://127.0.0.1:9/charts/${sampleChart}` }, never);
    expect(await helmFailureOf(silent)).toMatchObject({ reason: 'unreachable', retryable: true });
  });
});

test('what a failure quotes holds no value', async () => {
  const one = await sample();
  const { Secret } = await import('../../src/engine/secret.ts');
  const file = Secret.fromText('values', 'replicaCount: "canary-count"\npassword: canary-password\n');
  const run = { signal: never, onStart: async () => undefined, timeout: 15_000 };
  const target = { ...one.at, ...one.good, values: { file }, operation: 'rb-1' };
  const failure = await helmFailureOf(helm.upgrade(target, run));
  expect(failure.message).toMatch(/cannot patch|invalid|unmarshal/i);
  const history = await helm.history(one.at, never);
  expect(JSON.stringify([failure.message, failure.hint, history])).not.toContain('canary');
});
