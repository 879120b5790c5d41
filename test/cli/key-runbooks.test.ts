import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { pass } from '../sandbox/rig.ts';
import { canaryScanner, secretKey } from './canaries.ts';
import { expectKept, inWorld, newestRun, outputsOf } from './key-runs.ts';
import { brokenPromises, type KeysOfWorld, keysOf, lookAt, prepareWorld } from './key-world.ts';
import { rotateByTheBook } from './key-worlds.ts';
import { createRig } from './rig.ts';
import { bao, document } from './spoil.ts';
import { filesBelow } from './state.ts';

const MINUTE = 60_000;

/** What clients of the control plane were given before a run begins. */
function use({ control }: Sandbox): void {
  expect(control.issueKey()).toMatch(/^nvapi-/);
  expect(control.workerToken()).toBeDefined();
  for (const tenant of ['nvcf', 'tenant-02'])
    expect(control.writeSecret({ namespace: tenant, path: 'functions/f1/a', value: 'kept' })).toBe(200);
}

function digestOf(folder: string): string {
  const files = filesBelow(folder).map(
    (file) => `${file} ${createHash('sha256').update(readFileSync(file)).digest('hex')}`,
  );
  return files.sort().join('\n');
}

describe('mek-rotation', () => {
  test.concurrent('ends with every key kept, every pod on the new one, and everything that clients hold still good', async ({
    onTestFinished,
  }) => {
    const world = await prepareWorld(use, { done: onTestFinished });
    const before = lookAt(world, keysOf);
    const rig = createRig(onTestFinished);
    const done = await inWorld(rig, world, ['exec', 'mek-rotation', '--yes']);
    expect(done.code, done.stderr).toBe(0);
    const folder = newestRun(rig);
    const after = lookAt(folder, keysOf);
    const outputs = outputsOf(folder);
    expect(outputs).toMatchObject({
      previousKid: before.current,
      reencrypted: 12,
      version: before.version + 2,
    });
    const kid = String(outputs.kid);
    expectKept(before, after);
    expect([after.current, ...after.keys.keys()]).toEqual([kid, kid, before.current]);
    expect(kid).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f][13579bdf][0-9a-f]{10}$/,
    );
    expect(after.keys.get(kid)).not.toBe(after.privateJwks.get(kid));
    lookAt(folder, (sandbox) => {
      const loaded = sandbox.inspect.loaded();
      expect(loaded).toHaveLength(3);
      expect(new Set(loaded.map(({ current }) => current))).toEqual(new Set([kid]));
      const rows = sandbox.inspect.nekRows();
      expect(rows.filter(({ encryptedByKid }) => encryptedByKid === kid)).toHaveLength(12);
      expect(rows.filter(({ encryptedByKid }) => encryptedByKid === before.current)).toHaveLength(12);
      expect(brokenPromises(sandbox)).toEqual([]);
    });
    const verified = await rig.run(['verify', 'last']);
    expect(verified.code, verified.stdout).toBe(0);
    expect(existsSync(path.join(rig.folder, 'mek-backups'))).toBe(false);
  });

  test.concurrent('shows in a dry run what happens to each key, without a key, and changes nothing', async ({
    onTestFinished,
  }) => {
    const world = await prepareWorld(use, { done: onTestFinished });
    const [digest, { keys, privateJwks, current }] = [digestOf(world), lookAt(world, keysOf)];
    const rig = createRig(onTestFinished);
    const plan = await inWorld(rig, world, ['plan', 'mek-rotation']);
    expect(plan.code, plan.stderr).toBe(0);
    expect(plan.stdout).toMatch(/keys\[1\]: \(not set\) → "\+ ‹new kid› \(new key\)"/);
    expect(plan.stdout).toMatch(/private_jwks\[1\]: \(not set\) → "\+ ‹new kid› \(new key\)"/);
    expect(plan.stdout).toContain(current);
    const all = [...keys.values(), ...privateJwks.values()].map((k, at) =>
      secretKey(`key ${at}`, Buffer.from(k, 'base64url')),
    );
    expect(canaryScanner(all).find(plan.stdout)).toEqual([]);
    expect(digestOf(world)).toBe(digest);
    expect(filesBelow(rig.folder)).toEqual([]);
  });

  /** From a kill in the middle to the end, and then all the way back. */
  test.concurrent.for<[string, readonly string[]]>([
    ['publish=crash-after', []],
    ['reencrypt=crash-after', []],
    ['activate=crash-before', ['--fault', 'active/converge=crash-after']],
  ])('survives kill -9 at %s, and a rollback after that', async ([fault, more], { onTestFinished }) => {
    const world = await prepareWorld(use, { done: onTestFinished });
    const before = lookAt(world, keysOf);
    const rig = createRig(onTestFinished);
    const killed = await inWorld(rig, world, ['exec', 'mek-rotation', '--yes', '--fault', fault, ...more]);
    expect(killed.signal).toBe('SIGKILL');
    const folder = newestRun(rig);
    expect(lookAt(folder, brokenPromises)).toEqual([]);
    let resumed = await rig.run(['resume', 'last', '--yes']);
    if (more.length > 0) {
      expect(resumed.signal).toBe('SIGKILL');
      resumed = await rig.run(['resume', 'last', '--yes']);
    }
    expect(resumed.code, resumed.stderr).toBe(0);
    const after = lookAt(folder, keysOf);
    const { kid } = outputsOf(folder);
    expectKept(before, after);
    expect(after).toMatchObject({ current: kid, version: before.version + 2 });
    expect(lookAt(folder, brokenPromises)).toEqual([]);
    const back = await rig.run(['rollback', 'last', '--yes']);
    expect(back.code, back.stderr).toBe(5);
    const last = lookAt(folder, keysOf);
    expectKept(after, last);
    expect(last.current).toBe(before.current);
    lookAt(folder, (sandbox) => {
      expect(brokenPromises(sandbox)).toEqual([]);
      expect(new Set(sandbox.inspect.loaded().map(({ current }) => current))).toEqual(
        new Set([before.current]),
      );
    });
    expect((await rig.run(['verify', 'last'])).code).toBe(0);
  });

  test.concurrent.for(['publish=crash-before', 'backupWithNew=crash-before', 'loaded/converge=crash-before'])(
    'killed at %s and rolled back, leaves the document with the keys that it had',
    async (fault, { onTestFinished }) => {
      const world = await prepareWorld(use, { done: onTestFinished });
      const before = lookAt(world, keysOf);
      const rig = createRig(onTestFinished);
      const killed = await inWorld(rig, world, ['exec', 'mek-rotation', '--yes', '--fault', fault]);
      expect(killed.signal).toBe('SIGKILL');
      const back = await rig.run(['rollback', 'last', '--yes']);
      expect(back.code, back.stderr).toBe(5);
      const { version: _, ...after } = lookAt(newestRun(rig), keysOf);
      expect(after).toEqual({ current: before.current, keys: before.keys, privateJwks: before.privateJwks });
      expect(lookAt(newestRun(rig), brokenPromises)).toEqual([]);
    },
  );
});

describe('after a rotation by the published procedure', () => {
  test.concurrent('an audit names the damage, no rotation begins on it, the repair brings every API key back', async ({
    onTestFinished,
  }) => {
    let before: KeysOfWorld | undefined;
    const world = await prepareWorld(async (sandbox) => {
      use(sandbox);
      before = keysOf(sandbox);
      rotateByTheBook(sandbox);
      await pass(sandbox, 20 * MINUTE);
    });
    const lost = before?.privateJwks.keys().next().value ?? '';
    const rig = createRig(onTestFinished);
    const audit = await inWorld(rig, world, ['exec', 'mek-audit']);
    expect(audit.code, audit.stderr).toBe(1);
    expect(audit.stderr).toMatch(new RegExp(`damaged: private_jwks.*${lost}`));
    const refused = await inWorld(rig, world, ['exec', 'mek-rotation', '--yes']);
    expect(refused.code, refused.stderr).toBe(4);
    expect(refused.stderr).toContain('outputs.damaged = true');
    const plan = await inWorld(rig, world, ['plan', 'mek-repair-private-jwks']);
    expect(plan.code, plan.stderr).toBe(0);
    expect(plan.stdout).toContain(lost);
    expect(lookAt(world, brokenPromises)).not.toEqual([]);
    const repaired = await inWorld(rig, world, ['exec', 'mek-repair-private-jwks', '--yes']);
    expect(repaired.code, repaired.stderr).toBe(0);
    const folder = newestRun(rig);
    expect(outputsOf(folder)).toMatchObject({ kids: [lost] });
    const after = lookAt(folder, keysOf);
    expect(after.privateJwks.get(lost)).toBe(before?.privateJwks.get(lost));
    expect(after.keys.get(lost)).toBe(before?.keys.get(lost));
    expect(lookAt(folder, brokenPromises)).toEqual([]);
    const clean = await inWorld(rig, folder, ['exec', 'mek-audit']);
    expect(clean.code, clean.stderr).toBe(0);
  });
});

describe('mek-retire', () => {
  test.concurrent('of the first of three keys is refused while API keys need it, and passes when they are gone', async ({
    onTestFinished,
  }) => {
    const world = await prepareWorld(use, { done: onTestFinished });
    const { current: first } = lookAt(world, keysOf);
    const rig = createRig(onTestFinished);
    let rotated = world;
    for (let count = 0; count < 2; count += 1) {
      const done = await inWorld(rig, rotated, ['exec', 'mek-rotation', '--yes']);
      expect(done.code, done.stderr).toBe(0);
      rotated = newestRun(rig);
    }
    const refused = await inWorld(rig, rotated, ['exec', 'mek-retire', '--yes', '--input', `kid=${first}`]);
    expect(refused.stderr).toMatch(/rows of API Keys: \d+ rows are encrypted with it/);
    expect(refused.code, refused.stderr).toBe(1);
    expect(lookAt(newestRun(rig), keysOf).keys.has(first)).toBe(true);
    const later = await prepareWorld(
      async (sandbox) => {
        expect(sandbox.control.endApiKeys(first)).toBeGreaterThan(0);
        await pass(sandbox, 4 * 60 * MINUTE);
      },
      { from: rotated },
    );
    const before = lookAt(later, keysOf);
    const retired = await inWorld(rig, later, ['exec', 'mek-retire', '--yes', '--input', `kid=${first}`]);
    expect(retired.code, retired.stderr).toBe(0);
    const folder = newestRun(rig);
    const after = lookAt(folder, keysOf);
    expect([...after.keys]).toEqual([...before.keys].filter(([kid]) => kid !== first));
    expect([...after.privateJwks]).toEqual([...before.privateJwks].filter(([kid]) => kid !== first));
    const loaded = lookAt(folder, ({ inspect }) => inspect.loaded());
    expect(loaded.filter(({ kids }) => kids.includes(first))).toEqual([]);
    expect(lookAt(folder, brokenPromises)).toEqual([]);
    const audit = await inWorld(rig, folder, ['exec', 'mek-audit']);
    expect(audit.code, audit.stderr).toBe(0);
  });
});

describe('mek-restore-from-backup', () => {
  test.concurrent('brings back what a blind write took away, or a document that is gone, and undeletes nothing', async ({
    onTestFinished,
  }) => {
    const world = await prepareWorld(use, { done: onTestFinished });
    const before = lookAt(world, keysOf);
    const rig = createRig(onTestFinished);
    const saved = await inWorld(rig, world, ['exec', 'backup-openbao']);
    expect(saved.code, saved.stderr).toBe(0);
    const savedIn = newestRun(rig);
    const args = ['mek-restore-from-backup', '--input', `file=${outputsOf(savedIn).backup}`];
    const worldAfter = (change: (sandbox: Sandbox) => unknown) =>
      prepareWorld(
        async (sandbox) => {
          await change(sandbox);
          await pass(sandbox, 20 * MINUTE);
        },
        { from: savedIn },
      );

    const overwritten = await worldAfter(({ control }) => {
      expect(control.runMigrationsJob({ misbehaving: true })).toMatchObject({ wrote: true });
    });
    expect(lookAt(overwritten, brokenPromises)).not.toEqual([]);
    const audit = await inWorld(rig, overwritten, ['exec', 'mek-audit']);
    expect(audit.code, audit.stderr).toBe(1);
    const plan = await inWorld(rig, overwritten, ['plan', ...args]);
    expect(plan.code, plan.stderr).toBe(0);
    expect(plan.stdout).toContain(before.current);
    const restored = await inWorld(rig, overwritten, ['exec', ...args, '--yes']);
    expect(restored.code, restored.stderr).toBe(0);
    const merged = newestRun(rig);
    expectKept(before, lookAt(merged, keysOf));
    expectKept(lookAt(overwritten, keysOf), lookAt(merged, keysOf));
    expect(lookAt(merged, brokenPromises)).toEqual([]);

    const gone = await worldAfter((sandbox) =>
      bao(sandbox, `DELETE ${document.replace('/data/', '/metadata/')}`),
    );
    const written = await inWorld(rig, gone, ['exec', ...args, '--yes']);
    expect(written.code, written.stderr).toBe(0);
    const { version: _, ...keys } = lookAt(newestRun(rig), keysOf);
    expect(keys).toEqual({ current: before.current, keys: before.keys, privateJwks: before.privateJwks });
    expect(lookAt(newestRun(rig), brokenPromises)).toEqual([]);

    const deleted = await worldAfter((sandbox) => bao(sandbox, `DELETE ${document}`));
    const refused = await inWorld(rig, deleted, ['exec', ...args, '--yes']);
    expect(refused.stderr).toContain('bao kv undelete');
    expect(refused.code, refused.stderr).toBe(4);
  });
});
