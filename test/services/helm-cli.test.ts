import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { HelmError, type HelmTarget, type HelmWriter } from '../../src/services/helm.ts';
import { createHelm } from '../../src/services/helm-cli.ts';
import type { ResolvedContext } from '../../src/services/kubernetes-config.ts';
import type { CommandResult } from '../../src/services/process.ts';
import type { FakePrograms } from '../fakes/fake-program.ts';
import { FakeHelmProgram, metadata, pulled, status, upgraded } from '../fakes/helm-program.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'helm-cli-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const context: ResolvedContext = {
  context: 'prod',
  server: 'https://api.test:6443',
  serverName: undefined,
  proxyUrl: undefined,
  ca: Buffer.from('the ca'),
  cert: undefined,
  key: undefined,
  user: { name: 'me', token: 'token-canary' },
};

function helmWith(program: FakePrograms, environment: Readonly<Record<string, string>> = {}): HelmWriter {
  return createHelm({
    process: program,
    context: async () => context,
    environment,
    workspace: { pid: 4242, kill: () => false, now: () => 0, folder },
  });
}

const at = { namespace: 'helm-test', release: 'web' };
const never = new AbortController().signal;
const digest = `sha256:${'a'.repeat(64)}`;
const target: HelmTarget = {
  ...at,
  chart: 'oci://registry.test/charts/web',
  version: '1.0.1',
  values: 'reuse',
};
const json = (value: unknown): Partial<CommandResult> => ({ stdout: `${JSON.stringify(value)}\n` });
const chart = { stdout: 'apiVersion: v2\nname: web\nversion: 1.0.1\nappVersion: "1.0"\n' };
const fetched = { pull: pulled(digest), 'show chart': chart };
const run = { signal: never, onStart: async () => undefined, timeout: 300_000 };

async function failureOf(call: Promise<unknown>): Promise<HelmError> {
  const failure = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(failure).toBeInstanceOf(HelmError);
  return failure as HelmError;
}

describe('the program', () => {
  test.each([
    ['v3.19.5+g1234567\n', 'v3.19.5'],
    ['v3.19\n', 'v3.19'],
    ['v3.14.0+gabc\n', 'v3.14.0'],
  ])('%j will do', async (stdout, version) => {
    expect(await helmWith(new FakeHelmProgram({ version: { stdout } })).version(never)).toBe(version);
  });

  test.each(['Client: v2.17.0+ga690bad\n', 'v3.13.3+g1\n', 'v4.0.1+g12500dd\n', 'hello\n'])(
    '%j is refused before anything else is called',
    async (stdout) => {
      const program = new FakeHelmProgram({ version: { stdout }, list: json([]) });
      const failure = await failureOf(helmWith(program).rollback({ ...at, revision: 1 }, run));
      expect(failure).toMatchObject({ reason: 'wrong-version', outcome: 'not-applied', retryable: false });
      expect(failure.hint).toContain('Helm 3');
      expect(program.seen.map(({ args }) => args[0])).toEqual(['version']);
    },
  );

  test('is asked for its version once', async () => {
    const program = new FakeHelmProgram({ list: json([]) });
    const helm = helmWith(program);
    await helm.list({}, never);
    await helm.list({}, never);
    expect(program.seen.map(({ args }) => args[0])).toEqual(['version', 'list', 'list']);
  });

  test('that is missing is named, with what to do', async () => {
    const { createProcessRunner } = await import('../../src/services/process-node.ts');
    const process = createProcessRunner({ environment: { PATH: folder }, kill: () => false });
    const failure = await failureOf(helmWith(process as unknown as FakePrograms).list({}, never));
    expect(failure).toMatchObject({ reason: 'missing', outcome: 'not-applied' });
    expect(failure.hint).toContain('Install Helm 3');
  });

  test('gets a private kubeconfig of one context, which is gone afterwards', async () => {
    const program = new FakeHelmProgram({ list: json([]) });
    await helmWith(program).list({}, never);
    const [kubeconfig] = program.last.files;
    expect(kubeconfig?.mode).toBe(0o600);
    expect(JSON.parse(kubeconfig?.content ?? '')).toMatchObject({
      'current-context': 'prod',
      contexts: [{ name: 'prod' }],
      clusters: [{ cluster: { server: 'https://api.test:6443', 'certificate-authority-data': 'dGhlIGNh' } }],
      users: [{ user: { token: 'token-canary' } }],
    });
    expect(existsSync(kubeconfig?.path ?? '')).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
    expect(JSON.stringify(program.last.args)).not.toContain('canary');
  });

  test('gets registry and plugin variables, and nothing that would change what it does', async () => {
    const program = new FakeHelmProgram({ list: json([]) });
    const kept = { HELM_REGISTRY_CONFIG: '/r.json', AWS_PROFILE: 'prod', DOCKER_CONFIG: '/d' };
    const dropped = {
      HELM_DEBUG: '1',
      HELM_NAMESPACE: 'other',
      HELM_KUBECONTEXT: 'other',
      HELM_DRIVER: 'memory',
      KUBECONFIG: '/other',
      BAO_TOKEN: 'secret',
    };
    await helmWith(program, { ...kept, ...dropped }).list({}, never);
    const { KUBECONFIG: kubeconfig, ...rest } = program.last.env;
    expect(rest).toEqual(kept);
    expect(kubeconfig).toContain(folder);
  });

  test('is never given a name that it could take for something else', async () => {
    const program = new FakeHelmProgram({ history: json([]) });
    for (const bad of [
      { ...at, release: '--debug' },
      { ...at, release: '' },
      { ...at, namespace: '-A' },
    ])
      expect(await failureOf(helmWith(program).history(bad, never))).toMatchObject({
        outcome: 'not-applied',
      });
    expect(program.seen).toEqual([]);
  });

  test('whose answer is cut off or no JSON is not believed', async () => {
    const garbled = new FakeHelmProgram({ list: { stdout: 'WARNING: hello' } });
    expect((await failureOf(helmWith(garbled).list({}, never))).message).toContain('not understood');
    const cut = new FakeHelmProgram({ list: { ...json([]), truncated: true } });
    expect((await failureOf(helmWith(cut).list({}, never))).message).toContain('MiB');
    const empty = new FakeHelmProgram({ history: json([]) });
    expect(await failureOf(helmWith(empty).history(at, never))).toMatchObject({ reason: 'release-missing' });
  });
});

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
