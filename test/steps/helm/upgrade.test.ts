import { describe, expect, test } from 'vitest';
import type { Observation } from '../../../src/engine/step-type.ts';
import { kinds } from '../../../src/services/kubernetes.ts';
import { upgrade } from '../../../src/steps/helm/upgrade.ts';
import {
  byHand,
  failureOf,
  type HelmRig,
  helmRig,
  invocation,
  statuses,
  versions,
} from '../../fakes/helm-steps.ts';
import { keepsakeRig } from '../../fakes/keepsake-rig.ts';

const input = (version: string, more: object = {}) => ({ ...invocation, version, reuse: true, ...more });

async function observe(rig: HelmRig, before: Awaited<ReturnType<typeof upgrade.capture>>, ctx = rig.ctx) {
  return await upgrade.observe(input(versions.good), before, ctx);
}

describe('helm.upgrade predicts', () => {
  test('the version, the objects and how long it takes, and changes nothing', async () => {
    const rig = await helmRig();
    const seen = await upgrade.predict(input(versions.good), rig.ctx);
    expect(seen).toMatchObject({
      predictable: true,
      changes: true,
      outputs: { revision: 2, previousRevision: 1, chartVersion: '1.5.7', previousVersion: '1.5.6' },
    });
    if (!seen.predictable) throw new Error('not predictable');
    expect(seen.diff[0]).toEqual({ path: 'chart version', before: '1.5.6', after: '1.5.7' });
    expect(seen.diff.map(({ path }) => path)).toContain(
      'Deployment nvcf/invocation-service spec.template.spec.containers[helm-nvcf-invocation-service].image',
    );
    expect(seen.duration?.max).toBeGreaterThan(seen.duration?.min ?? 0);
    expect(await statuses(rig)).toEqual(['1 deployed']);
  });

  test('Jobs that run, and pods that Helm does not replace', async () => {
    const rig = await helmRig();
    const openbao = { namespace: 'vault-system', release: 'openbao-server', reuse: true };
    const chart = 'oci://registry.sandbox/nvcf/helm-nvcf-openbao-server';
    const seen = await upgrade.predict({ ...openbao, chart, version: '0.30.26' }, rig.ctx);
    const notes = seen.notes?.join('\n') ?? '';
    expect(notes).toContain('Job openbao-server-migrations runs (post-install, post-upgrade)');
    expect(notes).not.toContain('openbao-server-initialize-cluster');
    expect(notes).toContain('openbao-server replaces its pods only when they are deleted');
  });

  test('values that change, by name', async () => {
    const rig = await helmRig();
    await rig.files.create('v.yaml', Buffer.from('replicaCount: 2\nsecretThing: canary\n'));
    const { reuse: _, ...rest } = input(versions.good, { values: 'v.yaml' });
    const seen = await upgrade.predict(rest, rig.ctx);
    if (!seen.predictable) throw new Error('not predictable');
    expect(seen.diff).toContainEqual({ path: 'values replicaCount', before: 1, after: 2 });
    expect(JSON.stringify(seen)).not.toContain('canary');
  });

  test('nothing when chart and values are there already', async () => {
    const rig = await helmRig();
    await byHand(rig, versions.good);
    expect(await upgrade.predict(input(versions.good), rig.ctx)).toMatchObject({ changes: false });
    const before = await upgrade.capture(input(versions.good), rig.ctx);
    expect(await observe(rig, before)).toMatchObject({ state: 'applied', outputs: { revision: 2 } });
  });
});

describe('helm.upgrade refuses', () => {
  test.each([
    [{ reuse: undefined }, 'invalid-input', 'default'],
    [{ values: 'x.yaml' }, 'invalid-input', 'not from both'],
    [{ reuse: undefined, values: 'missing.yaml' }, 'values-missing', 'missing.yaml'],
    [{ version: '1.5.6', reuse: undefined, values: 'other.yaml' }, 'not-newer', 'has version 1.5.6 already'],
    [{ version: '9.9.9' }, 'chart-missing', '9.9.9'],
    [{ digest: `sha256:${'0'.repeat(64)}` }, 'digest-moved', 'digest'],
    [{ release: 'ghost' }, 'release-missing', 'no such release'],
    [
      { chart: 'oci://registry.sandbox/nvcf/helm-nvcf-api', version: '1.25.2' },
      'other-chart',
      'helm-nvcf-api',
    ],
  ])('%j', async (wrong, code, text) => {
    const rig = await helmRig();
    await rig.files.create('other.yaml', Buffer.from('replicaCount: 2\n'));
    const entries = Object.entries({ ...input(versions.good), ...wrong }).filter(
      ([, value]) => value !== undefined,
    );
    const given = Object.fromEntries(entries) as never;
    for (const call of [
      upgrade.predict(given, rig.ctx),
      upgrade.capture(given, rig.ctx),
      upgrade.run(given, rig.ctx),
    ]) {
      const failure = await failureOf(call);
      expect(failure).toMatchObject({ code, outcome: 'not-applied' });
      expect(`${failure.message} ${failure.hint}`).toContain(text);
    }
    expect(await statuses(rig)).toEqual(['1 deployed']);
  });

  test('an older version, unless told', async () => {
    const rig = await helmRig();
    await byHand(rig, versions.good);
    const older = input(versions.installed);
    expect(await failureOf(upgrade.capture(older, rig.ctx))).toMatchObject({ code: 'not-newer' });
    await upgrade.run({ ...older, allowNotNewer: true }, rig.ctx);
    expect(await statuses(rig)).toEqual(['1 superseded', '2 superseded', '3 deployed']);
  });
});

describe('helm.upgrade is observed', () => {
  test('not applied, in progress, applied, and in conflict with somebody else', async () => {
    const rig = await helmRig();
    const during: Observation[] = [];
    const kubernetes = new Proxy(rig.ctx.services.kubernetes, {});
    const ctx = rig.context({ services: { ...rig.ctx.services, kubernetes } });
    const before = await upgrade.capture(input(versions.good), ctx);
    expect(await observe(rig, before)).toMatchObject({ state: 'not-applied' });
    const going = upgrade.run(input(versions.good), ctx);
    const look = async () => {
      await rig.pass(3_000);
      during.push(await observe(rig, before, ctx));
    };
    const [outputs] = await Promise.all([going, look()]);
    expect(during).toMatchObject([
      { state: 'in-progress', evidence: expect.stringContaining('pending-upgrade') },
    ]);
    expect(outputs).toMatchObject({
      revision: 2,
      previousRevision: 1,
      previousVersion: '1.5.6',
      chartVersion: '1.5.7',
    });
    expect(await observe(rig, before)).toMatchObject({ state: 'applied', outputs });
    await byHand(rig, versions.minor);
    expect(await observe(rig, before)).toMatchObject({
      state: 'conflict',
      evidence: expect.stringContaining("revision 2 was this step's"),
    });
  });

  test('in conflict when somebody else came first, and unknown when nobody may look', async () => {
    const rig = await helmRig();
    const before = await upgrade.capture(input(versions.good), rig.ctx);
    await byHand(rig, versions.minor);
    expect(await observe(rig, before)).toMatchObject({ state: 'conflict' });
    rig.sandbox.control.deny({ resource: 'secrets' });
    expect(await observe(rig, before)).toMatchObject({ state: 'unknown' });
  });

  test('stuck when its client was killed, and only then', async () => {
    const rig = await helmRig();
    const before = await upgrade.capture(input(versions.good), rig.ctx);
    const going = failureOf(upgrade.run(input(versions.good), rig.ctx));
    await rig.pass(1_000);
    rig.sandbox.control.killHelm();
    expect(await going).toMatchObject({ code: 'helm-failed', outcome: 'unknown' });
    expect(await statuses(rig)).toEqual(['1 deployed', '2 pending-upgrade']);
    const seen = await observe(rig, before);
    expect(seen).toMatchObject({ state: 'in-progress', stuck: true });
    expect(seen.evidence).toContain('its client has ended');
    // Whoever comes next is told, too, and how to get out.
    const next = await failureOf(upgrade.capture(input(versions.good), rig.context(keepsakeRig())));
    expect(next).toMatchObject({
      code: 'release-pending',
      hint: expect.stringContaining('rollback-release'),
    });
  });

  test("a killed client of somebody else is not this step's", async () => {
    const rig = await helmRig();
    const before = await upgrade.capture(input(versions.good), rig.ctx);
    const going = byHand(rig, versions.good).catch(() => undefined);
    await rig.pass(1_000);
    rig.sandbox.control.killHelm();
    await going;
    expect(await observe(rig, before)).toMatchObject({ state: 'conflict' });
  });

  test('gone when the release was removed', async () => {
    const rig = await helmRig();
    const before = await upgrade.capture(input(versions.good), rig.ctx);
    const ref = { kind: kinds.secrets, namespace: 'nvcf', name: 'sh.helm.release.v1.invocation-service.v1' };
    await rig.ctx.services.kubernetes.delete(ref, {});
    expect(await observe(rig, before)).toMatchObject({ state: 'conflict' });
  });
});

describe('helm.upgrade explains its failure', () => {
  test('by the pod that crashes, with its last words', async () => {
    const rig = await helmRig();
    const started = rig.ctx.services.clock.now();
    const failure = await failureOf(upgrade.run(input(versions.unready), rig.ctx));
    // Nobody waits an hour for pods that crash.
    expect(rig.ctx.services.clock.now() - started).toBeLessThan(180_000);
    expect((await statuses(rig)).at(-1)).toBe('2 failed');
    expect(failure).toMatchObject({ code: 'helm-failed', outcome: 'unknown' });
    expect(failure.message).toMatch(
      /Helm was stopped .* is no use\. Deployment nvcf\/invocation-service: .*crashes/,
    );
    expect(failure.details.join('\n')).toContain('panic: crash requested');
    expect(failure.hint).toContain('revision');
    expect(rig.progress.some(({ text }) => /pending-upgrade; invocation-service: .*crashes/.test(text))).toBe(
      true,
    );
  });

  test('by the pod that is not ready when the time is over', async () => {
    const rig = await helmRig();
    const ctx = rig.context({ deadline: rig.ctx.services.clock.now() + 35_000 });
    const failure = await failureOf(upgrade.run(input(versions.unready), ctx));
    expect(failure.message).toMatch(/context deadline exceeded\. Deployment nvcf\/invocation-service: /);
  });

  test('by the hook that failed, with its last words', async () => {
    const rig = await helmRig();
    const failure = await failureOf(upgrade.run(input(versions.brokenHook), rig.ctx));
    expect(failure.message).toContain('The hook Job nvcf/invocation-service-migrations failed.');
    expect(failure.details.join('\n')).toContain('dirty database version 42');
  });
});
