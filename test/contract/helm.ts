import { beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { type HelmChartRef, HelmError, type HelmWriter, type ReleaseRef } from '../../src/services/helm.ts';
import type { ChildIdentity } from '../../src/services/process.ts';
import type { Services } from '../../src/services/services.ts';

/** A release of a Deployment, deployed once, and what can be made of it. */
export interface HelmSample {
  readonly helm: HelmWriter;
  /** For steps on this release: its cluster, its Helm, its time. */
  readonly services: Pick<Services, 'clock' | 'helm' | 'kubernetes'>;
  readonly at: ReleaseRef;
  readonly chart: string;
  readonly version: string;
  /** The next version of the chart: all is well. */
  readonly good: HelmChartRef;
  /** Its pods never become ready. */
  readonly unready: HelmChartRef;
  /** A Job after its upgrade fails. */
  readonly brokenHook: HelmChartRef;
  /** Replicas and image of the Deployment in the cluster. */
  workload(): Promise<{ readonly replicas: number; readonly image: string; readonly labels: unknown }>;
}

/** What an implementation lends to the contract. */
export interface HelmWorld {
  /** A release that no other test uses; its chart takes `replicaCount`, which is 1. */
  sample(): Promise<HelmSample>;
  /** SIGKILL for a client that is at work. */
  kill(client: ChildIdentity): void;
  /** Until something can be seen; virtual time passes meanwhile. */
  until(seen: () => Promise<boolean>): Promise<void>;
  /** How long an upgrade that cannot succeed is waited for, milliseconds. */
  readonly patience: number;
}

const never = new AbortController().signal;

export async function helmFailureOf(call: Promise<unknown>): Promise<HelmError> {
  const failure = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(failure).toBeInstanceOf(HelmError);
  return failure as HelmError;
}

/** Releases, their revisions, upgrades that go well, fail, are stopped and are killed, and the way back. */
export function helmContract(name: string, setup: () => Promise<HelmWorld>): void {
  describe(`Helm: ${name}`, () => {
    let world: HelmWorld;
    beforeAll(async () => {
      world = await setup();
    });

    const run = (
      more: { signal?: AbortSignal; onStart?: (client: ChildIdentity) => Promise<void> } = {},
    ) => ({
      signal: never,
      onStart: async () => undefined,
      timeout: world.patience,
      ...more,
    });
    const upgrade = (sample: HelmSample, chart: HelmChartRef, more: object = {}) => ({
      ...sample.at,
      ...chart,
      values: 'reuse' as const,
      operation: 'rb-1',
      ...more,
    });
    const statuses = async (sample: HelmSample) =>
      (await sample.helm.history(sample.at, never)).map(({ revision, status }) => [revision, status]);

    test('the program is a Helm 3', async () => {
      const { helm } = await world.sample();
      expect(await helm.version(never)).toMatch(/^v3\.\d+/);
    });

    test('a release is listed and read with its chart, its objects and its values', async () => {
      const { helm, at, chart, version } = await world.sample();
      const listed = await helm.list({ namespace: at.namespace }, never);
      const expected = { revision: 1, status: 'deployed', chart, chartVersion: version };
      expect(listed.find(({ release }) => release === at.release)).toMatchObject({ ...at, ...expected });
      const release = await helm.release(at, never);
      expect(release).toMatchObject({ ...at, ...expected, description: 'Install complete' });
      expect(release.objects.map(({ kind }) => kind)).toContain('Deployment');
      expect(release.values.revealText((text) => JSON.parse(text).replicaCount)).toBe(1);
      expect(Date.parse(release.updated)).toBeGreaterThan(Date.UTC(2020, 0, 1));
      expect((await helm.list({}, never)).length).toBeGreaterThanOrEqual(listed.length);
    });

    test('what does not exist is said to be missing, and an empty namespace is empty', async () => {
      const { helm, at } = await world.sample();
      const ghost = { ...at, release: 'ghost' };
      for (const call of [
        () => helm.history(ghost, never),
        () => helm.release(ghost, never),
        () => helm.release({ ...at, revision: 99 }, never),
        () => helm.values(ghost, never),
        () => helm.rollback({ ...at, revision: 99 }, run()),
      ])
        expect(await helmFailureOf(call())).toMatchObject({
          reason: 'release-missing',
          outcome: 'not-applied',
        });
      expect(await helm.list({ namespace: 'no-such-namespace' }, never)).toEqual([]);
    });

    test('rendering shows what an upgrade would bring, and changes nothing', async () => {
      const sample = await world.sample();
      const { helm } = sample;
      const before = await sample.workload();
      const rendering = await helm.render(upgrade(sample, sample.good), never);
      expect(rendering).toMatchObject({ chart: sample.chart, chartVersion: sample.good.version });
      expect(JSON.stringify(rendering.objects)).toContain(sample.good.version);
      expect(await statuses(sample)).toEqual([[1, 'deployed']]);
      expect(await sample.workload()).toEqual(before);
    });

    test('an upgrade ends with a new revision that carries the mark of its operation', async () => {
      const sample = await world.sample();
      const { helm } = sample;
      const clients: ChildIdentity[] = [];
      const alive: string[] = [];
      const onStart = async (client: ChildIdentity) => {
        clients.push(client);
        alive.push(helm.client(client));
      };
      const outcome = await helm.upgrade(upgrade(sample, sample.good), run({ onStart }));
      expect(outcome).toMatchObject({ revision: 2, chartVersion: sample.good.version });
      const history = await helm.history(sample.at, never);
      expect(history).toMatchObject([
        { revision: 1, status: 'superseded', chartVersion: sample.version },
        { revision: 2, status: 'deployed', chartVersion: sample.good.version, description: 'runbook rb-1' },
      ]);
      expect(await helm.isMarked({ ...sample.at, operation: 'rb-1' }, never)).toBe(true);
      expect(await helm.isMarked({ ...sample.at, operation: 'rb-2' }, never)).toBe(false);
      expect((await sample.workload()).labels).toMatchObject({
        'helm.sh/chart': `${sample.chart}-${sample.good.version}`,
      });
      expect(alive).toEqual(['alive']);
      expect(clients.map((client) => helm.client(client))).toEqual(['ended']);
    });

    test('values come from the file alone, or are kept', async () => {
      const sample = await world.sample();
      const { helm } = sample;
      const file = Secret.fromText('values', 'replicaCount: 2\nenv: {ADDED: "yes"}\n');
      await helm.upgrade(upgrade(sample, sample.good, { values: { file } }), run());
      expect((await sample.workload()).replicas).toBe(2);
      await helm.upgrade(upgrade(sample, sample.good), run());
      const values = await helm.values(sample.at, never);
      expect(values.revealText((text) => text)).toContain('ADDED');
      expect((await sample.workload()).replicas).toBe(2);
      const empty = Secret.fromText('values', '{}\n');
      await helm.upgrade(upgrade(sample, sample.good, { values: { file: empty } }), run());
      expect((await helm.values(sample.at, never)).revealText((text) => text)).not.toContain('ADDED');
      expect((await helm.values({ ...sample.at, revision: 2 }, never)).revealText((text) => text)).toContain(
        'ADDED',
      );
    });

    test('a rollback brings back chart and values as a new revision', async () => {
      const sample = await world.sample();
      const { helm } = sample;
      const before = await sample.workload();
      const file = Secret.fromText('values', 'replicaCount: 2\n');
      await helm.upgrade(upgrade(sample, sample.good, { values: { file } }), run());
      await helm.rollback({ ...sample.at, revision: 1 }, run());
      expect((await helm.history(sample.at, never)).at(-1)).toMatchObject({
        revision: 3,
        status: 'deployed',
        chartVersion: sample.version,
        description: 'Rollback to 1',
      });
      expect(await sample.workload()).toEqual(before);
      expect((await helm.values(sample.at, never)).revealText((text) => text)).toMatch(/replicaCount"?: 1/);
    });

    test('pods that never become ready fail the upgrade; the revision before is still the deployed one', async () => {
      const sample = await world.sample();
      const { helm } = sample;
      const failure = await helmFailureOf(helm.upgrade(upgrade(sample, sample.unready), run()));
      expect(failure).toMatchObject({ reason: 'failed', outcome: 'unknown' });
      expect(await statuses(sample)).toEqual([
        [1, 'deployed'],
        [2, 'failed'],
      ]);
      expect(await helm.isMarked({ ...sample.at, operation: 'rb-1' }, never)).toBe(true);
      await helm.rollback({ ...sample.at, revision: 1 }, run());
      expect((await statuses(sample)).at(-1)).toEqual([3, 'deployed']);
    });

    test('a hook that fails fails the upgrade, and the release tells how it ended', async () => {
      const sample = await world.sample();
      const { helm } = sample;
      const failure = await helmFailureOf(helm.upgrade(upgrade(sample, sample.brokenHook), run()));
      expect(failure).toMatchObject({ reason: 'failed', outcome: 'unknown' });
      expect(failure.message).toContain('post-upgrade hooks failed');
      const release = await helm.release(sample.at, never);
      expect(release.status).toBe('failed');
      expect(release.hooks.map(({ kind, phase }) => [kind, phase])).toContainEqual(['Job', 'Failed']);
    });

    test('a version or a digest that the chart does not have changes nothing', async () => {
      const sample = await world.sample();
      const { helm } = sample;
      const wrong = { ...sample.good, version: '77.0.0' };
      expect(await helmFailureOf(helm.upgrade(upgrade(sample, wrong), run()))).toMatchObject({
        reason: 'chart-missing',
        outcome: 'not-applied',
      });
      const moved = { ...sample.good, digest: `sha256:${'0'.repeat(64)}` };
      expect(await helmFailureOf(helm.upgrade(upgrade(sample, moved), run()))).toMatchObject({
        reason: 'digest-moved',
        outcome: 'not-applied',
      });
      expect(await statuses(sample)).toEqual([[1, 'deployed']]);
    });

    test('an upgrade that is stopped says so in its revision', async () => {
      const sample = await world.sample();
      const { helm } = sample;
      const stop = new AbortController();
      const going = helmFailureOf(
        helm.upgrade(upgrade(sample, sample.unready), run({ signal: stop.signal })),
      );
      await world.until(async () => (await statuses(sample)).at(-1)?.[1] === 'pending-upgrade');
      stop.abort();
      expect(await going).toMatchObject({ reason: 'failed', outcome: 'unknown' });
      expect((await statuses(sample)).at(-1)).toEqual([2, 'failed']);
    });

    test('a client that was killed leaves a pending revision, which only a rollback ends', async () => {
      const sample = await world.sample();
      const { helm } = sample;
      let client: ChildIdentity | undefined;
      const onStart = async (identity: ChildIdentity) => {
        client = identity;
      };
      const going = helmFailureOf(helm.upgrade(upgrade(sample, sample.unready), run({ onStart })));
      await world.until(async () => (await statuses(sample)).at(-1)?.[1] === 'pending-upgrade');
      if (client === undefined) throw new Error('the client never told who it is');
      expect(helm.client(client)).toBe('alive');
      world.kill(client);
      expect(await going).toMatchObject({ outcome: 'unknown' });
      expect(helm.client(client)).toBe('ended');
      expect(await statuses(sample)).toEqual([
        [1, 'deployed'],
        [2, 'pending-upgrade'],
      ]);
      expect(await helm.isMarked({ ...sample.at, operation: 'rb-1' }, never)).toBe(true);
      const listed = await helm.list({ namespace: sample.at.namespace }, never);
      expect(listed.find(({ release }) => release === sample.at.release)?.status).toBe('pending-upgrade');
      for (const call of [
        () => helm.upgrade(upgrade(sample, sample.good), run()),
        () => helm.render(upgrade(sample, sample.good), never),
      ])
        expect(await helmFailureOf(call())).toMatchObject({ reason: 'pending', outcome: 'not-applied' });
      await helm.rollback({ ...sample.at, revision: 1 }, run());
      expect((await statuses(sample)).at(-1)).toEqual([3, 'deployed']);
    });

    test('ten revisions are kept', async () => {
      const sample = await world.sample();
      const { helm } = sample;
      for (let count = 0; count < 11; count++)
        await helm.rollback({ ...sample.at, revision: count + 1 }, run());
      const kept = (await helm.history(sample.at, never)).map(({ revision }) => revision);
      expect(kept).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    });
  });
}
