import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { ProcessRunner } from '../../src/services/process.ts';
import { at, FakeHelmProgram, failureOf, helmOver, json, never, run } from '../fakes/helm-program.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'helm-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const helmWith = (process: ProcessRunner, environment?: Readonly<Record<string, string>>) =>
  helmOver(process, folder, environment);

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
    const failure = await failureOf(helmWith(process).list({}, never));
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
