import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import type { ProcessRunner } from '../../src/services/process.ts';
import {
  at,
  digest,
  FakeHelmProgram,
  failureOf,
  fetched,
  helmOver,
  json,
  metadata,
  never,
  run,
  status,
  target,
  upgraded,
} from '../fakes/helm-program.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'helm-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const helmWith = (process: ProcessRunner, environment?: Readonly<Record<string, string>>) =>
  helmOver(process, folder, environment);

describe('reading', () => {
  test('lists releases of every status, with the chart taken apart', async () => {
    const row = {
      name: 'web',
      namespace: 'helm-test',
      revision: '4',
      updated: '2026-11-24T14:59:09.594Z',
      status: 'pending-upgrade',
      chart: 'helm-nvcf-web-1.0.1',
      app_version: '1.0',
    };
    const program = new FakeHelmProgram({ list: json([row]) });
    expect(await helmWith(program).list({ namespace: 'helm-test' }, never)).toEqual([
      {
        release: 'web',
        namespace: 'helm-test',
        revision: 4,
        updated: '2026-11-24T14:59:09.594Z',
        status: 'pending-upgrade',
        chart: 'helm-nvcf-web',
        chartVersion: '1.0.1',
        appVersion: '1.0',
      },
    ]);
    // Without it pending releases would not be shown at all.
    expect(program.last.args).toContain('--all');
    expect(program.last.args.join(' ')).toContain('--namespace helm-test');
  });

  test('gives the history oldest first, without what a failure quotes', async () => {
    const quoted =
      'Upgrade "web" failed: cannot patch "web": Invalid value: "{\\"data\\":\\"c2VjcmV0\\"}": json: bad';
    const rows = [
      {
        revision: 2,
        updated: '',
        status: 'failed',
        chart: 'web-1.0.1',
        app_version: '1.0',
        description: quoted,
      },
      {
        revision: 1,
        updated: '',
        status: 'deployed',
        chart: 'web-1.0.0',
        app_version: '1.0',
        description: 'Install complete',
      },
    ];
    const history = await helmWith(new FakeHelmProgram({ history: json(rows) })).history(at, never);
    expect(history.map(({ revision, status: state }) => [revision, state])).toEqual([
      [1, 'deployed'],
      [2, 'failed'],
    ]);
    expect(history[1]?.description).toContain('cannot patch "web"');
    expect(history[1]?.description).not.toContain('c2VjcmV0');
  });

  test('reads a release with its objects, its hooks and its values', async () => {
    const program = new FakeHelmProgram({ status: json(status), 'get metadata': json(metadata) });
    const release = await helmWith(program).release({ ...at, revision: 2 }, never);
    expect(release).toMatchObject({ revision: 2, status: 'deployed', chart: 'web', chartVersion: '1.0.1' });
    expect(release.objects).toEqual([
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec: { replicas: 2 } },
    ]);
    expect(release.hooks).toMatchObject([
      { kind: 'Job', name: 'web-migrate', events: ['post-upgrade'], weight: 1, phase: 'Failed' },
    ]);
    expect(release.values.revealText((text) => JSON.parse(text))).toEqual(status.config);
    expect(JSON.stringify(release)).not.toContain('hunter2-canary');
    expect(program.last.args.join(' ')).toContain('--revision 2');
  });

  test('looks for its mark on the newest revision alone', async () => {
    const program = new FakeHelmProgram({ list: json([]) });
    expect(await helmWith(program).isMarked({ ...at, release: 'w.eb', operation: 'rb-1' }, never)).toBe(
      false,
    );
    expect(program.last.args.join(' ')).toContain('--filter ^w\\.eb$ --selector runbook.io/operation=rb-1');
  });

  test('tells a client that ended from one of another boot', () => {
    const helm = helmWith(new FakeHelmProgram({}));
    expect(helm.client({ pid: 1, startTime: 1, bootId: 'another' })).toBe('unknown');
  });
});

describe('upgrading', () => {
  test('pins the chart, waits, marks the revision, and hands over values in a private file', async () => {
    const program = new FakeHelmProgram({ ...fetched, upgrade: json(upgraded) });
    const file = Secret.fromText('values', 'password: hunter2-canary\n');
    const started: number[] = [];
    const outcome = await helmWith(program).upgrade(
      { ...target, values: { file }, digest, operation: 'rb-1' },
      { ...run, onStart: async ({ pid }) => void started.push(pid) },
    );
    expect(outcome).toEqual({ revision: 3, chartVersion: '1.0.1', appVersion: '1.0', digest });
    expect(started).toEqual([7]);
    const { args, files } = program.last;
    const words = args.join(' ');
    expect(words).toContain('--wait --wait-for-jobs --timeout 300s');
    expect(words).toContain('--labels runbook.io/operation=rb-1 --description runbook rb-1');
    expect(words).toContain('--reset-values');
    expect(words).not.toMatch(/hunter2|--debug|--atomic|--install|--force/);
    expect(args.slice(-3)).toEqual(['--', 'web', expect.stringMatching(/\/chart-1\.0\.0\.tgz$/)]);
    expect(files[1]).toMatchObject({ mode: 0o600, content: 'password: hunter2-canary\n' });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('reuses values only over the new ones of the chart', async () => {
    const program = new FakeHelmProgram({ ...fetched, upgrade: json(upgraded) });
    await helmWith(program).upgrade({ ...target, operation: 'rb-1' }, run);
    expect(program.last.args).toContain('--reset-then-reuse-values');
    expect(program.last.args).not.toContain('--values');
  });

  test('renders by a dry run on the server, and starts nothing', async () => {
    const program = new FakeHelmProgram({ ...fetched, upgrade: json(upgraded) });
    const rendering = await helmWith(program).render(target, never);
    expect(rendering).toMatchObject({ chart: 'web', chartVersion: '1.0.1', digest });
    expect(program.last.args).toContain('--dry-run=server');
    expect(program.calls.every(({ how }) => how === 'read')).toBe(true);
  });

  test('a chart with another digest is not installed', async () => {
    const program = new FakeHelmProgram({ ...fetched, upgrade: json(upgraded) });
    const pinned = { ...target, digest: `sha256:${'b'.repeat(64)}`, operation: 'rb-1' };
    const failure = await failureOf(helmWith(program).upgrade(pinned, run));
    expect(failure).toMatchObject({ reason: 'digest-moved', outcome: 'not-applied' });
    expect(program.seen.map(({ args }) => args[0])).toEqual(['version', 'pull']);
  });

  test.each([
    [{ version: '1.0' }, 'no exact version'],
    [{ version: '>=1.0.0' }, 'no exact version'],
    [{ chart: 'stable/web' }, 'neither an oci:// reference nor a path'],
    [{ chart: '--post-renderer' }, 'neither an oci:// reference nor a path'],
    [{ chart: 'oci://registry.test/web', plainHttp: true }, 'loopback only'],
    [{ chart: './no-such-folder' }, 'no such folder'],
    [{ version: '1.0.2' }, 'it has version 1.0.1, not 1.0.2'],
  ])('%j is refused before anything changes', async (wrong, why) => {
    const program = new FakeHelmProgram({ ...fetched, upgrade: json(upgraded) });
    const failure = await failureOf(
      helmWith(program).upgrade({ ...target, ...wrong, operation: 'rb-1' }, run),
    );
    expect(failure.outcome).toBe('not-applied');
    expect(failure.message).toContain(why);
    expect(program.seen.some(({ args }) => args[0] === 'upgrade')).toBe(false);
  });

  test.each(['- a\n- b\n', 'a: [\n', 'a: 1\n---\nb: 2\n'])('values %j are refused', async (text) => {
    const program = new FakeHelmProgram({ ...fetched, upgrade: json(upgraded) });
    const values = { file: Secret.fromText('values', text) };
    const failure = await failureOf(helmWith(program).upgrade({ ...target, values, operation: 'rb-1' }, run));
    expect(failure).toMatchObject({ reason: 'values', outcome: 'not-applied' });
  });

  test('after it was stopped or killed nobody knows', async () => {
    for (const ended of [
      { exitCode: undefined, signal: 'SIGKILL' },
      { exitCode: undefined, signal: 'SIGTERM' },
    ]) {
      const program = new FakeHelmProgram({ ...fetched, upgrade: ended });
      const failure = await failureOf(helmWith(program).upgrade({ ...target, operation: 'rb-1' }, run));
      expect(failure).toMatchObject({ reason: 'failed', outcome: 'unknown' });
      expect(failure.message).toContain(ended.signal);
    }
  });

  test('rolling back names its revision last, and waits', async () => {
    const program = new FakeHelmProgram({ rollback: { stdout: 'Rollback was a success! Happy Helming!\n' } });
    await helmWith(program).rollback({ ...at, revision: 1 }, run);
    expect(program.last.args.join(' ')).toBe(
      'rollback --wait --wait-for-jobs --timeout 300s --namespace helm-test -- web 1',
    );
  });
});
