import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rmdir, unlink } from 'node:fs/promises';
import path from 'node:path';

type Content = Uint8Array | AsyncIterable<Uint8Array>;

/** What `FileStore.create` promises. An error of the content itself passes as it is. */
export async function createFile(name: string, content: Content): Promise<void> {
  const target = path.resolve(name);
  const folder = path.dirname(target);
  const made = await explained(name, mkdir(folder, { recursive: true, mode: 0o700 }), inTheWay);
  const folders = made === undefined ? [] : foldersBetween(made, folder);
  try {
    // O_EXCL refuses a link, too, even one that leads nowhere.
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const file = await explained(name, open(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
    try {
      await fill(file, name, content);
      const parents = folders.map((each) => path.dirname(each));
      for (const each of new Set([folder, ...parents])) await syncFolder(each, name);
    } catch (cause) {
      await unlink(target).catch(() => undefined);
      throw cause;
    }
  } catch (cause) {
    for (const each of folders.toReversed()) await rmdir(each).catch(() => undefined);
    throw cause;
  }
}

async function fill(file: FileHandle, name: string, content: Content): Promise<void> {
  try {
    await writeDurably(file, name, content);
  } finally {
    await file.close();
  }
}

/** Writes all of it and syncs. */
export async function writeDurably(file: FileHandle, name: string, content: Content): Promise<void> {
  const pieces = content instanceof Uint8Array ? [content] : content;
  for await (const piece of pieces) await writeAll(file, name, piece);
  await explained(name, file.sync());
}

async function writeAll(file: FileHandle, name: string, bytes: Uint8Array): Promise<void> {
  for (let start = 0; start < bytes.length; ) {
    const { bytesWritten } = await explained(name, file.write(bytes, start));
    start += bytesWritten;
  }
}

/** From `first` to `last`, both included; `last` lies below `first` or is the same. */
function foldersBetween(first: string, last: string): readonly string[] {
  const folders: string[] = [];
  for (let at = last; at.startsWith(first); at = path.dirname(at)) folders.unshift(at);
  return folders;
}

async function syncFolder(folder: string, name: string): Promise<void> {
  const handle = await explained(name, open(folder, constants.O_RDONLY | constants.O_DIRECTORY));
  try {
    await explained(name, handle.sync());
  } finally {
    await handle.close();
  }
}

const words: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EDQUOT: 'your quota on this disk is used up',
  EEXIST: 'it exists already, and nothing is ever overwritten',
  EFBIG: 'it is larger than this system allows a file to be',
  EINVAL: 'this file system cannot make a file durable',
  EIO: 'the disk has a fault',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'its name is too long',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of its path is no directory',
  ENOTSUP: 'this file system cannot make a file durable',
  EROFS: 'this disk can only be read',
};

/** A file where a folder is to be. */
const inTheWay: Readonly<Record<string, string>> = { ...words, EEXIST: 'a part of its path is no directory' };

async function explained<T>(name: string, work: Promise<T>, because = words): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    throw new Error(`Cannot create ${name}: ${because[code] ?? (code || String(cause))}`, { cause });
  }
}
