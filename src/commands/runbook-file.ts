import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Result } from '../engine/diagnostic.ts';
import type { Inventory } from '../engine/read/inventory.ts';
import type { Loader } from '../engine/read/read-runbook.ts';
import type { Runbook } from '../engine/read/runbook.ts';
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

/** At most `limit` bytes of a regular file: a named pipe would wait for ever. */
async function firstBytes(file: string, limit: number): Promise<Uint8Array> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const facts = await handle.stat();
    if (!facts.isFile())
      throw Object.assign(new Error(file), { code: facts.isDirectory() ? 'EISDIR' : 'ENOTFILE' });
    const buffer = new Uint8Array(Math.min(facts.size, limit));
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
}

/** Files of this machine for the reader. */
export function fileLoader({ cwd }: Pick<Environment, 'cwd'>): Loader {
  return {
    async load(file, limit) {
      try {
        return await firstBytes(path.resolve(cwd, file), limit);
      } catch (error) {
        const { code = 'unknown error' } = error as NodeJS.ErrnoException;
        throw new Error(reasons[code] ?? code, { cause: error });
      }
    },
    async realPath(file) {
      try {
        return await realpath(path.resolve(cwd, file));
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
  const [{ readRunbook }, { steps }, { stepSchemas }] = await Promise.all([
    import('../engine/read/read-runbook.ts'),
    import('../steps/index.ts'),
    import('../generated/step-schemas.ts'),
  ]);
  return readRunbook({
    ...fileLoader(environment),
    path: shownPath(file, environment),
    steps,
    stepSchemas,
    shippedRoot: shownPath(shippedFolder(environment), environment),
    ...(inventory === undefined ? {} : { inventory }),
  });
}
