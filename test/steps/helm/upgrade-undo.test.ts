import { describe, expect, test } from 'vitest';
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

const input = (version: string, more: object = {}) => ({ ...invocation, version, reuse: true, ...more });

async function observe(rig: HelmRig, before: Awaited<ReturnType<typeof upgrade.capture>>, ctx = rig.ctx) {
  return await upgrade.observe(input(versions.good), before, ctx);
}

describe('helm.upgrade is undone', () => {
  const undo = (rig: HelmRig, before: Awaited<ReturnType<typeof upgrade.capture>>, more: object = {}) => {
    if (typeof upgrade.undo !== 'function') throw new Error('it has no undo');
    return upgrade.undo(input(versions.good, more), before, undefined, rig.ctx);
  };

  test('by a rollback to the revision that was deployed, once', async () => {
    const rig = await helmRig();
    const before = await upgrade.capture(input(versions.good), rig.ctx);
    await upgrade.run(input(versions.good), rig.ctx);
    await undo(rig, before);
    expect(await statuses(rig)).toEqual(['1 superseded', '2 superseded', '3 deployed']);
    expect(await observe(rig, before)).toMatchObject({ state: 'not-applied' });
    await undo(rig, before);
    expect(await statuses(rig)).toHaveLength(3);
  });

  test('after it failed, and after its client was killed', async () => {
    for (const kill of [false, true]) {
      const rig = await helmRig();
      const ctx = rig.context({ deadline: rig.ctx.services.clock.now() + 60_000 });
      const before = await upgrade.capture(input(versions.unready), ctx);
      const going = failureOf(upgrade.run(input(versions.unready), ctx));
      await rig.pass(5_000);
      if (kill) rig.sandbox.control.killHelm();
      await going;
      expect((await statuses(rig)).at(-1)).toBe(kill ? '2 pending-upgrade' : '2 failed');
      await undo(rig, before);
      expect((await statuses(rig)).at(-1)).toBe('3 deployed');
      expect(await observe(rig, before)).toMatchObject({ state: 'not-applied' });
    }
  });

  test('not over a change that somebody else has made since', async () => {
    const rig = await helmRig();
    const before = await upgrade.capture(input(versions.good), rig.ctx);
    await upgrade.run(input(versions.good), rig.ctx);
    await byHand(rig, versions.minor);
    expect(await failureOf(undo(rig, before))).toMatchObject({ code: 'conflict', outcome: 'not-applied' });
  });

  test("not over a pending revision of somebody else's", async () => {
    const rig = await helmRig();
    const before = await upgrade.capture(input(versions.good), rig.ctx);
    // A client of this step that never got as far as a revision.
    await rig.ctx.keep('helm-clients', Buffer.from('{"pid":1,"startTime":1,"bootId":"sandbox"}\n'));
    const theirs = byHand(rig, versions.good);
    await rig.pass(1_000);
    expect(await observe(rig, before)).toMatchObject({ state: 'conflict' });
    expect(await failureOf(undo(rig, before))).toMatchObject({ code: 'conflict', outcome: 'not-applied' });
    await theirs;
  });

  test('not by itself once a Job of the upgrade ran', async () => {
    const rig = await helmRig();
    const before = await upgrade.capture(input(versions.brokenHook), rig.ctx);
    await failureOf(upgrade.run(input(versions.brokenHook), rig.ctx));
    const failure = await failureOf(undo(rig, before));
    expect(failure).toMatchObject({ code: 'hooks-ran', outcome: 'not-applied' });
    expect(failure.message).toBe(
      'Release nvcf/invocation-service stays at revision 2 (helm-nvcf-invocation-service 1.5.9, failed): its upgrade ran the Job invocation-service-migrations, and rolling back would not take back what that did.',
    );
    await undo(rig, before, { undoAfterHooks: true });
    expect((await statuses(rig)).at(-1)).toBe('3 deployed');
  });

  test('again when the client that rolled back was killed', async () => {
    const rig = await helmRig();
    const before = await upgrade.capture(input(versions.good), rig.ctx);
    await upgrade.run(input(versions.good), rig.ctx);
    const going = failureOf(undo(rig, before));
    await rig.pass(1_000);
    expect(await observe(rig, before)).toMatchObject({ state: 'in-progress' });
    rig.sandbox.control.killHelm();
    await going;
    expect((await statuses(rig)).at(-1)).toBe('3 pending-rollback');
    expect(await observe(rig, before)).toMatchObject({ state: 'applied' });
    await undo(rig, before);
    expect((await statuses(rig)).at(-1)).toBe('4 deployed');
    expect(await observe(rig, before)).toMatchObject({ state: 'not-applied' });
  });
});
