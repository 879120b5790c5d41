import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import path from 'node:path';
import type { Result } from '../engine/diagnostic.ts';
import type { Inventory } from '../engine/read/inventory.ts';
import type { Loader } from '../engine/read/read-runbook.ts';
import type { Runbook } from '../engine/read/runbook.ts';
import { stepSchemas } from '../generated/step-schemas.js';
import { stepTypes } from '../steps/index.ts';
import type { Environment } from './command.ts';
import { shippedFolder } from './locate.ts';

type Place = Pick<Environment, 'cwd' | 'packageRoot'>;

/** How a path is shown: relative below the current folder, absolute elsewhere. */
export function shownPath(file: string, { cwd }: Pick<Environment, 'cwd'>): string {
  const relative = path.relative(cwd, path.resolve(cwd, file));
  return relative === '' || relative.startsWith('..') ? path.resolve(cwd, file) : relative;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTFILE: 'it is no regular file',
  ELOOP: 'its symbolic links go in a circle',
};

/** At most `limit` bytes of a regular file: a named pipe would wait for ever. Synchronous, as nothing else is to be done meanwhile. */
function firstBytes(file: string, limit: number): Uint8Array {
  const handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const facts = fstatSync(handle);
    if (!facts.isFile())
      throw Object.assign(new Error(file), { code: facts.isDirectory() ? 'EISDIR' : 'ENOTFILE' });
    const buffer = new Uint8Array(Math.min(facts.size, limit));
    let length = 0;
    while (length < buffer.length) {
      const count = readSync(handle, buffer, length, buffer.length - length, length);
      if (count === 0) break;
      length += count;
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(handle);
  }
}

/** Files of this machine for the reader. */
export function fileLoader({ cwd }: Pick<Environment, 'cwd'>): Loader {
  return {
    async load(file, limit) {
      try {
        return firstBytes(path.resolve(cwd, file), limit);
      } catch (error) {
        const { code = 'unknown error' } = error as NodeJS.ErrnoException;
        throw new Error(reasons[code] ?? code, { cause: error });
      }
    },
    async realPath(file) {
      try {
        return realpathSync.native(path.resolve(cwd, file));
      } catch {
        return undefined;
      }
    },
  };
}

/** Reads a runbook that exists on this machine, with all step types and the shipped runbooks at hand. */
export async function readRunbookFile(
  file: string,
  environment: Place,
  inventory?: Inventory | (() => Inventory | undefined),
): Promise<Result<Runbook>> {
  const { readRunbook } = await import('../engine/read/read-runbook.ts');
  return readRunbook({
    ...fileLoader(environment),
    path: shownPath(file, environment),
    stepTypes: { types: stepTypes, schemas: stepSchemas },
    shippedRoot: shownPath(shippedFolder(environment), environment),
    ...(inventory === undefined ? {} : { inventory }),
  });
}
