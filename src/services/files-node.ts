import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, stat } from 'node:fs/promises';
import type { FileReader, FileStore } from './files.ts';
import { createFile } from './files-create.ts';

/** Local files. Errors name the path and the cause. */
export function createFileStore(): FileStore {
  return { ...createFileReader(), create: createFile };
}

/** Local files, only to be read. */
export function createFileReader(): FileReader {
  return {
    read: async (path, limit) => {
      const file = await openFile(path);
      try {
        return await readAll(file, path, limit);
      } finally {
        await file.close();
      }
    },
    stat: async (path) => {
      const found = await stat(path).catch((cause: unknown) => absent(cause, path));
      if (found === undefined) return undefined;
      return { kind: kindOf(found), mode: found.mode & 0o7777, uid: found.uid, size: found.size };
    },
  };
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    // Non-blocking, so that opening a fifo does not wait for a writer before it is refused.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const link = await lstat(path).catch(() => undefined);
    const why =
      codeOf(cause) === 'ENOENT' && link?.isSymbolicLink() ? 'it is a link to nothing' : explain(cause);
    throw new Error(`Cannot read ${path}: ${why}`, { cause });
  }
}

async function readAll(file: FileHandle, path: string, limit: number): Promise<Uint8Array> {
  const found = await file.stat();
  if (!found.isFile()) throw new Error(`Cannot read ${path}: it is no regular file`);
  if (found.size > limit) throw tooLarge(path, limit);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    // Read to the end whatever the size said: files of /proc say 0, and others may grow meanwhile.
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(64 * 1024), 0, 64 * 1024, null);
    if (bytesRead === 0) return Buffer.concat(chunks);
    size += bytesRead;
    if (size > limit) throw tooLarge(path, limit);
    chunks.push(buffer.subarray(0, bytesRead));
  }
}

function tooLarge(path: string, limit: number): Error {
  return new Error(`Cannot read ${path}: it is larger than ${limit} bytes`);
}

function kindOf(found: Stats): 'file' | 'directory' | 'other' {
  if (found.isFile()) return 'file';
  return found.isDirectory() ? 'directory' : 'other';
}

function absent(cause: unknown, path: string): undefined {
  if (['ENOENT', 'ENOTDIR'].includes(codeOf(cause))) return undefined;
  throw new Error(`Cannot look at ${path}: ${explain(cause)}`, { cause });
}

function explain(cause: unknown): string {
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'it does not exist',
    ENOTDIR: 'a part of its path is no directory',
    EACCES: 'permission denied',
    EISDIR: 'it is a directory',
    ELOOP: 'its links lead in a circle',
  };
  return words[codeOf(cause)] ?? (codeOf(cause) || String(cause));
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}
