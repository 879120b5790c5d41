import { describe, expect, test } from 'vitest';
import { rollback } from '../../../src/steps/helm/rollback.ts';
import {
  byHand,
  failureOf,
  type HelmRig,
  helmRig,
  invocation,
  statuses,
  versions,
} from '../../fakes/helm-steps.ts';

const { chart: _, ...input } = invocation;
type Before = Awaited<ReturnType<typeof rollback.capture>>;

/** A release that was upgraded once, by hand. */
async function upgraded(): Promise<HelmRig> {
  const rig = await helmRig();
  await byHand(rig, versions.good);
  return rig;
}

async function killed(rig: HelmRig, work: Promise<unknown>): Promise<void> {
  const going = work.catch(() => undefined);
  await rig.pass(1_000);
  rig.sandbox.control.killHelm();
  await going;
}

function undo(rig: HelmRig, before: Before) {
  if (typeof rollback.undo !== 'function') throw new Error('it has no undo');
  return rollback.undo(input, before, undefined, rig.ctx);
}

test('helm.rollback predicts what goes back, and says what does not', async () => {
  const rig = await upgraded();
  const seen = await rollback.predict(input, rig.ctx);
  if (!seen.predictable) throw new Error('not predictable');
  expect(seen.outputs).toEqual({
    revision: 3,
    fromRevision: 2,
    toRevision: 1,
    chartVersion: '1.5.6',
    previousVersion: '1.5.7',
  });
  expect(seen.diff[0]).toEqual({ path: 'chart version', before: '1.5.7', after: '1.5.6' });
  expect(seen.notes?.[0]).toContain('schema migrations');
  expect(await rollback.predict({ ...input, revision: 2 }, rig.ctx)).toMatchObject({ changes: false });
});

describe('helm.rollback refuses', () => {
  test('without an earlier revision, or one that is not kept', async () => {
    const rig = await helmRig();
    for (const given of [input, { ...input, revision: 7 }]) {
      const failure = await failureOf(rollback.capture(given, rig.ctx));
      expect(failure).toMatchObject({ code: 'no-revision', outcome: 'not-applied' });
      expect(failure.hint).toContain('1 (1.5.6, deployed)');
    }
  });

  test('a pending release, unless somebody has made sure of it', async () => {
    const rig = await helmRig();
    await killed(rig, byHand(rig, versions.good));
    expect(await failureOf(rollback.capture(input, rig.ctx))).toMatchObject({ code: 'release-pending' });
    const accepted = { ...input, acceptPending: true };
    const before = await rollback.capture(accepted, rig.ctx);
    expect(await rollback.run(accepted, rig.ctx)).toMatchObject({ revision: 3, toRevision: 1 });
    expect(await statuses(rig)).toEqual(['1 superseded', '2 pending-upgrade', '3 deployed']);
    expect(await rollback.observe(accepted, before, rig.ctx)).toMatchObject({ state: 'applied' });
    expect(await failureOf(undo(rig, before))).toMatchObject({ code: 'was-broken' });
  });
});

describe('helm.rollback is observed', () => {
  test('not applied, in progress, applied, and in conflict', async () => {
    const rig = await upgraded();
    const before = await rollback.capture(input, rig.ctx);
    const look = () => rollback.observe(input, before, rig.ctx);
    expect(await look()).toMatchObject({ state: 'not-applied' });
    const going = rollback.run(input, rig.ctx);
    await rig.pass(1_000);
    expect(await look()).toMatchObject({ state: 'in-progress' });
    const outputs = await going;
    expect(outputs).toMatchObject({ revision: 3, fromRevision: 2, toRevision: 1, chartVersion: '1.5.6' });
    expect(await look()).toMatchObject({ state: 'applied', outputs });
    await byHand(rig, versions.minor);
    expect(await look()).toMatchObject({ state: 'conflict' });
    rig.sandbox.control.deny({ resource: 'secrets' });
    expect(await look()).toMatchObject({ state: 'unknown' });
  });

  test('as wanted when it is there already', async () => {
    const rig = await upgraded();
    const run = { signal: rig.ctx.signal, onStart: async () => undefined, timeout: 60_000 };
    await rig.helm.rollback({ ...invocation, revision: 1 }, run);
    const given = { ...input, revision: 1 };
    const before = await rollback.capture(given, rig.ctx);
    expect(await rollback.observe(given, before, rig.ctx)).toMatchObject({ state: 'applied' });
    await undo(rig, before);
    expect(await statuses(rig)).toHaveLength(3);
  });

  test('stuck when its client was killed; repeated, it leads to the same revision', async () => {
    const rig = await upgraded();
    const before = await rollback.capture(input, rig.ctx);
    await killed(rig, rollback.run(input, rig.ctx));
    expect(await rollback.observe(input, before, rig.ctx)).toMatchObject({
      state: 'in-progress',
      stuck: true,
    });
    const ctx = rig.context({ resumed: { to: 1 } });
    expect(await rollback.run(input, ctx)).toMatchObject({ toRevision: 1 });
    expect(await rollback.observe(input, before, ctx)).toMatchObject({ state: 'applied' });
  });
});

describe('helm.rollback is undone', () => {
  test('by going back to where it came from', async () => {
    const rig = await upgraded();
    const before = await rollback.capture(input, rig.ctx);
    await rollback.run(input, rig.ctx);
    await undo(rig, before);
    const history = await rig.helm.history(invocation, rig.ctx.signal);
    expect(history.at(-1)).toMatchObject({ revision: 4, description: 'Rollback to 2', status: 'deployed' });
    expect(await rollback.observe(input, before, rig.ctx)).toMatchObject({ state: 'not-applied' });
  });

  test('again when the client that undid it was killed', async () => {
    const rig = await upgraded();
    const before = await rollback.capture(input, rig.ctx);
    await rollback.run(input, rig.ctx);
    await killed(rig, undo(rig, before));
    expect(await rollback.observe(input, before, rig.ctx)).toMatchObject({ state: 'applied' });
    await undo(rig, before);
    expect(await rollback.observe(input, before, rig.ctx)).toMatchObject({ state: 'not-applied' });
  });

  test('not over what somebody else made since', async () => {
    const rig = await upgraded();
    const before = await rollback.capture(input, rig.ctx);
    await rollback.run(input, rig.ctx);
    await byHand(rig, versions.minor);
    expect(await failureOf(undo(rig, before))).toMatchObject({ code: 'conflict' });
  });
});
