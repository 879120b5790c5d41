import { describe, expect, test } from 'vitest';
import type { RunContext } from '../../../src/engine/step-type.ts';
import { fromSecret, type ReleaseRecord, secretName, toSecret } from '../../../src/sandbox/helm/records.ts';
import { kinds } from '../../../src/services/kubernetes.ts';
import { diff } from '../../../src/steps/helm/diff.ts';
import { getValues } from '../../../src/steps/helm/get-values.ts';
import { rollback } from '../../../src/steps/helm/rollback.ts';
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

const at = { namespace: invocation.namespace, release: invocation.release };
const good = { ...invocation, version: versions.good };
const fromFile = { ...good, values: 'values.yaml' };

/** What a revision of the release looks like after somebody, or a Helm client that died, left it so. */
async function leave({ ctx }: HelmRig, revision: number, status: string): Promise<void> {
  const { kubernetes } = ctx.services;
  const record = { name: at.release, version: revision };
  const ref = { kind: kinds.secrets, namespace: at.namespace, name: secretName(record) };
  const secret = await kubernetes.get(ref);
  const found = fromSecret(secret as unknown as Parameters<typeof fromSecret>[0]);
  const left: ReleaseRecord = { ...found, info: { ...found.info, status } };
  const { metadata, data } = toSecret(left) as { metadata: { labels?: object }; data: object };
  await kubernetes.patch(ref, {
    type: 'merge',
    body: { metadata: { labels: metadata.labels ?? {} }, data } as never,
  });
}

async function refused(rig: HelmRig, input: object) {
  const calls = [upgrade.predict, upgrade.capture, upgrade.run].map((call) =>
    failureOf(call(input as never, rig.ctx)),
  );
  const [one, ...others] = await Promise.all(calls);
  expect(others.map(({ code, message }) => [code, message])).toEqual(
    others.map(() => [one?.code, one?.message]),
  );
  expect(one?.outcome).toBe('not-applied');
  return one;
}

describe('a values file', () => {
  test.for<[string, string | undefined, string, RegExp]>([
    ['is missing', undefined, 'values-missing', /values\.yaml/],
    ['is no YAML', 'a: [1, 2', 'values-invalid', /no YAML map/],
    ['is a list', '- 1\n- 2\n', 'values-invalid', /no YAML map/],
    ['has two documents', 'a: 1\n---\nb: 2\n', 'values-invalid', /no YAML map/],
    ['has a value that the chart does not take', 'replicaCount: many\n', 'values-invalid', /replicaCount/],
    ['is encrypted', 'age-encryption.org/v1\n-> X25519 abc\n', 'values-encrypted', /age --decrypt/],
  ])('that %s is refused before anything is done', async ([_, text, code, said]) => {
    const rig = await helmRig();
    if (text !== undefined) await rig.files.create('values.yaml', Buffer.from(text));
    const failure = await refused(rig, fromFile);
    expect(failure?.code).toBe(code);
    expect(`${failure?.message} ${failure?.hint}`).toMatch(said);
    expect(await failureOf(diff.run(fromFile, rig.ctx))).toMatchObject({ code });
    expect(await statuses(rig)).toEqual(['1 deployed']);
  });

  test('that nobody may read is refused, and not taken for an empty one', async () => {
    const rig = await helmRig();
    rig.files.read = async () => {
      throw new Error('Cannot read values.yaml: permission denied');
    };
    const failure = await refused(rig, fromFile);
    expect(failure).toMatchObject({
      code: 'values-missing',
      message: expect.stringContaining('permission denied'),
    });
  });

  test('that is older than the release is named with the values that would go', async () => {
    const rig = await helmRig();
    await rig.files.create('newer.yaml', Buffer.from('replicaCount: 1\nenv:\n  LIMIT: "5"\n'));
    await upgrade.run({ ...good, values: 'newer.yaml' }, rig.ctx);
    await rig.files.create('values.yaml', Buffer.from('replicaCount: 1\n'));
    const input = { ...fromFile, allowNotNewer: true };
    const seen = await upgrade.predict(input, rig.ctx);
    expect(seen.notes).toContain(
      'the values file lacks what the release has: env.LIMIT; is it older than the release?',
    );
    // One that has them says nothing of the kind.
    const same = await upgrade.predict(
      { ...input, version: versions.unready, values: 'newer.yaml' },
      rig.ctx,
    );
    expect(same.notes?.filter((note) => note.includes('older than the release'))).toEqual([]);
  });
});

describe('a release', () => {
  test.for(['pending-install', 'pending-upgrade', 'pending-rollback'])(
    'that is %s is refused, with the way out',
    async (status) => {
      const rig = await helmRig();
      await byHand(rig, versions.good);
      await leave(rig, 2, status);
      const failure = await refused(rig, { ...invocation, version: versions.unready, reuse: true });
      expect(failure?.code).toBe('release-pending');
      expect(failure?.message).toContain(`${status} at revision 2`);
      expect(failure?.hint).toMatch(/rollback-release|uninstall it/);
    },
  );

  test.for(['failed', 'pending-install'])('that is %s at revision 1 was never installed', async (status) => {
    const rig = await helmRig();
    await leave(rig, 1, status);
    const failure = await refused(rig, { ...good, reuse: true });
    expect(failure?.code).toMatch(/^(never-deployed|release-pending)$/);
    expect(failure?.hint).toContain('uninstall it and install it again');
    expect(await failureOf(rollback.capture({ ...at, revision: 0 }, rig.ctx))).toMatchObject({
      outcome: 'not-applied',
    });
  });

  test('whose earlier revision is kept no longer cannot be rolled back, and says how else', async () => {
    const rig = await helmRig();
    const ctx: RunContext = rig.ctx;
    const input = { ...good, reuse: true };
    const before = await upgrade.capture(input, ctx);
    await upgrade.run(input, ctx);
    const name = secretName({ name: at.release, version: 1 });
    await ctx.services.kubernetes.delete({ kind: kinds.secrets, namespace: at.namespace, name }, {});
    if (typeof upgrade.undo !== 'function') throw new Error('it has no undo');
    const failure = await failureOf(upgrade.undo(input, before, undefined, ctx));
    expect(failure).toMatchObject({ code: 'revision-pruned', outcome: 'not-applied' });
    expect(failure.hint).toContain('values of the backup');
    expect(await statuses(rig)).toEqual(['2 deployed']);
  });

  test('that is missing has no values to back up, and none of another release are taken', async () => {
    const rig = await helmRig();
    const input = { ...at, release: 'ghost', file: 'ghost.yaml' };
    expect(await failureOf(getValues.capture(input, rig.ctx))).toMatchObject({ code: 'release-missing' });
    expect(await failureOf(getValues.run(input, rig.ctx))).toMatchObject({ code: 'release-missing' });
    expect(rig.files.content.size).toBe(0);
  });
});
