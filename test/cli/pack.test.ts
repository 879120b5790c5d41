import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = path.dirname(path.dirname(import.meta.dirname));
const folder = mkdtempSync(path.join(tmpdir(), 'runbook-pack-'));
const env = {
  PATH: process.env.PATH ?? '',
  HOME: folder,
  XDG_STATE_HOME: path.join(folder, 'state'),
  npm_config_cache: path.join(folder, 'cache'),
};

// An empty cache, and a registry that nobody serves: whatever npm would have to fetch fails.
const offline = ['--offline', '--no-audit', '--no-fund', '--registry', 'http://127.0.0.1:9/'];

function installed(...args: readonly string[]) {
  return spawnSync(path.join(folder, 'app', 'node_modules', '.bin', 'runbook'), args, {
    cwd: path.join(folder, 'app'),
    env,
    encoding: 'utf8',
  });
}

describe('the packed tarball', () => {
  beforeAll(() => {
    execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
      cwd: root,
      env,
    });
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
    mkdirSync(path.join(folder, 'app'));
    execFileSync('npm', ['init', '-y', '--silent'], { cwd: path.join(folder, 'app'), env });
    execFileSync('npm', ['install', ...offline, path.join(folder, tarball)], {
      cwd: path.join(folder, 'app'),
      env,
    });
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('tells its version', () => {
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(installed('--version')).toMatchObject({ status: 0, stdout: `${version}\n` });
  });

  test('finds its runbooks and schemas, and runs one, without a network', () => {
    expect(installed('list').stdout).toMatch(/^restart-service +medium +shipped/m);
    expect(installed('steps', 'kubectl.rollout-restart').stdout).toContain('runbook.io/op');
    const run = installed('exec', 'restart-service', '--input', 'service=nvcf-api', '--sandbox', '--yes');
    expect(run.stderr).toContain('Restart NVCF API');
    expect(run.status).toBe(0);
  });

  test('loads every step type', () => {
    const { stdout } = installed('steps', '--format', 'json');
    const rows = JSON.parse(stdout) as { type: string; effect: string; title: string }[];
    const files = readdirSync(path.join(root, 'schemas', 'steps'));
    expect(rows.map(({ type }) => `${type}.schema.json`).sort()).toEqual(files.sort());
    expect(rows.filter(({ effect, title }) => !/^(read|change)$/.test(effect) || title === '')).toEqual([]);
  });

  test('brings the licences of what is bundled', () => {
    const licences = readFileSync(
      path.join(folder, 'app', 'node_modules', 'runbook', 'dist', 'THIRD-PARTY-LICENSES.txt'),
      'utf8',
    );
    for (const name of ['yaml', 'handlebars', 'commander', 'listr2', '@kubernetes/client-node'])
      expect(`\n${licences}`).toContain(`\n${name} `);
  });
});
