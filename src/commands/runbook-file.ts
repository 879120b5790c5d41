import { readFile, realpath } from 'node:fs/promises';
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
  ELOOP: 'its symbolic links go in a circle',
};

/** Files of this machine for the reader. */
export function fileLoader({ cwd }: Pick<Environment, 'cwd'>): Loader {
  return {
    async load(file) {
      try {
        return await readFile(path.resolve(cwd, file));
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
  inventory?: Inventory,
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
