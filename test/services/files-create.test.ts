import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeDurably } from '../../src/services/files-create.ts';
import { createFileStore } from '../../src/services/files-node.ts';

const files = createFileStore();
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'runbook-create-'));
});

afterEach(() => rm(folder, { recursive: true }));

async function* pieces(count: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < count; at += 1) yield Buffer.alloc(100_000, at);
}

test('makes a file that only its owner reads, and the folders on the way', async () => {
  const file = path.join(folder, 'a/b/backup.age');
  await files.create(file, Buffer.from('content'));
  expect(await readFile(file, 'utf8')).toBe('content');
  expect((await stat(file)).mode & 0o7777).toBe(0o600);
  for (const each of ['a', 'a/b']) expect((await stat(path.join(folder, each))).mode & 0o7777).toBe(0o700);
});

test('takes content that comes in pieces', async () => {
  const file = path.join(folder, 'snapshot');
  await files.create(file, pieces(20));
  const content = await readFile(file);
  expect(content.length).toBe(2_000_000);
  expect([...Array(20).keys()].every((at) => content[at * 100_000 + 99_999] === at)).toBe(true);
});

test.each([
  ['a file', (at: string) => writeFile(at, 'old')],
  ['a folder', (at: string) => mkdir(at)],
  ['a link to a file', (at: string) => symlink('/etc/hostname', at)],
  ['a link to nothing', (at: string) => symlink('/nowhere/at/all', at)],
])('refuses %s that is there, and leaves it as it is', async (_, make) => {
  const file = path.join(folder, 'taken');
  await make(file);
  const before = await readdir(folder);
  await expect(files.create(file, Buffer.from('new'))).rejects.toThrow(
    `Cannot create ${file}: it exists already, and nothing is ever overwritten`,
  );
  expect(await readdir(folder)).toEqual(before);
  expect(await readFile(file, 'utf8').catch(() => 'none')).not.toBe('new');
});

test('a second one of the same name is refused, and the first one stays whole', async () => {
  const file = path.join(folder, 'x');
  const results = await Promise.allSettled(
    [1, 2, 3].map((n) => files.create(file, Buffer.from(`number ${n}`))),
  );
  expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(1);
  expect(await readFile(file, 'utf8')).toMatch(/^number [123]$/);
});

test('leaves nothing behind when its content fails, not even folders', async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half');
    throw new RangeError('the source broke off');
  }
  await mkdir(path.join(folder, 'kept'));
  const failing = files.create(path.join(folder, 'kept/a/b/c'), broken());
  await expect(failing).rejects.toThrow(new RangeError('the source broke off'));
  expect(await readdir(folder, { recursive: true })).toEqual(['kept']);
});

test('leaves a folder that somebody else uses meanwhile', async () => {
  const other = path.join(folder, 'a/other');
  async function* meanwhile(): AsyncGenerator<Uint8Array> {
    await writeFile(other, 'theirs');
    yield Buffer.from('half');
    throw new RangeError('broken');
  }
  await expect(files.create(path.join(folder, 'a/b/c'), meanwhile())).rejects.toThrow('broken');
  expect(await readFile(other, 'utf8')).toBe('theirs');
  expect(await readdir(path.join(folder, 'a'))).toEqual(['other']);
});

test('a part of the path that is a file is told', async () => {
  await writeFile(path.join(folder, 'file'), '');
  await expect(files.create(path.join(folder, 'file/x'), Buffer.alloc(1))).rejects.toThrow('no directory');
});

test('a full disk is told', async () => {
  await using full = await open('/dev/full', 'w');
  await expect(writeDurably(full, 'backup.age', Buffer.alloc(10))).rejects.toThrow(
    'Cannot create backup.age: the disk is full',
  );
});

test('what cannot be written to is told', async () => {
  const name = `/proc/${process.pid}/x`;
  await expect(files.create(name, Buffer.alloc(1))).rejects.toThrow(`Cannot create ${name}: `);
  const file = path.join(folder, 'n'.repeat(300));
  await expect(files.create(file, Buffer.alloc(1))).rejects.toThrow('its name is too long');
  await chmod(folder, 0o700);
});
