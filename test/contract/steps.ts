import { beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/engine/json.ts';
import type { ChangeStepType } from '../../src/engine/step-type.ts';
import { type KubernetesWriter, kinds } from '../../src/services/kubernetes.ts';
import type { Services } from '../../src/services/services.ts';
import { describe as describeStep } from '../../src/steps/kubectl/describe.ts';
import { events } from '../../src/steps/kubectl/events.ts';
import { exec } from '../../src/steps/kubectl/exec.ts';
import { logs } from '../../src/steps/kubectl/logs.ts';
import { pods } from '../../src/steps/kubectl/pods.ts';
import { rolloutRestart } from '../../src/steps/kubectl/rollout-restart.ts';
import { rolloutStatus } from '../../src/steps/kubectl/rollout-status.ts';
import { rolloutUndo } from '../../src/steps/kubectl/rollout-undo.ts';
import { scale } from '../../src/steps/kubectl/scale.ts';
import { setEnv } from '../../src/steps/kubectl/set-env.ts';
import { wait } from '../../src/steps/kubectl/wait.ts';
import { steps } from '../fakes/shipped-steps.ts';
import { deploymentManifest, type KubernetesWorld, refOf, statefulSetManifest } from './kubernetes-setup.ts';
import { contextOn, expectVerdicts, type Scenario } from './step-verdicts.ts';

/** What a world lends to the step types: services, and an empty namespace to work in. */
export interface StepWorld extends KubernetesWorld {
  readonly services: Services;
  /** A cluster on which one may do nothing. */
  denied(): Promise<KubernetesWriter>;
}

const labelled = (team: string): JsonObject => ({ spec: { template: { metadata: { labels: { team } } } } });
const taken: JsonObject = {
  spec: { template: { metadata: { annotations: { 'runbook.io/op': 'x' }, labels: { team: 'z' } } } },
};

/** How each changing step type is set up, and how somebody gets in its way. */
function scenarioOf(type: string, world: StepWorld, name: string): Scenario {
  const { namespace } = world;
  const target = { kind: 'Deployment', name, namespace };
  const change =
    (body: JsonObject) =>
    ({ kubernetes }: Services) =>
      kubernetes.patch(refOf(world, kinds.deployments, name), { type: 'strategic', body });
  const container = (value: string) => ({ name: 'main', env: [{ name: 'MODE', value }] });
  switch (type) {
    case 'kubectl.rollout-restart':
    case 'kubectl.rollout-undo':
      return { input: target, meddle: change(taken) };
    case 'kubectl.scale':
      return { input: { ...target, replicas: 2 }, meddle: change({ spec: { replicas: 3 } }) };
    case 'kubectl.set-env':
      return {
        input: { ...target, container: 'main', env: { MODE: 'fast' } },
        meddle: change({ spec: { template: { spec: { containers: [container('slow')] } } } }),
      };
    case 'kubectl.patch':
      return { input: { ...target, patch: labelled('a') }, meddle: change(taken) };
    case 'kubectl.apply': {
      const manifest = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace } };
      return { input: { manifest: { ...manifest, ...labelled('a') } }, meddle: change(taken) };
    }
    default:
      throw new Error(`no scenario for ${type}`);
  }
}

const onWorkloads = [...steps.values()].filter(
  (type): type is ChangeStepType<never, object> =>
    type.effect === 'change' && type.type.startsWith('kubectl.') && !/exec|delete-pod|secret/.test(type.type),
);

/** The same step types, the same answers, on the sandbox and on a real cluster. */
export function stepsContract(on: string, setup: () => Promise<StepWorld>): void {
  let world: StepWorld;
  const settledDeployment = async (name: string, replicas = 1) => {
    await world.kubernetes.create(deploymentManifest(world, name, { replicas }));
    await rolloutStatus.run(
      { kind: 'Deployment', name, namespace: world.namespace },
      contextOn(world.services),
    );
  };

  describe(`step types on ${on}`, () => {
    beforeAll(async () => {
      world = await setup();
    });

    test.each(onWorkloads.map((type) => [type.type, type] as const))(
      '%s is observed truly',
      async (type, step) => {
        const name = type.replace('kubectl.', '');
        await settledDeployment(name);
        if (type === 'kubectl.rollout-undo') {
          const ref = refOf(world, kinds.deployments, name);
          await world.kubernetes.patch(ref, { type: 'strategic', body: labelled('b') });
          const { namespace } = world;
          await rolloutStatus.run({ kind: 'Deployment', name, namespace }, contextOn(world.services));
        }
        await expectVerdicts(step, world, scenarioOf(type, world, name));
      },
    );

    test.each(['Deployment', 'StatefulSet', 'DaemonSet'] as const)(
      'a %s is restarted, and taken back a revision',
      async (kind) => {
        const { namespace } = world;
        const name = `turn-${kind.toLowerCase()}`;
        const target = { kind, name, namespace };
        await world.kubernetes.create(manifestOf(world, kind, name));
        const ctx = contextOn(world.services);
        await rolloutStatus.run(target, ctx);
        const first = await pods.run({ namespace, selector: `app=${name}` }, ctx);
        const restarted = await rolloutRestart.run(target, ctx);
        expect(restarted).toMatchObject({ verdict: 'complete', ready: restarted.replicas });
        expect(restarted.revision).not.toBe(first.pods[0]?.revision);
        const before = await rolloutUndo.capture(target, ctx);
        const undone = await rolloutUndo.run(target, ctx);
        expect(undone.revision).toBe(first.pods[0]?.revision);
        if (typeof rolloutUndo.undo !== 'function') throw new Error('no undo');
        await rolloutUndo.undo(target, before, undone, ctx);
        const now = await rolloutStatus.run(target, ctx);
        expect(now.revision).toBe(restarted.revision);
      },
    );

    test('scaling and environment are undone without a trace', async () => {
      const { namespace } = world;
      const name = 'undone';
      const target = { kind: 'Deployment', name, namespace } as const;
      await settledDeployment(name, 2);
      const ref = refOf(world, kinds.deployments, name);
      // An empty list and none are the same to the API server.
      const template = async (): Promise<unknown> =>
        JSON.parse(JSON.stringify((await world.kubernetes.get(ref))?.spec), (_, value) =>
          Array.isArray(value) && value.length === 0 ? undefined : value,
        );
      const first = await template();
      const ctx = contextOn(world.services);
      if (typeof scale.undo !== 'function' || typeof setEnv.undo !== 'function') throw new Error('no undo');
      const off = { ...target, replicas: 0, remember: true };
      const count = await scale.capture(off, ctx);
      await scale.run(off, ctx);
      expect((await pods.run({ namespace, selector: `app=${name}`, allowNone: true }, ctx)).count).toBe(0);
      await scale.undo(off, count, undefined, ctx);
      const env = { ...target, container: 'main', env: { A: '1', B: '2' } };
      const variables = await setEnv.capture(env, ctx);
      await setEnv.run(env, ctx);
      await setEnv.undo(env, variables, undefined, ctx);
      expect(await template()).toEqual(first);
    });

    test.each([
      ['crash-loop', { script: 'echo cannot read key; exit 3' }, 'exit code 3'],
      ['image-pull', { image: 'does-not-exist:1' }, 'does-not-exist:1'],
      ['unschedulable', { resources: { requests: { cpu: '4000' } } }, 'fits on no node'],
    ] as const)(
      'a rollout that ends in %s says so, with the last words of the container',
      async (name, how, text) => {
        const { script, ...container } = { script: undefined, ...how };
        const manifest = deploymentManifest(world, name, { ...(script !== undefined && { script }) });
        const spec = manifest.spec as { template: { spec: { containers: JsonObject[] } } };
        spec.template.spec.containers = [{ ...spec.template.spec.containers[0], ...container }];
        await world.kubernetes.create(manifest);
        const failed: unknown = await rolloutStatus
          .run({ kind: 'Deployment', name, namespace: world.namespace }, contextOn(world.services))
          .catch((error: unknown) => error);
        expect(failed).toMatchObject({
          code: name,
          message: expect.stringContaining(text),
          details: script === undefined ? expect.anything() : expect.arrayContaining(['  cannot read key']),
        });
        await world.kubernetes.delete(refOf(world, kinds.deployments, name), {});
      },
    );

    test('a pod is read, described, followed and entered', async () => {
      const { namespace } = world;
      const ctx = contextOn(world.services);
      await settledDeployment('looked-at');
      const where = { namespace, selector: 'app=looked-at' };
      const { pods: found } = await pods.run(where, ctx);
      expect(found).toMatchObject([
        { ready: true, restarts: 0, containers: [{ name: 'main', state: 'running' }] },
      ]);
      expect(
        (await logs.run({ ...where, match: 'start.d', regex: true, follow: '30s' }, ctx)).podsWithLines,
      ).toBe(1);
      const described = await describeStep.run({ kind: 'Pod', ...where }, ctx);
      expect(described.text).toMatch(/Pod \(v1\)[\s\S]*phase: Running[\s\S]*events:\n/);
      const seen = await events.run({ namespace, kind: 'Pod', name: found[0]?.name ?? '' }, ctx);
      expect(seen.events.map((event) => event.reason)).toContain('Started');
      const inside = { namespace, selector: 'app=looked-at', effect: 'read' as const };
      expect((await exec.run({ ...inside, command: ['echo', 'a b'] }, ctx)).stdout).toBe('a b\n');
      const failing = exec.run({ ...inside, command: ['sh', '-c', 'exit 7'] }, ctx);
      await expect(failing).rejects.toMatchObject({
        code: 'exit-code',
        message: expect.stringContaining('exit code 7'),
      });
      const ready = { kind: 'Deployment', name: 'looked-at', namespace, condition: 'Available' };
      expect(await wait.run(ready, ctx)).toEqual({
        objects: [{ name: 'looked-at', value: 'True' }],
        count: 1,
      });
    });

    test('what is not there, or not allowed, is said so', async () => {
      const { namespace } = world;
      const ctx = contextOn(world.services);
      const ghost = { kind: 'Deployment', name: 'ghost', namespace } as const;
      await expect(rolloutRestart.run(ghost, ctx)).rejects.toMatchObject({ code: 'not-found' });
      const nowhere = rolloutRestart.run({ ...ghost, namespace: 'no-such-namespace' }, ctx);
      await expect(nowhere).rejects.toMatchObject({ code: 'namespace-not-found' });
      const denied = contextOn({ ...world.services, kubernetes: await world.denied() });
      await expect(pods.run({ namespace, selector: 'app=x' }, denied)).rejects.toMatchObject({
        code: 'forbidden',
        message: expect.stringContaining('list pods'),
      });
    });
  });
}

function manifestOf(
  world: StepWorld,
  kind: 'Deployment' | 'StatefulSet' | 'DaemonSet',
  name: string,
): JsonObject {
  if (kind === 'StatefulSet') return statefulSetManifest(world, name, { replicas: 2 });
  const deployment = deploymentManifest(world, name, { replicas: 2 });
  if (kind === 'Deployment') return deployment;
  const { replicas: _, ...spec } = deployment.spec as JsonObject;
  return { ...deployment, kind, spec };
}
