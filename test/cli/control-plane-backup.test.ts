import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import { appendKey, newer } from '../sandbox/keys-rig.ts';
import { pass } from '../sandbox/rig.ts';
import { damage, unseal } from './backup-worlds.ts';
import { type Canary, canaryScanner, secretText } from './canaries.ts';
import { canariesOf, leaksIn, placesOf } from './key-canaries.ts';
import { expectKept, inWorld, newestRun, outputsOf } from './key-runs.ts';
import { brokenPromises, keysOf, lookAt, prepareWorld, seed } from './key-world.ts';
import { type AtTheEnd, createRig, type Finished, type Rig } from './rig.ts';

const MINUTE = 60_000;
const patience = { timeout: 240_000 };

/** What clients of the control plane were given before a run begins. */
function use({ control }: Sandbox): void {
  expect(control.issueKey()).toMatch(/^nvapi-/);
  for (const namespace of ['nvcf', 'tenant-02'])
    expect(control.writeSecret({ namespace, path: 'functions/f1/a', value: 'kept' })).toBe(200);
}

interface Saved {
  readonly rig: Rig;
  /** The folder of the run that took the backup. */
  readonly folder: string;
  readonly manifest: string;
  readonly said: Finished;
}

async function saved(done: AtTheEnd): Promise<Saved> {
  const world = await prepareWorld(use, { done });
  const rig = createRig(done);
  const said = await inWorld(rig, world, ['exec', 'backup-control-plane', '--yes']);
  expect(said.code, said.stderr).toBe(0);
  const folder = newestRun(rig);
  return { rig, folder, manifest: String(outputsOf(folder).manifest), said };
}

/** The world that a backup was taken of, after something happened to it. */
function after({ folder }: Saved, change: (sandbox: Sandbox) => unknown, done: AtTheEnd): Promise<string> {
  return prepareWorld(
    async (sandbox) => {
      await change(sandbox);
      await pass(sandbox, 20 * MINUTE);
    },
    { from: folder, done },
  );
}

async function unsealKey(folder: string): Promise<unknown> {
  const sandbox = openSandbox({ seed, from: folder });
  const found = await sandbox.services.kubernetes.get(unseal);
  sandbox.close();
  return found?.data;
}

/** Rows as they are, without when they were written. */
function rowsOf({ inspect }: Sandbox): readonly string[] {
  return inspect.nekRows().map((row) => JSON.stringify(row));
}

function restore(manifest: string, ...more: string[]): string[] {
  return ['exec', 'restore-control-plane', '--yes', '--input', `manifest=${manifest}`, ...more];
}

/** Where the sandbox keeps what a step has made under a path. */
function madeFile({ rig, folder }: Saved, name: string): string {
  const key = createHash('sha256').update(path.resolve(rig.folder, name)).digest('hex').slice(0, 32);
  return path.join(folder, 'files', key);
}

test.concurrent(
  'a backup is taken, proven, and brings back all that was lost, and nothing else changes',
  patience,
  async ({ onTestFinished }) => {
    const backup = await saved(onTestFinished);
    const before = lookAt(backup.folder, keysOf);
    const rows = lookAt(backup.folder, rowsOf);
    const secret = await unsealKey(backup.folder);
    const verified = await inWorld(backup.rig, backup.folder, [
      ...['exec', 'verify-backup', '--input', `manifest=${backup.manifest}`],
    ]);
    expect(verified.code, verified.stderr).toBe(0);
    expect(verified.stdout).toContain('opens 12 of 12 rows of namespace keys');
    const broken = await after(backup, damage, onTestFinished);
    expect(lookAt(broken, brokenPromises)).not.toEqual([]);
    const done = await inWorld(backup.rig, broken, restore(backup.manifest));
    expect(done.code, done.stderr).toBe(0);
    const folder = newestRun(backup.rig);
    expectKept(before, lookAt(folder, keysOf));
    expect(lookAt(folder, rowsOf)).toEqual(expect.arrayContaining([...rows]));
    expect(await unsealKey(folder)).toEqual(secret);
    expect(lookAt(folder, brokenPromises)).toEqual([]);
    expect(done.stderr).toContain('nvcf/api was helm-nvcf-api 1.25.1, revision 2');
    // Once more: nothing is left to do.
    const again = await inWorld(backup.rig, folder, restore(backup.manifest));
    expect(again.code, again.stderr).toBe(0);
    expect(again.stderr).toMatch(/done {8}\d+ read, \d+ skipped/);
  },
);

test.concurrent('each part comes back alone', patience, async ({ onTestFinished }) => {
  const backup = await saved(onTestFinished);
  const broken = await after(backup, damage, onTestFinished);
  const gone = lookAt(broken, rowsOf);
  const secrets = await inWorld(backup.rig, broken, restore(backup.manifest, '--input', 'parts=secrets'));
  expect(secrets.code, secrets.stderr).toBe(0);
  expect(await unsealKey(newestRun(backup.rig))).toEqual(await unsealKey(backup.folder));
  expect(lookAt(newestRun(backup.rig), rowsOf)).toEqual(gone);
  expect(lookAt(newestRun(backup.rig), keysOf)).toEqual(lookAt(broken, keysOf));
  const keys = await inWorld(backup.rig, broken, restore(backup.manifest, '--input', 'parts=masterKeys'));
  // The rows of one namespace are still missing, and no row is unusable for that.
  expect(keys.code, keys.stderr).toBe(0);
  expectKept(lookAt(backup.folder, keysOf), lookAt(newestRun(backup.rig), keysOf));
  expect(lookAt(newestRun(backup.rig), rowsOf)).toEqual(gone);
  const unknown = await inWorld(backup.rig, broken, restore(backup.manifest, '--input', 'parts=everything'));
  expect(unknown.code, unknown.stderr).toBe(4);
});

test.concurrent(
  'a Secret with other values is not overwritten, and says which value differs',
  patience,
  async ({ onTestFinished }) => {
    const backup = await saved(onTestFinished);
    const data = { unseal_key: Buffer.from('another-key-of-somebody').toString('base64') };
    const changed = await after(
      backup,
      ({ services }) => services.kubernetes.patch(unseal, { type: 'merge', body: { data } }),
      onTestFinished,
    );
    const refused = await inWorld(backup.rig, changed, restore(backup.manifest, '--input', 'parts=secrets'));
    expect(refused.code, refused.stderr).not.toBe(0);
    expect(refused.stderr).toContain('openbao-server-unseal is there, and differs');
    expect(refused.stderr).not.toContain('another-key-of-somebody');
    expect(await unsealKey(newestRun(backup.rig))).toMatchObject(data);
  },
);

test.concurrent.for([
  'namespace-keys.age',
  'openbao.snap',
  'master-keys.age',
  'secret-openbao-server-unseal.age',
])('a backup whose %s was changed by one bit is refused', patience, async (name, { onTestFinished }) => {
  const backup = await saved(onTestFinished);
  const made = madeFile(backup, path.join(path.dirname(backup.manifest), name));
  const bytes = readFileSync(made);
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
  writeFileSync(made, bytes);
  const verified = await inWorld(backup.rig, backup.folder, [
    ...['exec', 'verify-backup', '--input', `manifest=${backup.manifest}`],
  ]);
  expect(verified.code, verified.stderr).toBe(1);
  expect(verified.stderr).toContain(`${name}: its digest is another one`);
  const refused = await inWorld(backup.rig, backup.folder, restore(backup.manifest));
  expect(refused.code, refused.stderr).toBe(4);
});

test.concurrent(
  'a backup during which the master keys change is refused',
  patience,
  async ({ onTestFinished }) => {
    const world = await prepareWorld(use, { done: onTestFinished });
    const rig = createRig(onTestFinished);
    const killed = await inWorld(rig, world, [
      ...['exec', 'backup-control-plane', '--yes', '--fault', 'values=crash-before'],
    ]);
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    const sandbox = openSandbox({ seed, dir: newestRun(rig) });
    appendKey(sandbox, newer[0], 7);
    sandbox.close();
    const resumed = await rig.run(['resume', 'last', '--yes']);
    expect(resumed.code, resumed.stderr).toBe(1);
    expect(resumed.stderr).toContain('outputs.version = 2');
    expect(resumed.stderr).not.toContain('manifest.json has');
  },
);

test.concurrent.for([
  'snapshot=crash-after',
  'namespaceKeys=crash-after',
  'secrets=lost-answer',
  'values=crash-after',
  'manifest=crash-after',
])(
  'a backup that was struck at %s is resumed to a proven one',
  patience,
  async (fault, { onTestFinished }) => {
    const world = await prepareWorld(use, { done: onTestFinished });
    const rig = createRig(onTestFinished);
    const struck = await inWorld(rig, world, ['exec', 'backup-control-plane', '--yes', '--fault', fault]);
    if (fault.endsWith('crash-after')) {
      expect(struck.signal, struck.stderr).toBe('SIGKILL');
      const resumed = await rig.run(['resume', 'last', '--yes']);
      expect(resumed.code, resumed.stderr).toBe(0);
    } else expect(struck.code, struck.stderr).toBe(0);
    expect(String(outputsOf(newestRun(rig)).proven)).toContain('18 files');
  },
);

test.concurrent.for(['secrets=crash-after', 'namespaceKeys=lost-answer', 'namespaceKeys=crash-before'])(
  'a restore that was struck at %s is resumed to its end',
  patience,
  async (fault, { onTestFinished }) => {
    const backup = await saved(onTestFinished);
    const broken = await after(backup, damage, onTestFinished);
    const struck = await inWorld(backup.rig, broken, restore(backup.manifest, '--fault', fault));
    if (fault.includes('crash')) {
      expect(struck.signal, struck.stderr).toBe('SIGKILL');
      const resumed = await backup.rig.run(['resume', 'last', '--yes']);
      expect(resumed.code, resumed.stderr).toBe(0);
    } else expect(struck.code, struck.stderr).toBe(0);
    const folder = newestRun(backup.rig);
    expect(lookAt(folder, brokenPromises)).toEqual([]);
    // Going back takes nothing away that came back.
    const kept = lookAt(folder, keysOf);
    const back = await backup.rig.run(['rollback', 'last', '--yes']);
    expect([5, 6]).toContain(back.code);
    expect(lookAt(folder, keysOf)).toEqual(kept);
    expect(lookAt(folder, brokenPromises)).toEqual([]);
  },
);

test.concurrent(
  'no secret is in anything that a backup, its proof, a restore and their reports print or leave',
  patience,
  async ({ onTestFinished }) => {
    const backup = await saved(onTestFinished);
    const canaries = lookAtSecrets(backup.folder);
    const broken = await after(backup, damage, onTestFinished);
    const manifest = `manifest=${backup.manifest}`;
    const commands: readonly (readonly string[])[] = [
      ['plan', 'restore-control-plane', '--input', manifest],
      [...restore(backup.manifest), '--output', 'json'],
      ['exec', 'verify-backup', '--input', manifest],
      ['exec', 'upgrade-openbao', '--yes', '--input', 'reuse=true'],
      [
        'exec',
        'spot-upgrade',
        '--yes',
        '--input',
        'service=nvcf-api',
        '--input',
        'version=1.25.2',
        '--input',
        'reuse=true',
      ],
    ];
    const said: Finished[] = [backup.said];
    let world = broken;
    for (const command of commands) {
      const done = await inWorld(backup.rig, world, command);
      expect(done.code, done.stderr).toBe(0);
      if (command[0] === 'exec') world = newestRun(backup.rig);
      said.push(done, await backup.rig.run(['report', 'last', '--format', 'html']));
      said.push(await backup.rig.run(['show', 'last', '--format', 'json']));
    }
    const scanner = canaryScanner(await canaries);
    expect(scanner.size).toBeGreaterThan(100);
    expect(leaksIn(placesOf(backup.rig, said), scanner)).toEqual([]);
  },
);

/** Every secret that a backup meets, the values of releases among them. */
async function lookAtSecrets(folder: string): Promise<readonly Canary[]> {
  const sandbox = openSandbox({ seed, from: folder });
  const never = new AbortController().signal;
  const kept = async (namespace: string, release: string, ...names: string[]) => {
    const { values } = await sandbox.services.helm.release({ namespace, release }, never);
    const all = values.revealText((text) => JSON.parse(text) as Record<string, unknown>);
    return String(names.reduce((at, name) => (at as Record<string, unknown>)[name] as object, all as object));
  };
  const canaries = [
    ...(await canariesOf(sandbox)),
    secretText('registry credential', await kept('nvcf', 'api', 'accountBootstrap', 'registryCredential')),
    secretText(
      'superuser password',
      await kept('cassandra-system', 'cassandra', 'cassandra', 'dbUser', 'password'),
    ),
  ];
  sandbox.close();
  return canaries;
}
