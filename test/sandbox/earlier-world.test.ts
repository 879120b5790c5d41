import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { parseFault } from '../../src/sandbox/faults.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { openKeys } from './keys-rig.ts';
import { never } from './rig.ts';

const folders: string[] = [];

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'sandbox-'));
  folders.push(made);
  return made;
}

afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
});

function digest(dir: string): readonly string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => path.join(parentPath, name))
    .sort()
    .map((file) => `${file} ${createHash('sha256').update(readFileSync(file)).digest('hex')}`);
}

/** A world with a secret, an hour, a file and a fault that struck. */
async function lived(): Promise<string> {
  const dir = folder();
  const sandbox = openKeys({ dir, faults: [parseFault('step=crash-before')] });
  await sandbox.services.clock.sleep(3_600_000, never);
  expect(sandbox.control.writeSecret({ path: 'functions/f1/a', value: 'kept' })).toBe(200);
  await sandbox.services.files.create('made.txt', Buffer.from('made by a step'));
  expect(sandbox.faults.take('step', 'before')).toBe('crash-before');
  sandbox.close();
  return dir;
}

test.each([
  ['in memory', () => undefined],
  ['in a folder', folder],
])('a world begins as another one ended, %s, and leaves that as it was', async (_, place) => {
  const from = await lived();
  const before = digest(from);
  const dir = place();
  const sandbox = openSandbox({ seed: 5, dir, from, faults: [parseFault('step=crash-after')] });
  expect(sandbox.services.clock.now()).toBe(openKeys().services.clock.now() + 3_600_000);
  expect(sandbox.control.readSecret({ path: 'functions/f1/a' })).toBe('kept');
  expect(Buffer.from(await sandbox.services.files.read('made.txt', 100)).toString()).toBe('made by a step');
  await expect(sandbox.services.files.create('made.txt', Buffer.from('x'))).rejects.toThrow('exists already');
  // The fault of the other run is no fault of this one.
  expect(sandbox.faults.take('step', 'after')).toBe('crash-after');
  sandbox.control.writeSecret({ path: 'functions/f1/b', value: 'new' });
  await sandbox.services.files.create('more.txt', Buffer.from('x'));
  sandbox.close();
  expect(digest(from)).toEqual(before);
  expect(openSandbox({ seed: 5, from }).control.readSecret({ path: 'functions/f1/b' })).toBe(404);
  if (dir === undefined) return;
  const again = openSandbox({ seed: 5, dir, from });
  expect(again.control.readSecret({ path: 'functions/f1/b' })).toBe('new');
  again.close();
});

test('what it cannot begin with is refused', async () => {
  const empty = folder();
  expect(() => openSandbox({ seed: 5, from: empty })).toThrow(`There is no world of the sandbox in ${empty}`);
  const from = await lived();
  expect(() => openSandbox({ seed: 6, from })).toThrow(/was begun with/);
  expect(() => openKeys({ from, neks: { namespaces: 1, each: 1 } })).toThrow(/was begun with/);
});
