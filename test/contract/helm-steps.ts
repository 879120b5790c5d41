import { beforeAll, describe, expect, test } from 'vitest';
import type { Observation, RunContext } from '../../src/engine/step-type.ts';
import { StepError } from '../../src/engine/step-type.ts';
import type { HelmChartRef } from '../../src/services/helm.ts';
import type { ChildIdentity } from '../../src/services/process.ts';
import type { Services } from '../../src/services/services.ts';
import { diff } from '../../src/steps/helm/diff.ts';
import { getValues } from '../../src/steps/helm/get-values.ts';
import { history } from '../../src/steps/helm/history.ts';
import { rollback } from '../../src/steps/helm/rollback.ts';
import { upgrade } from '../../src/steps/helm/upgrade.ts';
import { keepsakeRig } from '../fakes/keepsake-rig.ts';
import { MemoryFiles } from '../fakes/memory-files.ts';
import type { HelmSample, HelmWorld } from './helm.ts';

type Captured = Awaited<ReturnType<typeof upgrade.capture>>;

interface Rig {
  readonly sample: HelmSample;
  readonly ctx: RunContext;
  readonly files: MemoryFiles;
  /** The Helm client that the step started last. */
  client(): Promise<ChildIdentity>;
}

/** The step types of Helm on a release that they really change. */
export function helmStepsContract(name: string, setup: () => Promise<HelmWorld>): void {
  describe(`steps of Helm on ${name}`, () => {
    let world: HelmWorld;
    beforeAll(async () => {
      world = await setup();
    });

    async function rigOf(): Promise<Rig> {
      const sample = await world.sample();
      const files = new MemoryFiles();
      const kept = keepsakeRig();
      const ctx: RunContext = {
        services: { ...sample.services, files } as unknown as Services,
        signal: new AbortController().signal,
        runId: 'run',
        instance: 'step',
        operationKey: 'rb-contract',
        deadline: sample.services.clock.now() + world.patience + 15_000,
        progress: () => undefined,
        checkpoint: async () => undefined,
        ...kept,
      };
      const client = async () => {
        const lines = new TextDecoder()
          .decode(await kept.kept('helm-clients'))
          .trim()
          .split('\n');
        return JSON.parse(lines.at(-1) ?? '') as ChildIdentity;
      };
      return { sample, ctx, files, client };
    }
    const input = ({ sample }: Rig, chart: HelmChartRef) => ({ ...sample.at, ...chart, reuse: true });
    const look = (rig: Rig, before: Captured) =>
      upgrade.observe(input(rig, rig.sample.good), before, rig.ctx);
    const statusOf = async ({ sample }: Rig) =>
      (await sample.helm.history(sample.at, new AbortController().signal)).at(-1)?.status;
    const undo = async (rig: Rig, before: Captured, chart: HelmChartRef, more: object = {}) => {
      if (typeof upgrade.undo !== 'function') throw new Error('it has no undo');
      await upgrade.undo({ ...input(rig, chart), ...more }, before, undefined, rig.ctx);
    };
    const failureOf = (call: Promise<unknown>) =>
      call.then(
        () => new Error('it did not fail'),
        (cause: unknown) => cause,
      ) as Promise<StepError>;

    test('an upgrade is predicted, seen on its way, applied, and taken back', async () => {
      const rig = await rigOf();
      const { sample, ctx } = rig;
      const given = input(rig, sample.good);
      expect(await diff.run(given, ctx)).toMatchObject({ step: 'patch', changes: true, jobs: [] });
      const predicted = await upgrade.predict(given, ctx);
      const before = await upgrade.capture(given, ctx);
      expect(await look(rig, before)).toMatchObject({ state: 'not-applied' });
      const seen: Observation[] = [];
      const going = upgrade.run(given, ctx);
      await world.until(async () => {
        if ((await statusOf(rig)) !== 'pending-upgrade') return (await statusOf(rig)) === 'deployed';
        seen.push(await look(rig, before));
        return true;
      });
      const outputs = await going;
      expect(predicted).toMatchObject({ predictable: true, outputs });
      for (const { state } of seen) expect(['in-progress', 'applied']).toContain(state);
      expect(await look(rig, before)).toMatchObject({ state: 'applied', outputs });
      await undo(rig, before, sample.good);
      expect(await look(rig, before)).toMatchObject({ state: 'not-applied' });
      expect(await upgrade.capture(given, { ...ctx, ...keepsakeRig() })).toMatchObject({
        state: { newest: 3 },
      });
    });

    test('a client that was killed is told from one that works, and its upgrade is taken back', async () => {
      const rig = await rigOf();
      const { sample, ctx } = rig;
      const before = await upgrade.capture(input(rig, sample.unready), ctx);
      const going = failureOf(upgrade.run(input(rig, sample.unready), ctx));
      await world.until(async () => (await statusOf(rig)) === 'pending-upgrade');
      expect(await look(rig, before)).toMatchObject({ state: 'in-progress' });
      expect((await look(rig, before)).stuck).not.toBe(true);
      world.kill(await rig.client());
      expect(await going).toMatchObject({ outcome: 'unknown' });
      expect(await look(rig, before)).toMatchObject({ state: 'in-progress', stuck: true });
      await undo(rig, before, sample.unready);
      expect(await look(rig, before)).toMatchObject({ state: 'not-applied' });
      expect(await statusOf(rig)).toBe('deployed');
    });

    test('pods that crash are named with their last words', async () => {
      const rig = await rigOf();
      const failure = await failureOf(upgrade.run(input(rig, rig.sample.unready), rig.ctx));
      expect(failure).toBeInstanceOf(StepError);
      expect(failure).toMatchObject({ code: 'helm-failed', outcome: 'unknown' });
      expect(failure.message).toMatch(/Deployment .*(crashes|not rolled out)/);
      expect(failure.details.join('\n')).toContain('panic:');
    });

    test('a hook that fails is named with its last words, and nothing is taken back by itself', async () => {
      const rig = await rigOf();
      const { sample, ctx } = rig;
      const before = await upgrade.capture(input(rig, sample.brokenHook), ctx);
      const failure = await failureOf(upgrade.run(input(rig, sample.brokenHook), ctx));
      expect(failure.message).toMatch(/The hook Job .*-migrations failed\./);
      expect(failure.details.join('\n')).toContain('dirty database version 42');
      expect(await failureOf(undo(rig, before, sample.brokenHook))).toMatchObject({ code: 'hooks-ran' });
      await undo(rig, before, sample.brokenHook, { undoAfterHooks: true });
      expect(await statusOf(rig)).toBe('deployed');
    });

    test('a backup of the values brings them back', async () => {
      const rig = await rigOf();
      const { sample, ctx } = rig;
      await getValues.run({ ...sample.at, file: 'backup.yaml', plain: true }, ctx);
      await rig.files.create('two.yaml', Buffer.from('replicaCount: 2\n'));
      await upgrade.run({ ...sample.at, ...sample.good, values: 'two.yaml' }, ctx);
      expect((await sample.workload()).replicas).toBe(2);
      const back = { ...sample.at, ...sample.good, values: 'backup.yaml', allowNotNewer: true };
      await upgrade.run(back, { ...ctx, operationKey: 'rb-back' });
      expect((await sample.workload()).replicas).toBe(1);
      expect(await history.run(sample.at, ctx)).toMatchObject({ newest: 3, deployed: 3, previous: 2 });
    });

    test('a rollback goes back, and back again', async () => {
      const rig = await rigOf();
      const { sample, ctx } = rig;
      await upgrade.run(input(rig, sample.good), ctx);
      const fresh = { ...ctx, ...keepsakeRig(), operationKey: 'rb-rollback' };
      const before = await rollback.capture(sample.at, fresh);
      const outputs = await rollback.run(sample.at, fresh);
      expect(outputs).toMatchObject({ revision: 3, toRevision: 1, chartVersion: sample.version });
      expect(await rollback.observe(sample.at, before, fresh)).toMatchObject({ state: 'applied', outputs });
      if (typeof rollback.undo !== 'function') throw new Error('it has no undo');
      await rollback.undo(sample.at, before, undefined, fresh);
      expect(await rollback.observe(sample.at, before, fresh)).toMatchObject({ state: 'not-applied' });
      expect(await history.run(sample.at, ctx)).toMatchObject({
        newest: 4,
        chartVersion: sample.good.version,
      });
    });
  });
}
