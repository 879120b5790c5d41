import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFileReader } from '../../src/services/files-node.ts';

const files = createFileReader();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'runbook-files-'));
  await writeFile(path.join(folder, 'ten'), '0123456789');
  await chmod(path.join(folder, 'ten'), 0o640);
  await symlink(path.join(folder, 'nowhere'), path.join(folder, 'dangling'));
  execFileSync('mkfifo', [path.join(folder, 'fifo')]);
});

afterAll(() => rm(folder, { recursive: true }));

test('reads up to the limit and refuses more', async () => {
  const file = path.join(folder, 'ten');
  expect(Buffer.from(await files.read(file, 10)).toString()).toBe('0123456789');
  await expect(files.read(file, 9)).rejects.toThrow(`${file}: it is larger than 9 bytes`);
});

test('reads files whose size the system does not tell', async () => {
  expect((await files.read('/proc/self/stat', 10_000)).length).toBeGreaterThan(50);
  await expect(files.read('/proc/self/stat', 5)).rejects.toThrow('larger than 5 bytes');
});

test.each([
  ['nothing', 'it does not exist'],
  ['dangling', 'it is a link to nothing'],
  ['fifo', 'it is no regular file'],
  ['.', 'it is no regular file'],
  ['ten/below', 'a part of its path is no directory'],
])('%s is refused by its path', async (name, why) => {
  const file = path.join(folder, name);
  await expect(files.read(file, 100)).rejects.toThrow(`Cannot read ${file}: ${why}`);
});

test('tells what is there', async () => {
  expect(await files.stat(path.join(folder, 'ten'))).toEqual({
    kind: 'file',
    mode: 0o640,
    uid: process.getuid?.(),
    size: 10,
  });
  expect(await files.stat(folder)).toMatchObject({ kind: 'directory', mode: 0o700 });
  expect(await files.stat(path.join(folder, 'fifo'))).toMatchObject({ kind: 'other' });
  expect(await files.stat(path.join(folder, 'nothing'))).toBeUndefined();
  expect(await files.stat(path.join(folder, 'ten/below'))).toBeUndefined();
});
